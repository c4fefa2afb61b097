//! The list of reset credits. It is read rarely, because usage has their count, and only ids and dates are missing
//! there.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::ResetCredits;
use crate::auth::is_fedramp;
use crate::pool::{AccountId, At, Failure, FailureKind, ResetCreditList, UsageReading};
use crate::protocol::ChangeReason;
use crate::sidecar::credentials::token::Need;

/// Upstream limits how often it lists; after a refusal the list is not read for this long.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(10 * 60);

/// Until when each account's list is not read.
#[derive(Debug, Default)]
pub(super) struct ListPauses(Mutex<HashMap<AccountId, At>>);

impl ResetCredits {
    /// Reads the list after usage was read, when it is missing or older than `max_age`. A list that cannot be read stays
    /// unknown.
    pub(crate) async fn list_when_due(&self, id: &AccountId, max_age: Duration) {
        let (is_due, now) = self.registry.decide(|pool, now| {
            let usage = pool.get(id).and_then(|account| account.health.usage.as_ref());
            (usage.is_some_and(|usage| usage.wants_reset_credits(max_age, now)), now)
        });
        if is_due && !self.pauses.holds(id, now) {
            self.list(id).await.ok();
        }
    }

    /// Reads the list now, in any case.
    pub(crate) async fn list(&self, id: &AccountId) -> Result<ResetCreditList, Failure> {
        let answer = self.request(id).await;
        match &answer {
            Ok(list) => {
                self.registry.decide(|pool, now| pool.apply_reset_credits(id, list.clone(), now));
                self.registry.changed(ChangeReason::Usage);
            }
            Err(failure) => {
                self.pauses.begin(id, self.registry.now());
                tracing::info!(
                    account = %id, kind = failure.kind.name(), status = failure.status,
                    "reset credits could not be listed"
                );
            }
        }
        answer
    }

    /// A 401 causes one refresh and one retry, as for a completion.
    async fn request(&self, id: &AccountId) -> Result<ResetCreditList, Failure> {
        let token = self.refresher.token(id, Need::USABLE).await?;
        match self.endpoint.reset_credits(token.bearer()).await {
            Err(failure) if failure.kind == FailureKind::Unauthorized => {
                let token = self.refresher.token(id, Need::NewerThan(token.access)).await?;
                self.endpoint.reset_credits(token.bearer()).await
            }
            answered => answered,
        }
    }

    /// Reads the usage now, independent of the schedule, because what was read before may be out of date.
    pub(crate) async fn read_usage(&self, id: &AccountId) -> Result<UsageReading, Failure> {
        let token = self.refresher.token(id, Need::USABLE).await?;
        let with_reserve = !is_fedramp(&token.access);
        let answer = match self.endpoint.usage(token.bearer(), with_reserve).await {
            Err(failure) if failure.kind == FailureKind::Unauthorized => {
                let token = self.refresher.token(id, Need::NewerThan(token.access)).await?;
                self.endpoint.usage(token.bearer(), with_reserve).await
            }
            answered => answered,
        };
        if let Ok(reading) = &answer {
            self.registry.decide(|pool, now| pool.apply_usage(id, reading.clone(), now));
            self.registry.changed(ChangeReason::Usage);
        }
        answer
    }
}

impl ListPauses {
    fn holds(&self, id: &AccountId, now: At) -> bool {
        let pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.get(id).is_some_and(|until| *until > now)
    }

    fn begin(&self, id: &AccountId, now: At) {
        let mut pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.retain(|_, until| *until > now);
        pauses.insert(id.clone(), now + PAUSE_AFTER_FAILURE);
    }
}
