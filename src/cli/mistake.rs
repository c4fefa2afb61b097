//! Reports mistakes on the command line in one line: what is wrong, the nearest valid word, and where the help is.

use std::borrow::Cow;
use std::error::Error as _;

use clap::Error;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// A longer word may be a token that was pasted in the wrong place, so only its beginning is repeated.
const LONGEST_QUOTED: usize = 48;
const BEGINNING: usize = 12;

/// Returns the text for `error`. `called` is the subcommand, if there is one.
pub(super) fn explain(error: &Error, called: Option<&str>) -> String {
    let argument = || text(error, ContextKind::InvalidArg).unwrap_or_default();
    let what = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let word = text(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            format!(
                "unknown subcommand \"{}\"{}",
                shown(&word),
                meant(error, ContextKind::SuggestedSubcommand)
            )
        }
        ErrorKind::UnknownArgument => unknown_argument(error, &argument()),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => invalid_value(error, &argument()),
        ErrorKind::MissingRequiredArgument => format!("{} is missing", argument()),
        ErrorKind::ArgumentConflict => {
            let other = text(error, ContextKind::PriorArg).unwrap_or_default();
            format!("{} and {other} cannot be used together", argument())
        }
        _ => {
            let rendered = error.to_string();
            let first = rendered.lines().next().unwrap_or_default();
            shown(first.trim_start_matches("error: ")).into_owned()
        }
    };
    let of = called.map(|name| format!(" {name}")).unwrap_or_default();
    format!("{what}; see multicodex{of} --help")
}

fn unknown_argument(error: &Error, argument: &str) -> String {
    let name = argument.split('=').next().unwrap_or_default();
    if !name.starts_with("--") {
        return match name.starts_with('-') {
            true => format!("unknown option {}", shown(name)),
            false => format!("unexpected argument \"{}\"", shown(argument)),
        };
    };
    format!("unknown option {}{}", shown(name), meant(error, ContextKind::SuggestedArg))
}

fn invalid_value(error: &Error, argument: &str) -> String {
    let name = argument.split([' ', '=']).next().unwrap_or_default();
    let value = text(error, ContextKind::InvalidValue).unwrap_or_default();
    if value.is_empty() {
        let is_path = ["<DIR>", "<FILE>", "[DIR]"].iter().any(|kind| argument.ends_with(kind));
        return format!("{name}: {} is needed", if is_path { "a path" } else { "a value" });
    }
    let value = shown(&value);
    match (error.get(ContextKind::ValidValue), error.source()) {
        (Some(ContextValue::Strings(valid)), _) => match valid.as_slice() {
            [one, other] => format!("{name}: \"{value}\" is neither {one} nor {other}"),
            valid => format!("{name}: \"{value}\" is none of {}", valid.join(", ")),
        },
        _ if argument.ends_with("<N>") => format!("{name}: \"{value}\" is not a number that fits"),
        (_, Some(source)) => format!("{name}: {source}"),
        (_, None) => format!("{name}: \"{value}\" cannot be used"),
    }
}

/// Returns `; did you mean …?` with clap's suggestions, the nearest first.
fn meant(error: &Error, kind: ContextKind) -> String {
    let near = match error.get(kind) {
        Some(ContextValue::String(near)) => near.clone(),
        // clap sorts them in the other order.
        Some(ContextValue::Strings(near)) => near.iter().rev().cloned().collect::<Vec<_>>().join(" or "),
        _ => return String::new(),
    };
    format!("; did you mean {near}?")
}

fn text(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => Some(texts.join(", ")),
        ContextValue::StyledStr(text) => Some(StyledStr::to_string(text)),
        _ => None,
    }
}

/// Returns a word of the user as an error message may repeat it.
pub(super) fn shown(word: &str) -> Cow<'_, str> {
    let clean = crate::render::clean(word);
    if clean.chars().count() <= LONGEST_QUOTED {
        return clean;
    }
    Cow::Owned(clean.chars().take(BEGINNING).chain(['…']).collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::ffi::OsString;

    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::{Cli, called, parse};

    fn check(line: &str, expected: &str) {
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let root = Cli::command();
        let explained = explain(&parse(&args).unwrap_err(), called(&root, &args));
        assert_eq!(explained, expected, "{line}");
    }

    #[test]
    fn mistakes_name_the_nearest_word() {
        check("acounts", "unknown subcommand \"acounts\"; did you mean accounts?; see multicodex --help");
        check(
            "verify --onlin",
            "unknown option --onlin; did you mean --online?; see multicodex verify --help",
        );
        check("--agentdir x", "unknown option --agentdir; did you mean --agent-dir?; see multicodex --help");
        check("xyzzy", "unknown subcommand \"xyzzy\"; see multicodex --help");
    }

    #[test]
    fn mistakes_say_what_is_wrong_in_one_line() {
        check("history --days 3", "unknown option --days; see multicodex history --help");
        check("token --json", "unknown option --json; see multicodex token --help");
        check("accounts ada", "unexpected argument \"ada\"; see multicodex accounts --help");
        check("accounts -q", "unknown option -q; see multicodex accounts --help");
        check(
            "import --from claude",
            "--from: \"claude\" is neither pi nor codex; see multicodex import --help",
        );
        check("reset some", "[SCOPE]: \"some\" is none of manual, quota, all; see multicodex reset --help");
        check("history --limit x", "--limit: \"x\" is not a number that fits; see multicodex history --help");
        check(
            "history --limit=-1",
            "--limit: \"-1\" is not a number that fits; see multicodex history --help",
        );
        check("remove", "<ACCOUNT> is missing; see multicodex remove --help");
        check("use --clear ada", "--clear and [ACCOUNT] cannot be used together; see multicodex use --help");
        check("--agent-dir= accounts", "--agent-dir: a path is needed; see multicodex accounts --help");
        check("login --label", "--label: a value is needed; see multicodex login --help");
    }

    #[test]
    fn a_long_word_that_may_be_a_token_is_not_repeated() {
        let token = "eyJhbGciOiJub25lIn0".repeat(1000);
        check(&token, "unknown subcommand \"eyJhbGciOiJu…\"; see multicodex --help");
        check(
            &format!("accounts {token}"),
            "unexpected argument \"eyJhbGciOiJu…\"; see multicodex accounts --help",
        );
        check(&format!("accounts --{token}"), "unknown option --eyJhbGciOi…; see multicodex accounts --help");
        check(
            &format!("history --limit {token}"),
            "--limit: \"eyJhbGciOiJu…\" is not a number that fits; see multicodex history --help",
        );
    }
}
