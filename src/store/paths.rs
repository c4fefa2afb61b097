//! Where the files are: flag before variable before default. Touches no file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The options of the command line; an absent flag is `None`.
#[derive(Clone, Debug, Default)]
pub struct PathOptions {
    pub agent_dir: Option<PathBuf>,
    pub state_dir: Option<PathBuf>,
    pub codex_home: Option<PathBuf>,
    pub log_file: Option<PathBuf>,
}

/// The user's environment.
#[derive(Clone, Debug, Default)]
pub struct ProcessEnv {
    pub home: Option<PathBuf>,
    /// The platform's state directory for multicodex.
    pub state_dir: Option<PathBuf>,
    /// Relative paths start here.
    pub current_dir: PathBuf,
}

/// Every file the sidecar reads or writes, as absolute paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    pub agent_dir: PathBuf,
    pub accounts_file: PathBuf,
    pub auth_file: PathBuf,
    pub settings_file: PathBuf,
    /// Locks and the refresh journal, beside the files of the agent directory that they protect.
    pub guard_dir: PathBuf,
    pub state_dir: PathBuf,
    pub codex_auth_file: PathBuf,
    pub log_file: Option<PathBuf>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no home directory is known; set HOME, or name the directory with {flag} or {variable}")]
pub struct PathError {
    pub flag: &'static str,
    pub variable: &'static str,
}

impl ProcessEnv {
    pub fn of_this_process() -> Self {
        let project = directories::ProjectDirs::from("", "", "multicodex");
        ProcessEnv {
            home: directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned()),
            state_dir: project
                .map(|dirs| dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_owned()),
            current_dir: std::env::current_dir().unwrap_or_default(),
        }
    }
}

impl Paths {
    /// `variable` looks up an environment variable; an empty one counts as unset.
    pub fn resolve(
        options: &PathOptions,
        variable: impl Fn(&str) -> Option<OsString>,
        surroundings: &ProcessEnv,
    ) -> Result<Paths, PathError> {
        let home = surroundings.home.as_deref();
        let chosen = |flag: &Option<PathBuf>, name: &str| {
            let from_variable = || variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
            let path = flag.clone().or_else(from_variable)?;
            Some(surroundings.current_dir.join(expand_home(&path, home)))
        };
        let in_home = |flag, variable, below: &str| {
            home.map(|home| home.join(below)).ok_or(PathError { flag, variable })
        };

        let agent_dir = match chosen(&options.agent_dir, "PI_CODING_AGENT_DIR") {
            Some(dir) => dir,
            None => in_home("--agent-dir", "PI_CODING_AGENT_DIR", ".pi/agent")?,
        };
        let state_dir = chosen(&options.state_dir, "MULTICODEX_STATE_DIR")
            .or_else(|| surroundings.state_dir.clone())
            .ok_or(PathError { flag: "--state-dir", variable: "MULTICODEX_STATE_DIR" })?;
        let codex_home = match chosen(&options.codex_home, "CODEX_HOME") {
            Some(dir) => dir,
            None => in_home("--codex-home", "CODEX_HOME", ".codex")?,
        };
        Ok(Paths {
            accounts_file: agent_dir.join("codex-accounts.json"),
            auth_file: agent_dir.join("auth.json"),
            settings_file: agent_dir.join("settings.json"),
            guard_dir: agent_dir.join(".multicodex"),
            agent_dir,
            state_dir,
            codex_auth_file: codex_home.join("auth.json"),
            log_file: chosen(&options.log_file, "MULTICODEX_LOG_FILE"),
        })
    }
}

/// `~` and `~/x` mean the home directory; `~name` is an ordinary name.
fn expand_home(path: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(below), Some(home)) if below.as_os_str().is_empty() => home.to_owned(),
        (Ok(below), Some(home)) => home.join(below),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn surroundings() -> ProcessEnv {
        ProcessEnv {
            home: Some("/home/ada".into()),
            state_dir: Some("/home/ada/.local/state/multicodex".into()),
            current_dir: "/home/ada/code".into(),
        }
    }

    #[test]
    fn without_flags_and_variables_everything_is_below_home() {
        let paths = Paths::resolve(&PathOptions::default(), |_| None, &surroundings()).unwrap();
        let expected = Paths {
            agent_dir: "/home/ada/.pi/agent".into(),
            accounts_file: "/home/ada/.pi/agent/codex-accounts.json".into(),
            auth_file: "/home/ada/.pi/agent/auth.json".into(),
            settings_file: "/home/ada/.pi/agent/settings.json".into(),
            guard_dir: "/home/ada/.pi/agent/.multicodex".into(),
            state_dir: "/home/ada/.local/state/multicodex".into(),
            codex_auth_file: "/home/ada/.codex/auth.json".into(),
            log_file: None,
        };
        assert_eq!(paths, expected);
    }

    #[test]
    fn a_flag_beats_the_variable_and_the_variable_beats_the_default() {
        fn check(flag: Option<&str>, variable: Option<&str>, expected: &str) {
            let options = PathOptions { agent_dir: flag.map(PathBuf::from), ..PathOptions::default() };
            let lookup = |name: &str| variable.filter(|_| name == "PI_CODING_AGENT_DIR").map(OsString::from);
            let paths = Paths::resolve(&options, lookup, &surroundings()).unwrap();
            assert_eq!(paths.agent_dir, Path::new(expected), "{flag:?} {variable:?}");
        }
        check(Some("/flag"), Some("/variable"), "/flag");
        check(None, Some("/variable"), "/variable");
        check(None, Some(""), "/home/ada/.pi/agent");
        check(Some("~"), None, "/home/ada");
        check(Some("~/pi"), None, "/home/ada/pi");
        check(None, Some("~/pi"), "/home/ada/pi");
        check(Some("~bob/pi"), None, "/home/ada/code/~bob/pi");
        check(Some("pi"), None, "/home/ada/code/pi");
    }

    #[test]
    fn a_missing_home_matters_only_when_it_is_needed() {
        let nowhere = ProcessEnv { current_dir: "/".into(), ..ProcessEnv::default() };
        let error = Paths::resolve(&PathOptions::default(), |_| None, &nowhere).unwrap_err();
        assert_eq!(error.flag, "--agent-dir");
        let named = PathOptions {
            agent_dir: Some("/a".into()),
            state_dir: Some("/s".into()),
            codex_home: Some("/c".into()),
            log_file: Some("/l".into()),
        };
        let paths = Paths::resolve(&named, |_| None, &nowhere).unwrap();
        assert_eq!(paths.codex_auth_file, Path::new("/c/auth.json"));
        assert_eq!(paths.log_file.as_deref(), Some(Path::new("/l")));
    }
}
