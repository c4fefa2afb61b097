//! `rotation` and `rotation/set`: the rotation settings, and the order of the accounts.

use std::sync::Arc;

use serde::Serialize;

use crate::pool::{
    Demand, ROTATION_SETTINGS, RotationSettings, SettingChange, SettingKind, SettingSpec, SettingValue,
};
use crate::protocol::{ChangeReason, ErrorKind, Rotation, RotationChange, RotationParams, RpcError};
use crate::sidecar::{Sidecar, view};
use crate::store::setting_value;
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
        if !change.is_empty() {
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
fn change(
    sidecar: &Sidecar,
    mut params: RotationChange,
) -> Result<Vec<SettingChange<RotationSettings>>, RpcError> {
    let priorities = params.priority.take();
    let mut change = setting_changes(ROTATION_SETTINGS, &params)?;
    let per_account = ROTATION_SETTINGS.iter().find_map(|spec| match spec.kind {
        SettingKind::PerAccount { min, max } => Some((spec, min, max)),
        _ => None,
    });
    if let (Some(priorities), Some((spec, min, max))) = (priorities, per_account) {
        let mut levels = Vec::with_capacity(priorities.len());
        for (index, entry) in priorities.into_iter().enumerate() {
            if !(min..=max).contains(&entry.priority) {
                let path = format!("priority[{index}].priority");
                let message = format!("{path} must be a whole number from {min} to {max}");
                return Err(RpcError::invalid_params(&path, message));
            }
            let account = sidecar.find(&entry.account).map_err(|mut error| {
                error.data.path = Some(format!("priority[{index}].account"));
                error
            })?;
            levels.push((account, entry.priority));
        }
        if !levels.is_empty() {
            change.push((spec, SettingValue::PerAccount(levels)));
        }
    }
    Ok(change)
}

/// Returns the settings that `params` names, or an error that names the wrong member.
pub(crate) fn setting_changes<S>(
    specs: &'static [SettingSpec<S>],
    params: &impl Serialize,
) -> Result<Vec<SettingChange<S>>, RpcError> {
    let members = serde_json::to_value(params)
        .map_err(|error| RpcError::new(ErrorKind::Internal, error.to_string()))?;
    let mut changes = Vec::new();
    for spec in specs {
        let Some(member) = members.get(spec.name).filter(|member| !member.is_null()) else { continue };
        let Some(value) = setting_value(spec.kind, member) else {
            let message = format!("{} must be {}", spec.name, spec.kind.expected());
            return Err(RpcError::invalid_params(spec.name, message));
        };
        changes.push((spec, value));
    }
    Ok(changes)
}
