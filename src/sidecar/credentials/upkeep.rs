//! Keeps refresh chains alive while accounts are not used: slowly, one at a time, also for cooling accounts, whose
//! chain would otherwise die during a long cooldown. Accounts in use are refreshed by their use.

use std::sync::Arc;
use std::time::Duration;

use super::TokenRefresher;
use crate::auth;
use crate::pool::EXPIRING;
use crate::pool::{Account, AccountId, At, HealthStatus, RefreshLedger, RefreshMode};
use crate::sidecar::blocking::on_a_thread;

impl TokenRefresher {
    /// One check every `upkeep_interval` (a minute) and up to half as long again, so that sidecars do not check at the
    /// same time.
    pub(crate) async fn run_upkeep(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(jittered(self.timing.upkeep_interval)) => {}
                () = self.registry.pending().is_due() => {
                    self.flush_pending(self.timing.lock_patience).await;
                    continue;
                }
            }
            self.flush_pending(self.timing.lock_patience).await;
            let refresher = self.clone();
            let read = on_a_thread(move || {
                refresher.check_unknown_outcomes();
                refresher.registry.read_ledger()
            });
            let ledger = match read.await {
                Ok(ledger) => ledger,
                Err(error) => {
                    tracing::warn!(%error, "no upkeep: the refresh journal cannot be read");
                    continue;
                }
            };
            let due = self.registry.decide(|pool, now| {
                let id = due(pool.accounts(), &ledger, now)?;
                pool.get(&id).map(|account| (id, account.credential.access.clone()))
            });
            let Some((id, seen)) = due else { continue };
            tracing::info!(account = %id, "renewed by upkeep");
            if let Err(failure) = self.refresh(&id, &seen, RefreshMode::Needed).await {
                tracing::info!(account = %id, kind = failure.kind.name(), "upkeep did not succeed");
            }
        }
    }
}

/// Returns the account whose token expires first, of those that expire soon and may be refreshed. pi refreshes the
/// linked one while it runs, so that one is last, and only after its token has expired.
fn due(accounts: &[Account], ledger: &RefreshLedger, now: At) -> Option<AccountId> {
    accounts
        .iter()
        .filter(|account| {
            let ahead = if account.linked { Duration::ZERO } else { EXPIRING };
            account.credential.expires_at <= now + ahead
        })
        .filter(|account| !account.disabled && account.health.standing == HealthStatus::Good)
        .filter(|account| {
            let hash = auth::token_hash(&account.credential.refresh);
            ledger.why_not(&account.id, &hash, RefreshMode::Needed, now).is_none()
        })
        .min_by_key(|account| (account.linked, account.credential.expires_at))
        .map(|account| account.id.clone())
}

fn jittered(interval: Duration) -> Duration {
    let mut random = [0_u8; 2];
    // Without randomness each check comes at its earliest time, which does no harm.
    let share = getrandom::fill(&mut random).map_or(0, |()| u16::from_le_bytes(random));
    interval + interval.mul_f64(f64::from(share) / f64::from(u16::MAX) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::{Credential, Identity, RefreshOutcome};
    use crate::secret::Secret;

    const NOW: At = At(1_800_000_000_000);

    fn account(name: &str, minutes_left: i64) -> Account {
        let credential = Credential {
            access: Secret::new(format!("access-{name}")),
            refresh: Secret::new(format!("refresh-{name}")),
            expires_at: At(NOW.0 + minutes_left * 60_000),
        };
        Account::new(AccountId::new(name), Identity::default(), name.to_owned(), credential)
    }

    fn check(accounts: &[Account], ledger: &RefreshLedger, expected: Option<&str>) {
        assert_eq!(due(accounts, ledger, NOW).as_ref().map(AccountId::as_str), expected);
    }

    #[test]
    fn the_one_that_expires_first_is_due_and_none_that_may_not_be_sent() {
        let mut ledger = RefreshLedger::default();
        check(&[account("a", 6), account("b", 60)], &ledger, None);
        check(&[account("a", 5), account("b", -1), account("c", 4)], &ledger, Some("b"));
        let mut out = [account("a", 1), account("b", 2), account("c", 3)];
        out[0].disabled = true;
        out[1].linked = true;
        check(&out, &ledger, Some("c"));
        let mut linked = [account("a", 0), account("b", 3)];
        linked[0].linked = true;
        check(&linked, &ledger, Some("b"));
        check(&linked[..1], &ledger, Some("a"));
        linked[0].credential.expires_at = At(NOW.0 + 1);
        check(&linked[..1], &ledger, None);
        let hash = auth::token_hash(&Secret::new("refresh-c"));
        ledger.settle(&AccountId::new("c"), &hash, &RefreshOutcome::Replaced, NOW);
        check(&out, &ledger, None);
    }

    #[test]
    fn the_interval_is_stretched_by_half_at_most() {
        for _ in 0..100 {
            let wait = jittered(Duration::from_secs(60)).as_secs_f64();
            assert!((60.0..=90.0).contains(&wait), "{wait}");
        }
    }
}
