//! The value of a setting as JSON, in the file and on the wire.

use std::time::Duration;

use serde_json::{Value, json};

use crate::pool::{AccountId, SettingKind, SettingValue};

/// Returns the value if a setting of this kind allows it.
pub fn setting_value(kind: SettingKind, json: &Value) -> Option<SettingValue> {
    let value = match kind {
        SettingKind::OneOf(_) => SettingValue::Name(json.as_str()?.to_owned()),
        SettingKind::Switch => SettingValue::Switch(json.as_bool()?),
        SettingKind::Whole { .. } => SettingValue::Whole(json.as_u64()?),
        SettingKind::Number { .. } => SettingValue::Number(json.as_f64()?),
        SettingKind::Millis { .. } => SettingValue::Time(Duration::from_millis(json.as_u64()?)),
        SettingKind::PerAccount { .. } => {
            let level = |entry: &Value| {
                let account = entry.get("account")?.as_str().filter(|id| !id.is_empty())?;
                let level = i32::try_from(entry.get("priority")?.as_i64()?).ok()?;
                Some((AccountId::new(account), level))
            };
            SettingValue::PerAccount(json.as_array()?.iter().map(level).collect::<Option<_>>()?)
        }
    };
    kind.allows(&value).then_some(value)
}

/// Returns the form that [`setting_value`] reads.
pub fn setting_json(value: &SettingValue) -> Value {
    match value {
        SettingValue::Name(name) => json!(name),
        SettingValue::Switch(on) => json!(on),
        SettingValue::Whole(whole) => json!(whole),
        SettingValue::Number(number) => json!(number),
        SettingValue::Time(time) => json!(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        SettingValue::PerAccount(levels) => levels
            .iter()
            .map(|(account, level)| json!({"account": account.as_str(), "priority": level}))
            .collect(),
    }
}
