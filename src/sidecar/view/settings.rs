//! Settings, for the wire.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::pool::SettingSpec;
use crate::store::setting_json;

/// Returns the protocol's type of these settings.
pub(super) fn settings_view<S, T: DeserializeOwned>(specs: &[SettingSpec<S>], settings: &S) -> T {
    let member = |spec: &SettingSpec<S>| (spec.name.to_owned(), setting_json(&(spec.get)(settings)));
    let members: Map<String, Value> = specs.iter().map(member).collect();
    #[expect(clippy::expect_used, reason = "a test converts every value of every setting")]
    serde_json::from_value(Value::Object(members)).expect("the table names what the protocol names")
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use std::fmt::Debug;

    use super::*;
    use crate::pool::{FOOTER_SETTINGS, ROTATION_SETTINGS, SettingKind, SettingValue};
    use crate::protocol;

    /// Shows every name and bound of every setting, and compares the members with what was set.
    fn all_values_are_shown<S, T>(specs: &[SettingSpec<S>])
    where
        S: Default,
        T: DeserializeOwned + serde::Serialize + Debug,
    {
        for spec in specs {
            let values: Vec<SettingValue> = match spec.kind {
                SettingKind::OneOf(names) => {
                    names.iter().map(|name| SettingValue::Name((*name).to_owned())).collect()
                }
                SettingKind::Switch => vec![SettingValue::Switch(true), SettingValue::Switch(false)],
                SettingKind::Whole { min, max } => vec![SettingValue::Whole(min), SettingValue::Whole(max)],
                SettingKind::Number { min, max } => {
                    vec![SettingValue::Number(min), SettingValue::Number(max)]
                }
                SettingKind::Millis { min } => {
                    vec![SettingValue::Time(std::time::Duration::from_millis(min))]
                }
                SettingKind::PerAccount { min, max } => {
                    let account = crate::pool::AccountId::new;
                    vec![SettingValue::PerAccount(vec![(account("a"), max), (account("b"), min)])]
                }
            };
            for value in values {
                let mut settings = S::default();
                (spec.set)(&mut settings, &value);
                let shown: T = settings_view(specs, &settings);
                let shown = serde_json::to_value(&shown).expect("it serializes");
                assert_eq!(shown[spec.name], setting_json(&value), "{}", spec.name);
                assert_eq!(shown.as_object().map(Map::len), Some(specs.len()), "each member has a row");
            }
        }
    }

    #[test]
    fn every_value_of_every_setting_reaches_the_wire() {
        all_values_are_shown::<_, protocol::Footer>(FOOTER_SETTINGS);
        all_values_are_shown::<_, protocol::RotationSettings>(ROTATION_SETTINGS);
    }
}
