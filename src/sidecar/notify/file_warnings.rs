//! Warnings about the contents of the shared files: what in them cannot be read or used.

use std::path::Path;

use crate::protocol::{Warning, WarningKind};
use crate::sidecar::notify::notifier::Notifier;
use crate::store::{EntryProblem, SettingProblem, StorageError};

impl Notifier {
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
            self.warn_about(warning.message.clone(), warning);
        }
        self.clear_all_but(WarningKind::CorruptEntry, &subjects);
    }

    pub(crate) fn warn_of_settings(&self, problems: &[SettingProblem]) {
        let mut subjects = Vec::with_capacity(problems.len());
        for problem in problems {
            let message = format!("settings.json: {} must be {}", problem.path, problem.expected);
            subjects.push(message.clone());
            self.warn_about(
                message.clone(),
                Warning {
                    kind: WarningKind::SettingsInvalid,
                    message,
                    account: None,
                    hint: Some("the default is used instead".to_owned()),
                },
            );
        }
        self.clear_all_but(WarningKind::SettingsInvalid, &subjects);
    }

    pub(crate) fn warn_unreadable(&self, error: &StorageError) {
        let subject = error.path().to_string_lossy().into_owned();
        let warning = Warning {
            kind: WarningKind::CorruptFile,
            message: error.to_string(),
            account: None,
            hint: Some("nothing is overwritten; repair or remove the file".to_owned()),
        };
        self.warn_about(subject, warning);
    }

    pub(crate) fn warn_set_aside(&self, aside: &Path) {
        self.report(Warning {
            kind: WarningKind::CorruptFile,
            message: format!("the state file did not parse and was set aside as {}", aside.display()),
            account: None,
            hint: Some("only what was known about cooldowns and usage is lost".to_owned()),
        });
    }
}
