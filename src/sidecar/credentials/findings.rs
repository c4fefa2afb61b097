//! What refreshing found out about an account, for the pool and for clients: needs login, deactivated, in doubt, paused.
//! Sends nothing itself.

use crate::auth;
use crate::clock;
use crate::pool::{
    Account, AccountId, At, Failure, FailureKind, HealthEvidence, RefreshLedger, Source, TokenHash,
    WhyNotRefreshed,
};
use crate::protocol::{ChangeReason, Warning, WarningKind};
use crate::sidecar::Sidecar;
use crate::store::{LedgerReading, StorageError};

impl Sidecar {
    /// Nothing was sent, for this reason.
    pub(crate) fn not_sent(&self, account: &Account, why_not: &WhyNotRefreshed) -> Failure {
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
                failure.retry_after = Some(until.since(clock::now()));
            }
            WhyNotRefreshed::Resting { until, .. } => failure.retry_after = Some(until.since(clock::now())),
        }
        failure
    }

    /// Only a login helps, or not even that.
    pub(crate) fn mark_unusable(&self, account: &Account, failure: &Failure) {
        let mark = HealthEvidence::of(failure, clock::now());
        if failure.kind == FailureKind::Deactivated {
            self.pool().mark_deactivated(&account.id, mark);
        } else {
            self.pool().mark_needs_login(&account.id, mark);
            self.notifier.warn(Warning {
                kind: WarningKind::LoginRequired,
                message: format!("{} needs login: {}", account.label, failure.message),
                account: Some(account.id.to_string()),
                hint: Some("log this account in again".to_owned()),
            });
        }
        self.changed(ChangeReason::Health);
    }

    pub(crate) fn warn_paused(&self, until: At) {
        self.notifier.warn(Warning {
            kind: WarningKind::RedeemPaused,
            message: format!(
                "upstream revoked several logins in a short time; no token is refreshed until {until}"
            ),
            account: None,
            hint: Some(
                "tokens that still live are used; look for another program that renews the same logins"
                    .to_owned(),
            ),
        });
    }

    /// Says in the account's state whether it is known what became of its refresh token.
    pub(crate) fn set_doubt(&self, id: &AccountId, unknown_since: Option<At>) {
        let Some(since) = unknown_since else {
            self.pool().set_doubt(id, None);
            self.notifier.settled(WarningKind::OutcomeUnknown, Some(id));
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
        self.pool().set_doubt(id, Some(mark));
        self.notifier.warn(Warning {
            kind: WarningKind::OutcomeUnknown,
            message,
            account: Some(id.to_string()),
            hint: Some(
                "`refresh` with `force` tries it once more; if that fails, log this account in again".into(),
            ),
        });
        self.changed(ChangeReason::Health);
    }

    /// What processes that died left open, while reason refreshes. Blocks.
    pub(crate) fn check_unknown_outcomes(&self) {
        let ledger = match self.refreshes.file.load_at_rest(clock::now()) {
            Ok(reading) => self.take_ledger(reading),
            // Whoever holds the lane writes down how it ends.
            Err(StorageError::Locked { .. }) => return,
            Err(error) => {
                tracing::warn!(%error, "the refresh journal was not read");
                return;
            }
        };
        let held: Vec<(AccountId, TokenHash)> = {
            let pool = self.pool();
            let hash =
                |account: &Account| (account.id.clone(), auth::token_hash(&account.credential.refresh));
            pool.accounts().iter().map(hash).collect()
        };
        for (id, hash) in held {
            if let Some(since) = ledger.unknown_since(&hash) {
                self.set_doubt(&id, Some(since));
            }
        }
    }

    /// What is known of tokens that were refreshed. Blocks.
    pub(crate) fn read_ledger(&self) -> Result<RefreshLedger, StorageError> {
        self.refreshes.file.load(clock::now()).map(|reading| self.take_ledger(reading))
    }

    pub(crate) fn take_ledger(&self, reading: LedgerReading) -> RefreshLedger {
        if let Some(aside) = reading.set_aside {
            self.notifier.warn(Warning {
                kind: WarningKind::CorruptFile,
                message: format!(
                    "the refresh journal did not parse and was set aside as {}",
                    aside.display()
                ),
                account: None,
                hint: Some("which refresh tokens were refreshed before is not known any more".to_owned()),
            });
        }
        reading.ledger
    }
}
