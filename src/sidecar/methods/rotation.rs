//! `rotation` and `rotation/set`: the rotation settings, and the order of the accounts.

use std::sync::Arc;
use std::time::Duration;

use crate::pool::{self, Demand, PRIORITIES, RESERVES};
use crate::protocol::{ChangeReason, Rotation, RotationChange, RotationParams, RpcError};
use crate::sidecar::{Sidecar, view};
use crate::upstream::session_key;

pub(crate) fn show(sidecar: &Arc<Sidecar>, params: RotationParams) -> Result<Rotation, RpcError> {
    let session = params.session_id.as_deref().filter(|session| !session.is_empty()).map(session_key);
    let demand = Demand { session, model: params.model, account: None };
    let plan = view::plan(&sidecar.plan(&demand, None));
    let shown = sidecar.registry.decide(|pool, now| view::rotation(pool, &demand, now));
    Ok(Rotation { plan, ..shown })
}

pub(crate) async fn set(sidecar: Arc<Sidecar>, params: RotationChange) -> Result<Rotation, RpcError> {
    let setter = sidecar.clone();
    let set = move || {
        let change = change(&setter, params)?;
        if change != pool::RotationChange::default() {
            setter.registry.change_settings(|file, held| file.set_rotation(&change, held))?;
        }
        setter.registry.changed(ChangeReason::Rotation);
        let plan = view::plan(&setter.plan(&Demand::default(), None));
        let shown = setter.registry.decide(|pool, now| view::rotation(pool, &Demand::default(), now));
        Ok(Rotation { plan, ..shown })
    };
    sidecar.registry.edit_settings(set).await
}

/// Returns the change that the user asked for, or an error that names the wrong member.
fn change(sidecar: &Sidecar, params: RotationChange) -> Result<pool::RotationChange, RpcError> {
    let refuse = |path: &str, expected: &str| {
        Err(RpcError::invalid_params(path, format!("{path} must be {expected}")))
    };
    if params.max_attempts == Some(0) {
        return refuse("maxAttempts", "a whole number from 1");
    }
    if params.fallback_cooldown_ms == Some(0) {
        return refuse("fallbackCooldownMs", "milliseconds, above 0");
    }
    if params.reserve_percent.is_some_and(|percent| !RESERVES.contains(&percent)) {
        return refuse("reservePercent", "a number from 0 to 100");
    }
    let mut priority = Vec::new();
    for (index, entry) in params.priority.into_iter().flatten().enumerate() {
        if !PRIORITIES.contains(&entry.priority) {
            return refuse(&format!("priority[{index}].priority"), "a whole number from -100 to 100");
        }
        let account = sidecar.find(&entry.account).map_err(|mut error| {
            error.data.path = Some(format!("priority[{index}].account"));
            error
        })?;
        priority.push((account, entry.priority));
    }
    Ok(pool::RotationChange {
        strategy: params.strategy.map(view::strategy_of),
        affinity: params.affinity.map(view::affinity_of),
        transport: params.transport.map(view::transport_of),
        max_attempts: params.max_attempts,
        fallback_cooldown: params.fallback_cooldown_ms.map(Duration::from_millis),
        reserve_percent: params.reserve_percent,
        wait_for_reset: params.wait_for_reset_ms.map(Duration::from_millis),
        reserve: params.reserve.map(view::reserve_use_of),
        reset_credits: params.reset_credits.map(view::reset_credit_use_of),
        priority,
    })
}
