//! Permissions of the accounts file and its directory: the file is narrowed to its owner; the directory is pi's and is
//! only reported.

use crate::protocol::{Warning, WarningKind};
use crate::sidecar::accounts::AccountRegistry;
use crate::store::{self, PermissionFinding};

impl AccountRegistry {
    pub(super) fn narrow_accounts_file(&self, mode: u32) {
        let warning = |done: &str, hint: &str| Warning {
            kind: WarningKind::Permissions,
            message: format!(
                "codex-accounts.json has mode {mode:04o}, so others can read or write it; {done}"
            ),
            account: None,
            hint: Some(hint.to_owned()),
        };
        match store::narrow(self.accounts_file.path()) {
            Ok(_) => self
                .notifier
                .report(warning("it was narrowed", "log in again to replace tokens that others could read")),
            Err(error) => {
                tracing::warn!(%error, "the permissions could not be narrowed");
                self.notifier
                    .warn(warning("it could not be narrowed", "make it yours and give it mode 0600"));
            }
        }
    }

    /// A user who may write to the directory may replace every file in it, whatever the file's mode.
    pub(super) fn warn_of_shared_directory(&self) {
        let subject = self.agent_dir.to_string_lossy();
        match store::examine(&self.agent_dir) {
            Ok(PermissionFinding::Wide { mode }) if mode & 0o022 != 0 => self.notifier.warn_about(
                subject.clone(),
                Warning {
                    kind: WarningKind::Permissions,
                    message: format!(
                        "{subject} has mode {mode:04o}, so others can replace the accounts in it"
                    ),
                    account: None,
                    hint: Some("remove that right: chmod go-w".to_owned()),
                },
            ),
            _ => self.notifier.clear_about(WarningKind::Permissions, subject),
        }
    }
}
