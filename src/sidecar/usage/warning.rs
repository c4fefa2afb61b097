//! The warning that usage cannot be read, of one account or of all.

use super::UsageService;
use crate::pool::UsageTrouble;
use crate::protocol::{Warning, WarningKind};

/// The subject of the warning when no usage can be read at all.
const EVERYWHERE: &str = "usage of all accounts";

impl UsageService {
    pub(super) fn warn_of_trouble(&self) {
        let log = self.seen().clone();
        let (trouble, labels) = self.registry.decide(|pool, _| {
            let trouble = log.trouble(pool.accounts());
            let labels: Vec<String> = match &trouble {
                UsageTrouble::Everywhere(_) => Vec::new(),
                UsageTrouble::With(failing) => {
                    let label = |id| pool.get(id).map(|account| account.label.clone()).unwrap_or_default();
                    failing.iter().map(|(id, _)| label(id)).collect()
                }
            };
            (trouble, labels)
        });
        let mut subjects = Vec::new();
        match trouble {
            UsageTrouble::Everywhere(kind) => {
                let message = format!("usage cannot be read: {}", kind.name());
                subjects.push(EVERYWHERE.to_owned());
                self.notifier.warn_about(EVERYWHERE, unavailable(message, None));
            }
            UsageTrouble::With(failing) => {
                for ((id, kind), label) in failing.into_iter().zip(labels) {
                    let message = format!("the usage of {label} cannot be read: {}", kind.name());
                    subjects.push(id.to_string());
                    self.notifier.warn(unavailable(message, Some(id.to_string())));
                }
            }
        }
        self.notifier.clear_all_but(WarningKind::UsageUnavailable, &subjects);
    }
}

fn unavailable(message: String, account: Option<String>) -> Warning {
    Warning {
        kind: WarningKind::UsageUnavailable,
        message,
        account,
        hint: Some("the last known numbers are shown; completions go on".to_owned()),
    }
}
