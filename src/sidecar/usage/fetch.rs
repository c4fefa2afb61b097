//! Reads usage from upstream. A failing usage endpoint changes no account and fails no completion.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;

use super::UsageService;
use crate::auth;
use crate::pool::{AccountId, Failure, FailureKind, STALE_AFTER, Source, UsageReading};
use crate::sidecar::credentials::token::Need;

/// How many accounts are read at the same time.
const AT_ONCE: usize = 4;

/// The age at which a list of reset credits is read again without a request: credits change by the week.
const UNASKED_LIST_MAX_AGE: Duration = Duration::from_secs(6 * 60 * 60);

/// Why usage is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchTrigger {
    /// The client asked for it.
    Wanted,
    /// The schedule says so, and the poll is already recorded.
    Due { unauthorized_before: bool },
}

impl UsageService {
    /// Reads the usage of every account, a few at a time.
    pub(crate) async fn fetch_all(self: &Arc<Self>) {
        let ids: Vec<AccountId> = self
            .registry
            .decide(|pool, _| pool.accounts().iter().map(|account| account.id.clone()).collect());
        futures_util::stream::iter(ids)
            .for_each_concurrent(AT_ONCE, |id| async move {
                // A failure is already logged.
                self.fetch(&id, FetchTrigger::Wanted).await.ok();
            })
            .await;
    }

    /// Reads the usage of one account. Callers during the request share its answer.
    pub(crate) async fn fetch(
        self: &Arc<Self>,
        id: &AccountId,
        trigger: FetchTrigger,
    ) -> Result<(), Failure> {
        let ask = || {
            let (service, id) = (self.clone(), id.clone());
            async move { service.fetch_and_apply(&id, trigger).await }
        };
        self.fetches.join(id.clone(), ask).await.unwrap_or_else(|| {
            Err(Failure::new(FailureKind::Network, Source::UsageEndpoint, "reading usage broke off"))
        })
    }

    async fn fetch_and_apply(self: &Arc<Self>, id: &AccountId, trigger: FetchTrigger) -> Result<(), Failure> {
        if trigger == FetchTrigger::Wanted {
            self.record_poll(id).await;
        }
        let answer = self.request(id, trigger).await;
        self.record_answer(id, answer.as_ref().map(drop)).await;
        match &answer {
            Ok(reading) => {
                self.apply(id, reading.clone());
                let max_age = match trigger {
                    FetchTrigger::Wanted => STALE_AFTER,
                    FetchTrigger::Due { .. } => UNASKED_LIST_MAX_AGE,
                };
                self.reset_credits.list_when_due(id, max_age).await;
            }
            Err(failure) => tracing::info!(
                account = %id, kind = failure.kind.name(), status = failure.status, "usage could not be read"
            ),
        }
        answer.map(drop)
    }

    /// A 401 causes one refresh and one retry, as for a completion. When the retry failed the last time, the schedule
    /// refreshes no more tokens for it until a person asks.
    async fn request(
        self: &Arc<Self>,
        id: &AccountId,
        trigger: FetchTrigger,
    ) -> Result<UsageReading, Failure> {
        let need = match trigger {
            FetchTrigger::Wanted => Need::USABLE,
            // The token in memory, which is known to be valid.
            FetchTrigger::Due { .. } => Need::ValidFor(Duration::ZERO),
        };
        let token = self.refresher.token(id, need).await?;
        let with_reserve = !auth::is_fedramp(&token.access);
        match self.endpoint.usage(token.bearer(), with_reserve).await {
            Err(failure)
                if failure.kind == FailureKind::Unauthorized
                    && trigger != (FetchTrigger::Due { unauthorized_before: true }) =>
            {
                let token = self.refresher.token(id, Need::NewerThan(token.access)).await?;
                self.endpoint.usage(token.bearer(), with_reserve).await
            }
            result => result,
        }
    }
}
