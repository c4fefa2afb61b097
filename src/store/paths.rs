//! Where the files are: flag or variable beats default. Looks nothing up that was given.

use std::path::{Path, PathBuf};

use directories::{BaseDirs, ProjectDirs};

/// What the command line or the environment chose; the rest takes its default.
#[derive(Clone, Debug, Default)]
pub struct PathChoices {
    pub agent_dir: Option<PathBuf>,
    pub state_dir: Option<PathBuf>,
    pub codex_home: Option<PathBuf>,
    pub log_file: Option<PathBuf>,
}

/// Every file and folder that this sidecar knows, as absolute paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    pub agent_dir: PathBuf,
    pub accounts_file: PathBuf,
    /// pi's auth.json.
    pub auth_file: PathBuf,
    pub settings_file: PathBuf,
    pub state_dir: PathBuf,
    pub codex_auth_file: PathBuf,
    pub log_file: Option<PathBuf>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathsError {
    #[error(
        "this user has no home directory; name the directories with --agent-dir, --state-dir and --codex-home"
    )]
    NoHome,
    #[error("the current directory cannot be read, so the relative path {} means nothing", .0.display())]
    NoCurrentDir(PathBuf),
}

impl Paths {
    /// # Errors
    ///
    /// When a default is needed and the user has no home directory.
    pub fn resolve(choices: PathChoices) -> Result<Self, PathsError> {
        let home = BaseDirs::new().map(|dirs| dirs.home_dir().to_owned());
        let state = ProjectDirs::from("", "", "multicodex")
            .map(|dirs| dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_owned());
        Self::from_parts(choices, home.as_deref(), state)
    }

    /// The file with what was learned about accounts.
    pub fn state_file(&self) -> PathBuf {
        self.state_dir.join(super::state::FILE_NAME)
    }

    fn from_parts(
        choices: PathChoices,
        home: Option<&Path>,
        state: Option<PathBuf>,
    ) -> Result<Self, PathsError> {
        let below_home = |below: &str| home.map(|home| home.join(below)).ok_or(PathsError::NoHome);
        let chosen = |choice: Option<PathBuf>| choice.map(|path| absolute(&path, home)).transpose();
        let agent_dir = chosen(choices.agent_dir)?.map_or_else(|| below_home(".pi/agent"), Ok)?;
        let codex_home = chosen(choices.codex_home)?.map_or_else(|| below_home(".codex"), Ok)?;
        Ok(Paths {
            accounts_file: agent_dir.join("codex-accounts.json"),
            auth_file: agent_dir.join("auth.json"),
            settings_file: agent_dir.join("settings.json"),
            state_dir: chosen(choices.state_dir)?.or(state).ok_or(PathsError::NoHome)?,
            codex_auth_file: codex_home.join("auth.json"),
            log_file: chosen(choices.log_file)?,
            agent_dir,
        })
    }
}

/// `~` and `~/x` are the home directory, as pi reads them; `~user` is a name like any other.
fn absolute(path: &Path, home: Option<&Path>) -> Result<PathBuf, PathsError> {
    if let Ok(below) = path.strip_prefix("~") {
        return home.map(|home| home.join(below)).ok_or(PathsError::NoHome);
    }
    std::path::absolute(path).map_err(|_| PathsError::NoCurrentDir(path.to_owned()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_chosen_lies_below_home() {
        let paths =
            Paths::from_parts(PathChoices::default(), Some(Path::new("/h")), Some(PathBuf::from("/s")))
                .unwrap();
        assert_eq!(paths.accounts_file, Path::new("/h/.pi/agent/codex-accounts.json"));
        assert_eq!(paths.auth_file, Path::new("/h/.pi/agent/auth.json"));
        assert_eq!(paths.settings_file, Path::new("/h/.pi/agent/settings.json"));
        assert_eq!(paths.codex_auth_file, Path::new("/h/.codex/auth.json"));
        assert_eq!(paths.state_dir, Path::new("/s"));
    }

    #[test]
    fn a_choice_beats_the_default_and_a_tilde_is_home() {
        let choices = PathChoices {
            agent_dir: Some(PathBuf::from("~/agents")),
            state_dir: Some(PathBuf::from("/state")),
            codex_home: Some(PathBuf::from("~")),
            log_file: Some(PathBuf::from("~x/log")),
        };
        let paths = Paths::from_parts(choices, Some(Path::new("/h")), None).unwrap();
        assert_eq!(paths.accounts_file, Path::new("/h/agents/codex-accounts.json"));
        assert_eq!(paths.codex_auth_file, Path::new("/h/auth.json"));
        assert_eq!(paths.log_file.unwrap(), std::env::current_dir().unwrap().join("~x/log"));
    }

    #[test]
    fn without_a_home_every_directory_must_be_named() {
        assert_eq!(Paths::from_parts(PathChoices::default(), None, None), Err(PathsError::NoHome));
        let choices = PathChoices {
            agent_dir: Some(PathBuf::from("/a")),
            state_dir: Some(PathBuf::from("/s")),
            codex_home: Some(PathBuf::from("/c")),
            log_file: None,
        };
        assert!(Paths::from_parts(choices, None, None).is_ok());
    }
}
