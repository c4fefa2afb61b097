//! Asking upstream for the list of reset credits, seldom: usage counts them, and only their ids and dates are missing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock;
use crate::pool::{AccountId, At, Failure, FailureKind, ResetCreditList, STALE_AFTER};
use crate::protocol::ChangeReason;
use crate::sidecar::Sidecar;
use crate::sidecar::credentials::token::{Need, Token};
use crate::sidecar::usage::fetch::FetchTrigger;
use crate::upstream::Bearer;

/// How old a list may be while nobody asks: its credits come and go by the week.
const UNASKED_MAX_AGE: Duration = Duration::from_secs(6 * 60 * 60);
/// Upstream limits how often it lists; after a refusal the account is left alone for this long.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(10 * 60);

/// Until when each account's list is not asked for.
#[derive(Debug, Default)]
pub(crate) struct ListPauses(Mutex<HashMap<AccountId, At>>);

impl Sidecar {
    /// After usage was read. A list that cannot be had is simply not known.
    pub(crate) async fn list_reset_credits_when_due(self: &Arc<Self>, id: &AccountId, trigger: FetchTrigger) {
        let now = clock::now();
        let max_age = match trigger {
            FetchTrigger::Wanted => STALE_AFTER,
            FetchTrigger::Due { .. } => UNASKED_MAX_AGE,
        };
        let is_due = self.pool().get(id).is_some_and(|account| {
            account.health.usage.as_ref().is_some_and(|usage| usage.wants_reset_credits(max_age, now))
        });
        if is_due && !self.reset_credits.pauses.holds(id, now) {
            self.list_reset_credits(id).await.ok();
        }
    }

    /// Reads the list now, whatever is known.
    pub(crate) async fn list_reset_credits(
        self: &Arc<Self>,
        id: &AccountId,
    ) -> Result<ResetCreditList, Failure> {
        let asked = self
            .with_token(id, async |sidecar, token| sidecar.upstream.reset_credits(&token.bearer()).await)
            .await;
        match &asked {
            Ok(list) => {
                self.pool().apply_reset_credits(id, list.clone(), clock::now());
                self.changed(ChangeReason::Usage);
            }
            Err(failure) => {
                self.reset_credits.pauses.begin(id, clock::now());
                tracing::info!(
                    account = %id, kind = failure.kind.name(), status = failure.status,
                    "reset credits could not be listed"
                );
            }
        }
        asked
    }

    /// A 401 is one refresh and one more try, as for a completion.
    async fn with_token<T>(
        self: &Arc<Self>,
        id: &AccountId,
        ask: impl AsyncFn(&Arc<Self>, &Token) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let token = self.token(id, Need::USABLE).await?;
        match ask(self, &token).await {
            Err(failure) if failure.kind == FailureKind::Unauthorized => {
                let token = self.token(id, Need::NewerThan(token.access)).await?;
                ask(self, &token).await
            }
            answered => answered,
        }
    }
}

impl Token {
    pub(crate) fn bearer(&self) -> Bearer<'_> {
        Bearer { token: &self.access, workspace_id: self.workspace_id.as_deref() }
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
