//! What people are told about the shared files: what in them cannot be used, and who else could read them.

use std::path::Path;

use crate::protocol::{Warning, WarningKind};
use crate::sidecar::Sidecar;
use crate::store::{self, EntryProblem, PermissionFinding, SettingProblem, StorageError};

impl Sidecar {
    pub(crate) fn warn_of_entries(&self, problems: &[EntryProblem]) {
        let mut subjects = Vec::with_capacity(problems.len());
        for problem in problems {
            let entry = match &problem.label {
                Some(label) => format!("codex-accounts.json, {label}"),
                None => format!("codex-accounts.json, entry {}", problem.index + 1),
            };
            let warning = Warning {
                kind: WarningKind::CorruptEntry,
                message: format!("{entry}: {}", problem.message),
                account: None,
                hint: (!problem.used)
                    .then(|| "the entry is kept as it is and left out of rotation".to_owned()),
            };
            // One entry may have several faults.
            subjects.push(warning.message.clone());
            self.notifier.warn_about(warning.message.clone(), warning);
        }
        self.notifier.settled_but(WarningKind::CorruptEntry, &subjects);
    }

    pub(crate) fn warn_of_settings(&self, problems: &[SettingProblem]) {
        let mut subjects = Vec::with_capacity(problems.len());
        for problem in problems {
            let message = format!("settings.json: {} must be {}", problem.path, problem.expected);
            subjects.push(message.clone());
            self.notifier.warn_about(
                message.clone(),
                Warning {
                    kind: WarningKind::SettingsInvalid,
                    message,
                    account: None,
                    hint: Some("the default is used instead".to_owned()),
                },
            );
        }
        self.notifier.settled_but(WarningKind::SettingsInvalid, &subjects);
    }

    pub(crate) fn narrow_accounts_file(&self, mode: u32) {
        let path = &self.options.paths.accounts_file;
        let warning = |done: &str, hint: &str| Warning {
            kind: WarningKind::Permissions,
            message: format!(
                "codex-accounts.json has mode {mode:04o}, so others can read or write it; {done}"
            ),
            account: None,
            hint: Some(hint.to_owned()),
        };
        match store::narrow(path) {
            Ok(_) => self.notifier.tell(warning(
                "it was narrowed",
                "tokens that others could read are best replaced by a new login",
            )),
            Err(error) => {
                tracing::warn!(%error, "the permissions could not be narrowed");
                self.notifier
                    .warn(warning("it could not be narrowed", "make it yours and give it mode 0600"));
            }
        }
    }

    /// Whoever may write there may replace every file in it, whatever its own mode. The folder is pi's, so it is told and
    /// not changed.
    pub(crate) fn warn_of_a_shared_folder(&self) {
        let dir = &self.options.paths.agent_dir;
        let subject = dir.to_string_lossy();
        match store::examine(dir) {
            Ok(PermissionFinding::Wide { mode }) if mode & 0o022 != 0 => self.notifier.warn_about(
                subject.clone(),
                Warning {
                    kind: WarningKind::Permissions,
                    message: format!(
                        "{subject} has mode {mode:04o}, so others can replace the accounts in it"
                    ),
                    account: None,
                    hint: Some("take that right from them: chmod go-w".to_owned()),
                },
            ),
            _ => self.notifier.settled_about(WarningKind::Permissions, subject),
        }
    }

    pub(crate) fn warn_unreadable(&self, error: &StorageError) {
        let subject = error.path().to_string_lossy().into_owned();
        let warning = Warning {
            kind: WarningKind::CorruptFile,
            message: error.to_string(),
            account: None,
            hint: Some("nothing is overwritten; repair or remove the file".to_owned()),
        };
        self.notifier.warn_about(subject, warning);
    }

    /// Why there are no accounts, when that is not because reason logged in: what stands in their file is not known.
    pub fn accounts_unreadable(&self) -> Option<String> {
        let path = self.accounts_file.path().to_string_lossy();
        let said = self.notifier.said_about(WarningKind::CorruptFile, path);
        said.filter(|_| self.pool().accounts().is_empty())
    }

    pub(crate) fn warn_set_aside(&self, aside: &Path) {
        self.notifier.tell(Warning {
            kind: WarningKind::CorruptFile,
            message: format!("the state file did not parse and was set aside as {}", aside.display()),
            account: None,
            hint: Some("nothing is lost but what was known about cooldowns and usage".to_owned()),
        });
    }
}
