//! One run of a command that uses a gateway: its arguments and variables.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::codex;
use crate::secret::Secret;

/// A running gateway, as the command sees it.
#[derive(Clone, Debug)]
pub struct Access {
    pub url: String,
    pub key: Secret,
    /// Prints the key.
    pub key_command: Vec<String>,
}

/// The command, and its additions to the environment.
#[derive(Clone, Debug)]
pub struct Launch {
    pub program: OsString,
    pub arguments: Vec<OsString>,
    pub variables: Vec<(&'static str, Value)>,
}

/// The value of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Plain(String),
    Key(Secret),
}

/// Codex gets arguments without a secret; every other program gets the variables of the OpenAI SDKs.
pub fn launch(program: &OsStr, arguments: &[OsString], access: &Access) -> Launch {
    let url = ("MULTICODEX_GATEWAY_URL", Value::Plain(access.url.clone()));
    if is_codex(program) {
        let overrides = codex::overrides(&access.url, &access.key_command);
        return Launch {
            program: program.to_owned(),
            arguments: overrides.into_iter().map(OsString::from).chain(arguments.iter().cloned()).collect(),
            variables: vec![url],
        };
    }
    Launch {
        program: program.to_owned(),
        arguments: arguments.to_vec(),
        variables: vec![
            url,
            ("OPENAI_BASE_URL", Value::Plain(format!("{}/v1", access.url))),
            ("OPENAI_API_KEY", Value::Key(access.key.clone())),
        ],
    }
}

fn is_codex(program: &OsStr) -> bool {
    Path::new(program).file_stem() == Some(OsStr::new("codex"))
}

impl Value {
    /// The value itself, only for the environment of the command.
    pub fn expose(&self) -> &str {
        match self {
            Value::Plain(text) => text,
            Value::Key(key) => key.expose(),
        }
    }

    /// The value as a person sees it.
    pub fn shown(&self) -> &str {
        match self {
            Value::Plain(text) => text,
            Value::Key(_) => "…",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        Access {
            url: "http://127.0.0.1:1".into(),
            key: Secret::new("canary-key"),
            key_command: vec!["multicodex".into(), "gateway".into(), "key".into()],
        }
    }

    #[test]
    fn codex_gets_no_secret() {
        for program in ["codex", "/opt/bin/codex", "codex.js"] {
            let launch = launch(program.as_ref(), &["exec".into(), "Hello".into()], &access());
            assert_eq!(launch.arguments[0], "-c");
            assert_eq!(launch.arguments[4..], ["exec", "Hello"]);
            let arguments = launch.arguments.iter().map(|it| it.to_string_lossy().into_owned());
            let variables = launch.variables.iter().map(|(_, value)| value.expose().to_owned());
            assert!(!arguments.chain(variables).any(|text| text.contains("canary")), "{program}");
        }
    }

    #[test]
    fn other_programs_get_variables_and_show_no_key() {
        let launch = launch("opencode".as_ref(), &["run".into()], &access());
        assert_eq!(launch.arguments, ["run"]);
        let shown: Vec<_> = launch.variables.iter().map(|(name, value)| (*name, value.shown())).collect();
        assert_eq!(
            shown,
            [
                ("MULTICODEX_GATEWAY_URL", "http://127.0.0.1:1"),
                ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1"),
                ("OPENAI_API_KEY", "…"),
            ]
        );
        assert_eq!(launch.variables[2].1.expose(), "canary-key");
        assert!(!format!("{launch:?}").contains("canary"));
    }
}
