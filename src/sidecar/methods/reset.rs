//! `reset`: the user clears a pin, or cooldowns and back-off.

use std::sync::Arc;

use crate::pool;
use crate::protocol::{ChangeReason, ResetParams, ResetResult, ResetScope, RpcError};
use crate::sidecar::Sidecar;
use crate::sidecar::error::ACTIVE_BUT_UNSAVED;

pub(crate) async fn reset(sidecar: Arc<Sidecar>, params: ResetParams) -> Result<ResetResult, RpcError> {
    let scope = match params.scope {
        ResetScope::Manual => pool::ResetScope::Manual,
        ResetScope::Quota => pool::ResetScope::Quota,
        ResetScope::All => pool::ResetScope::All,
    };
    let report = sidecar.registry.decide(|pool, now| pool.reset(scope, now));
    tracing::info!(
        ?scope,
        unpinned = report.unpinned,
        cleared = report.cooldowns_cleared,
        "reset by the user"
    );
    if report.unpinned {
        sidecar.registry.changed(ChangeReason::Rotation);
    } else if report.cooldowns_cleared > 0 {
        sidecar.registry.changed(ChangeReason::Cooldown);
    }
    // What was cleared must not come back after a restart.
    let registry = sidecar.registry.clone();
    let saved = sidecar.registry.edit(move || registry.save_state()).await;
    saved.map_err(|error| RpcError::from(error).hinted(ACTIVE_BUT_UNSAVED))?;
    Ok(ResetResult { unpinned: report.unpinned, cooldowns_cleared: report.cooldowns_cleared })
}
