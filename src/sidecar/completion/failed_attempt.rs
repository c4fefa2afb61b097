//! A failed attempt, and how clients see it.

use super::run::Completion;
use crate::pool::{AccountId, Certainty, Failure, FailureKind, HealthStatus};
use crate::protocol::{ChangeReason, Warning, WarningKind};
use crate::upstream::Event;

/// How much of an upstream answer a client is shown.
const MAX_BODY: usize = 64 << 10;

/// A failed attempt with upstream's own text.
pub(crate) struct FailedAttempt {
    pub(crate) account: AccountId,
    pub(crate) failure: Failure,
    pub(crate) body: Option<AnswerBody>,
}

/// Upstream's own text, as far as a client is shown it.
pub(crate) struct AnswerBody {
    pub(crate) text: String,
    pub(crate) truncated: bool,
}

impl FailedAttempt {
    /// What a person can do about it, unless upstream says it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self.failure.kind {
            FailureKind::Challenge => Some(
                "something between this machine and upstream answered: check the proxy, log in to the network, or open \
                 upstream's address in a browser",
            ),
            FailureKind::Network if self.failure.status == Some(401) => {
                Some("a proxy may strip the Authorization header: check the proxy settings of this machine")
            }
            _ => None,
        }
    }
}

impl AnswerBody {
    pub(crate) fn of_event(event: &Event) -> Self {
        Self::of_text(String::from_utf8_lossy(event.json()).into_owned())
    }

    pub(crate) fn of_text(mut text: String) -> Self {
        let truncated = text.len() > MAX_BODY;
        text.truncate(text.floor_char_boundary(MAX_BODY));
        AnswerBody { text, truncated }
    }
}

impl Completion {
    /// Notifies clients of the effect on the account, and saves it.
    pub(crate) fn report(&self, failed_attempt: &FailedAttempt, pin_cleared: bool) {
        let found = self.sidecar.registry.decide(|pool, _| {
            let account = pool.get(&failed_attempt.account)?;
            let cooldown = account.health.cooldown.as_ref();
            let guessed = cooldown.is_some_and(|cooldown| cooldown.certainty == Certainty::Guess);
            Some((account.label.clone(), account.health.standing.clone(), guessed))
        });
        let Some((label, standing, guessed)) = found else { return };
        if guessed && matches!(failed_attempt.failure.kind, FailureKind::UsageLimit | FailureKind::Credits) {
            self.sidecar.usage.date_cooldown_soon(&failed_attempt.account);
        }
        if let HealthStatus::NeedsLogin(why) = &standing {
            self.sidecar.notifier.warn(Warning {
                kind: WarningKind::LoginRequired,
                message: format!("{label} needs login: {}", why.message),
                account: Some(failed_attempt.account.to_string()),
                hint: Some("log this account in again".to_owned()),
            });
        }
        if pin_cleared {
            self.warn_pin_cleared(&failed_attempt.account, &label, &failed_attempt.failure.message);
        }
        self.sidecar.registry.changed(match standing {
            HealthStatus::Good => ChangeReason::Cooldown,
            HealthStatus::NeedsLogin(_) | HealthStatus::Deactivated(_) => ChangeReason::Health,
        });
    }

    /// The failover cleared a pin to an account that could not be used at all.
    pub(crate) fn report_drained_pin(&mut self) {
        let Some(id) = self.failover.pin_cleared() else { return };
        let label = self.sidecar.registry.label_of(&id);
        self.warn_pin_cleared(&id, &label, "it cannot be used now");
        self.sidecar.registry.changed(ChangeReason::Rotation);
    }

    fn warn_pin_cleared(&self, id: &AccountId, label: &str, why: &str) {
        self.sidecar.notifier.report(Warning {
            kind: WarningKind::PinCleared,
            message: format!("{label} is no longer pinned: {why}"),
            account: Some(id.to_string()),
            hint: Some(
                "rotation goes on with the other accounts; pin one again with accounts/use".to_owned(),
            ),
        });
    }
}
