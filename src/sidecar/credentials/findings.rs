//! What a refresh found out about an account, for the pool and for clients: needs login, deactivated, outcome unknown,
//! paused. Sends no request.

use super::TokenRefresher;
use crate::auth;
use crate::pool::{
    Account, AccountId, At, Failure, FailureKind, HealthEvidence, Source, TokenHash, WhyNotRefreshed,
};
use crate::protocol::{ChangeReason, Warning, WarningKind};
use crate::store::StorageError;

impl TokenRefresher {
    /// Returns the failure of a refresh that was not sent, and tells the pool and clients about the account.
    pub(super) fn not_sent(&self, account: &Account, why_not: &WhyNotRefreshed) -> Failure {
        tracing::info!(account = %account.id, ?why_not, "not refreshed");
        let kind = match why_not {
            WhyNotRefreshed::Consumed => FailureKind::LoginRequired,
            WhyNotRefreshed::Refused(refusal) => refusal.kind,
            WhyNotRefreshed::OutcomeUnknown { .. } => FailureKind::OutcomeUnknown,
            WhyNotRefreshed::Paused { .. } | WhyNotRefreshed::Resting { .. } => FailureKind::TokenUnavailable,
        };
        let mut failure = Failure::new(kind, Source::TokenEndpoint, why_not.to_string());
        match why_not {
            WhyNotRefreshed::Consumed => {
                self.notifier.warn(Warning {
                    kind: WarningKind::ConsumedCredential,
                    message: format!("{}: {why_not}", account.label),
                    account: Some(account.id.to_string()),
                    hint: Some(
                        "an older copy of the file may have been put back; log this account in again".into(),
                    ),
                });
                self.mark_unusable(account, &failure);
            }
            WhyNotRefreshed::Refused(refusal) => {
                failure.status = refusal.status;
                failure.code = refusal.code.clone();
                self.mark_unusable(account, &failure);
            }
            WhyNotRefreshed::OutcomeUnknown { .. } => {}
            WhyNotRefreshed::Paused { until } => {
                self.warn_paused(*until);
                failure.retry_after = Some(until.since(self.registry.now()));
            }
            WhyNotRefreshed::Resting { until, .. } => {
                failure.retry_after = Some(until.since(self.registry.now()))
            }
        }
        failure
    }

    /// Marks the account as one that needs a login or is deactivated.
    pub(super) fn mark_unusable(&self, account: &Account, failure: &Failure) {
        let is_deactivated = failure.kind == FailureKind::Deactivated;
        self.registry.decide(|pool, now| {
            let evidence = HealthEvidence::of(failure, now);
            if is_deactivated {
                pool.mark_deactivated(&account.id, evidence);
            } else {
                pool.mark_needs_login(&account.id, evidence);
            }
        });
        if !is_deactivated {
            self.notifier.warn(Warning {
                kind: WarningKind::LoginRequired,
                message: format!("{} needs login: {}", account.label, failure.message),
                account: Some(account.id.to_string()),
                hint: Some("log this account in again".to_owned()),
            });
        }
        self.registry.changed(ChangeReason::Health);
    }

    pub(super) fn warn_paused(&self, until: At) {
        self.notifier.warn(Warning {
            kind: WarningKind::RedeemPaused,
            message: format!(
                "upstream revoked several logins in a short time; no token is refreshed until {until}"
            ),
            account: None,
            hint: Some(
                "tokens that are still valid are used; look for another program that refreshes the same logins"
                    .to_owned(),
            ),
        });
    }

    /// Sets whether the outcome of the account's last refresh is unknown.
    pub(super) fn set_refresh_uncertain(&self, id: &AccountId, unknown_since: Option<At>) {
        let Some(since) = unknown_since else {
            self.registry.decide(|pool, _| pool.set_doubt(id, None));
            self.notifier.clear(WarningKind::OutcomeUnknown, Some(id));
            return;
        };
        let message = "a refresh token was sent and no answer arrived; it may be consumed".to_owned();
        let mark = HealthEvidence {
            kind: FailureKind::OutcomeUnknown,
            code: None,
            message: message.clone(),
            since,
            source: Source::TokenEndpoint,
        };
        self.registry.decide(|pool, _| pool.set_doubt(id, Some(mark)));
        self.notifier.warn(Warning {
            kind: WarningKind::OutcomeUnknown,
            message,
            account: Some(id.to_string()),
            hint: Some(
                "`refresh` with `force` tries it once more; if that fails, log this account in again".into(),
            ),
        });
        self.registry.changed(ChangeReason::Health);
    }

    /// Finds refreshes whose process died before the outcome was recorded. Does nothing while another process refreshes.
    /// Blocks.
    pub(crate) fn check_unknown_outcomes(&self) {
        let ledger = match self.journal.load_at_rest(self.registry.now()) {
            Ok(reading) => self.registry.accept_ledger(reading),
            // The holder of the lane records how its refresh ends.
            Err(StorageError::Locked { .. }) => return,
            Err(error) => {
                tracing::warn!(%error, "the refresh journal was not read");
                return;
            }
        };
        let held: Vec<(AccountId, TokenHash)> = self.registry.decide(|pool, _| {
            let hash =
                |account: &Account| (account.id.clone(), auth::token_hash(&account.credential.refresh));
            pool.accounts().iter().map(hash).collect()
        });
        for (id, hash) in held {
            if let Some(since) = ledger.unknown_since(&hash) {
                self.set_refresh_uncertain(&id, Some(since));
            }
        }
    }
}
