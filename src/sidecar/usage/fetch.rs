//! Asking upstream for usage. A failing usage endpoint marks no account and fails no completion.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;

use crate::auth;
use crate::clock;
use crate::pool::{AccountId, Failure, FailureKind, Source, UsageReading};
use crate::protocol::ChangeReason;
use crate::sidecar::Sidecar;
use crate::sidecar::credentials::single_flight::SingleFlight;
use crate::sidecar::credentials::token::Need;
use crate::upstream::Bearer;

/// Accounts asked about at the same time.
const AT_ONCE: usize = 4;

/// Why usage is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchTrigger {
    /// By the client.
    Wanted,
    /// The schedule says so, and the request is on the record.
    Due { unauthorized_before: bool },
}

/// Accounts whose usage is being asked for right now.
pub(crate) type UsageFetches = SingleFlight<AccountId, Result<(), Failure>>;

impl Sidecar {
    /// Asks for every usable account's usage, a few at a time.
    pub(crate) async fn fetch_all_usage(self: &Arc<Self>) {
        let ids: Vec<AccountId> = self.pool().accounts().iter().map(|account| account.id.clone()).collect();
        futures_util::stream::iter(ids)
            .for_each_concurrent(AT_ONCE, |id| async move {
                // Already logged; usage that cannot be read is simply not news.
                self.fetch_usage(&id, FetchTrigger::Wanted).await.ok();
            })
            .await;
    }

    pub(crate) fn apply_usage(&self, id: &AccountId, reading: UsageReading) {
        self.pool().apply_usage(id, reading, clock::now());
        self.changed(ChangeReason::Usage);
    }

    /// Whoever asks while this is asked gets the same answer.
    pub(crate) async fn fetch_usage(
        self: &Arc<Self>,
        id: &AccountId,
        errand: FetchTrigger,
    ) -> Result<(), Failure> {
        let ask = || {
            let (sidecar, id) = (self.clone(), id.clone());
            async move { sidecar.take_usage(&id, errand).await }
        };
        self.usage_fetches.join(id.clone(), ask).await.unwrap_or_else(|| {
            Err(Failure::new(FailureKind::Network, Source::UsageEndpoint, "asking for usage broke off"))
        })
    }

    async fn take_usage(self: &Arc<Self>, id: &AccountId, errand: FetchTrigger) -> Result<(), Failure> {
        if errand == FetchTrigger::Wanted {
            self.note_usage_asked(id).await;
        }
        let asked = self.ask_usage(id, errand).await;
        self.note_usage_answered(id, asked.as_ref().map(drop)).await;
        match &asked {
            Ok(reading) => {
                self.apply_usage(id, reading.clone());
                self.list_reset_credits_when_due(id, errand).await;
            }
            Err(failure) => tracing::info!(
                account = %id, kind = failure.kind.name(), status = failure.status, "usage could not be read"
            ),
        }
        asked.map(drop)
    }

    /// A 401 here is one refresh and one more try, as for a completion; but when that was in vain the last time, no more
    /// tokens are refreshed for it until a person asks.
    async fn ask_usage(
        self: &Arc<Self>,
        id: &AccountId,
        errand: FetchTrigger,
    ) -> Result<UsageReading, Failure> {
        let need = match errand {
            FetchTrigger::Wanted => Need::USABLE,
            // The one at hand, which is known to live.
            FetchTrigger::Due { .. } => Need::ValidFor(Duration::ZERO),
        };
        let token = self.token(id, need).await?;
        let bearer = Bearer { token: &token.access, workspace_id: token.workspace_id.as_deref() };
        let with_reserve = !auth::is_fedramp(&token.access);
        match self.upstream.usage(&bearer, with_reserve).await {
            Err(failure)
                if failure.kind == FailureKind::Unauthorized
                    && errand != (FetchTrigger::Due { unauthorized_before: true }) =>
            {
                let token = self.token(id, Need::NewerThan(token.access)).await?;
                let bearer = Bearer { token: &token.access, workspace_id: token.workspace_id.as_deref() };
                self.upstream.usage(&bearer, with_reserve).await
            }
            result => result,
        }
    }
}
