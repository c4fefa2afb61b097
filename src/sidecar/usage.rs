//! Asking upstream for usage: in the background after a limit that quoted no reset, and when a client asks. A failing
//! usage endpoint marks no account and fails no completion.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt;

use super::Sidecar;
use super::token::Need;
use crate::clock;
use crate::pool::{AccountId, Failure, FailureKind, UsageReading};
use crate::protocol::ChangeReason;
use crate::upstream::Bearer;

/// Accounts asked about at the same time.
const AT_ONCE: usize = 4;

/// Accounts whose usage is being asked for right now.
#[derive(Default)]
pub(super) struct UsageFetches(Mutex<HashSet<AccountId>>);

impl UsageFetches {
    fn under_way(&self) -> MutexGuard<'_, HashSet<AccountId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sidecar {
    /// Asks for one account's usage without anyone waiting for it.
    pub(super) fn fetch_usage_soon(self: &Arc<Self>, id: &AccountId) {
        let (sidecar, id) = (self.clone(), id.clone());
        tokio::spawn(async move { sidecar.fetch_usage(&id).await.ok() });
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

    /// Nothing is asked while somebody else is asking.
    pub(super) async fn fetch_usage(self: &Arc<Self>, id: &AccountId) -> Result<(), Failure> {
        if !self.usage_fetches.under_way().insert(id.clone()) {
            return Ok(());
        }
        let asked = self.ask_usage(id).await;
        self.usage_fetches.under_way().remove(id);
        match asked {
            Ok(reading) => {
                self.apply_usage(id, reading);
                Ok(())
            }
            Err(failure) => {
                tracing::info!(
                    account = %id, kind = failure.kind.name(), status = failure.status, "usage could not be read"
                );
                Err(failure)
            }
        }
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
