//! `reset`: the user takes back a pin, or what was concluded about limits.

use std::sync::Arc;

use crate::clock;
use crate::pool;
use crate::protocol::{ChangeReason, ResetParams, ResetResult, ResetScope, RpcError};
use crate::sidecar::Sidecar;
use crate::sidecar::error::HOLDS_UNSAVED;

pub(crate) async fn reset(sidecar: Arc<Sidecar>, params: ResetParams) -> Result<ResetResult, RpcError> {
    let scope = match params.scope {
        ResetScope::Manual => pool::ResetScope::Manual,
        ResetScope::Quota => pool::ResetScope::Quota,
        ResetScope::All => pool::ResetScope::All,
    };
    let report = sidecar.pool().reset(scope, clock::now());
    tracing::info!(
        ?scope,
        unpinned = report.unpinned,
        cleared = report.cooldowns_cleared,
        "reset by the user"
    );
    if report.unpinned {
        sidecar.changed(ChangeReason::Rotation);
    } else if report.cooldowns_cleared > 0 {
        sidecar.changed(ChangeReason::Cooldown);
    }
    // What was taken back must not be there again after a restart.
    let save =
        |sidecar: &Sidecar| sidecar.save_state().map_err(|error| RpcError::from(error).hinted(HOLDS_UNSAVED));
    sidecar.edit(save).await?;
    Ok(ResetResult { unpinned: report.unpinned, cooldowns_cleared: report.cooldowns_cleared })
}
