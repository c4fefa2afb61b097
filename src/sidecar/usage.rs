//! Asking upstream for usage: in the background after a limit that quoted no reset, and when a client asks. A failing
//! usage endpoint marks no account and fails no completion.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, Shared};
use futures_util::{FutureExt, StreamExt};

use super::Sidecar;
use super::token::Need;
use crate::clock;
use crate::pool::{AccountId, Failure, FailureKind, Source, UsageReading};
use crate::protocol::ChangeReason;
use crate::upstream::Bearer;

/// Accounts asked about at the same time.
const AT_ONCE: usize = 4;

type Fetch = Shared<BoxFuture<'static, Result<(), Failure>>>;

/// Accounts whose usage is being asked for right now. Whoever asks meanwhile waits for the same answer.
#[derive(Default)]
pub(super) struct UsageFetches(Mutex<HashMap<AccountId, Fetch>>);

impl UsageFetches {
    fn under_way(&self) -> MutexGuard<'_, HashMap<AccountId, Fetch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sidecar {
    /// Asks for one account's usage without anyone waiting for it.
    pub(super) fn fetch_usage_soon(self: &Arc<Self>, id: &AccountId) {
        drop(self.fetch_usage(id));
    }

    /// Asks for every usable account's usage, a few at a time.
    pub(super) async fn fetch_all_usage(self: &Arc<Self>) {
        let ids: Vec<AccountId> = self.pool().accounts().iter().map(|account| account.id.clone()).collect();
        futures_util::stream::iter(ids)
            .for_each_concurrent(AT_ONCE, |id| async move {
                // Already logged; usage that cannot be read is simply not news.
                self.fetch_usage(&id).await.ok();
            })
            .await;
    }

    pub(super) fn apply_usage(&self, id: &AccountId, reading: UsageReading) {
        self.pool().apply_usage(id, reading, clock::now());
        self.changed(ChangeReason::Usage);
    }

    /// Whoever asks while this is asked gets the same answer. A task of its own asks, so that a caller that goes away
    /// does not stop it for the others.
    pub(super) fn fetch_usage(self: &Arc<Self>, id: &AccountId) -> Fetch {
        let begin = || {
            let (sidecar, id) = (self.clone(), id.clone());
            let task = tokio::spawn(async move {
                let asked = AssertUnwindSafe(sidecar.take_usage(&id)).catch_unwind().await;
                sidecar.usage_fetches.under_way().remove(&id);
                asked
            });
            // The panic hook has reported it.
            let panicked =
                || Failure::new(FailureKind::Network, Source::UsageEndpoint, "asking for usage broke off");
            let asked =
                task.map(move |ended| ended.ok().and_then(Result::ok).unwrap_or_else(|| Err(panicked())));
            asked.boxed().shared()
        };
        self.usage_fetches.under_way().entry(id.clone()).or_insert_with(begin).clone()
    }

    async fn take_usage(self: &Arc<Self>, id: &AccountId) -> Result<(), Failure> {
        let asked = self.ask_usage(id).await;
        match &asked {
            Ok(reading) => self.apply_usage(id, reading.clone()),
            Err(failure) => tracing::info!(
                account = %id, kind = failure.kind.name(), status = failure.status, "usage could not be read"
            ),
        }
        asked.map(drop)
    }

    /// A 401 here is one redeem and one more try, as for a completion.
    async fn ask_usage(self: &Arc<Self>, id: &AccountId) -> Result<UsageReading, Failure> {
        let token = self.token(id, Need::USABLE).await?;
        let bearer = Bearer { token: &token.access, workspace_id: token.workspace_id.as_deref() };
        match self.upstream.usage(&bearer).await {
            Err(failure) if failure.kind == FailureKind::Unauthorized => {
                let token = self.token(id, Need::NewerThan(token.access)).await?;
                let bearer = Bearer { token: &token.access, workspace_id: token.workspace_id.as_deref() };
                self.upstream.usage(&bearer).await
            }
            result => result,
        }
    }
}
