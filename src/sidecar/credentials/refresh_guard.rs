//! Prevents refreshes while a login of the same account is stored.

use std::time::Duration;

use super::TokenRefresher;
use crate::pool::AccountId;
use crate::sidecar::blocking::on_a_thread;
use crate::store::RefreshLane;

/// A refresh takes at most 30 s; the person waits meanwhile.
const LANE_PATIENCE: Duration = Duration::from_secs(30);

/// While this is held, no sidecar refreshes a token of the account.
pub(crate) struct RefreshGuard<'a> {
    _turn: tokio::sync::MutexGuard<'a, ()>,
    _lane: Option<RefreshLane>,
}

impl TokenRefresher {
    /// Waits until a refresh in progress is stored, so that it does not replace the login afterwards. A login that has
    /// its tokens is stored in any case, also without the lane.
    pub(crate) async fn hold_refreshes(&self, slot: AccountId) -> RefreshGuard<'_> {
        let turn = self.turn.lock().await;
        let file = self.journal.clone();
        let lane = match on_a_thread(move || file.enter(&slot, LANE_PATIENCE)).await {
            Ok(lane) => Some(lane),
            Err(error) => {
                tracing::warn!(%error, "a login is stored without the refresh lane");
                None
            }
        };
        RefreshGuard { _turn: turn, _lane: lane }
    }
}
