//! Changes our member of pi's `settings.json`, under pi's own lock. The rest of the file keeps its bytes, and settings
//! that the user never set stay unset, so that later defaults apply to them.

use serde::Serialize;
use serde_json::{Value, json};

use super::{MEMBER, Settings, SettingsFile, read, setting_json};
use crate::pool::{AccountId, FooterPrefs, RotationSettings, SettingChange, SettingValue};
use crate::store::file::atomic::replace_under_lock;
use crate::store::pi::members::{Members, WithMember};
use crate::store::{LockDirectory, StorageError};

const ROTATION: &str = "rotation";

impl SettingsFile {
    /// Writes the change, and returns all settings of the file.
    ///
    /// # Errors
    ///
    /// A file that does not parse is not touched.
    pub fn set_rotation(
        &self,
        change: &[SettingChange<RotationSettings>],
        held: &LockDirectory,
    ) -> Result<Settings, StorageError> {
        let file = self.members()?.unwrap_or_default();
        let ours = object(&file, MEMBER);
        let mut rotation = object(&ours, ROTATION);
        set_members(&mut rotation, change);
        let ours = WithMember { object: &ours, name: ROTATION, value: &rotation };
        self.write(&WithMember { object: &file, name: MEMBER, value: &ours }, held)
    }

    /// Changes the footer settings, like [`SettingsFile::set_rotation`].
    ///
    /// # Errors
    ///
    /// A file that does not parse is not touched.
    pub fn set_footer(
        &self,
        change: &[SettingChange<FooterPrefs>],
        held: &LockDirectory,
    ) -> Result<Settings, StorageError> {
        let file = self.members()?.unwrap_or_default();
        let mut ours = object(&file, MEMBER);
        set_members(&mut ours, change);
        self.write(&WithMember { object: &file, name: MEMBER, value: &ours }, held)
    }

    fn write(&self, file: &impl Serialize, held: &LockDirectory) -> Result<Settings, StorageError> {
        let corrupt = |error: serde_json::Error| StorageError::parsing(&self.path, &error, "an object");
        let content = serde_json::to_string_pretty(file).map_err(corrupt)?;
        let written = serde_json::from_str(&content).map_err(corrupt)?;
        replace_under_lock(&self.path, content.as_bytes(), held)?;
        Ok(read(&written))
    }
}

/// Returns the member as an object. One that is absent or has another type, which no program can use, becomes empty.
fn object(members: &Members, name: &str) -> Members {
    members.raw(name).and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

fn set_members<S>(members: &mut Members, change: &[SettingChange<S>]) {
    for (spec, value) in change {
        let json = match value {
            SettingValue::PerAccount(levels) => {
                let known = members.raw(spec.name).and_then(|raw| serde_json::from_str(raw.get()).ok());
                with_priorities(known.unwrap_or_default(), levels)
            }
            value => setting_json(value),
        };
        members.set(spec.name, json);
    }
}

/// Entries that we cannot use stay as they are. A default needs no entry.
fn with_priorities(known: Vec<Value>, changes: &[(AccountId, i32)]) -> Value {
    let mut entries = known;
    for (account, priority) in changes {
        let is_theirs = |entry: &Value| entry["account"].as_str() == Some(account.as_str());
        let place = entries.iter().position(is_theirs);
        match (place, *priority) {
            (Some(place), 0) => {
                entries.remove(place);
            }
            (Some(place), priority) => entries[place]["priority"] = json!(priority),
            (None, 0) => {}
            (None, priority) => entries.push(json!({"account": account.as_str(), "priority": priority})),
        }
    }
    Value::Array(entries)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::pool::{
        AffinityMode, FOOTER_SETTINGS, ROTATION_SETTINGS, ReserveUse, ResetCreditUse, SettingSpec, Strategy,
    };
    use crate::store::pi::settings::setting_value;

    fn held(path: &Path) -> LockDirectory {
        LockDirectory::acquire(path, Duration::ZERO).unwrap()
    }

    /// Returns the changes that `json` holds, in the order of the table.
    fn changes<S>(specs: &'static [SettingSpec<S>], json: &Value) -> Vec<SettingChange<S>> {
        let named = specs.iter().filter(|spec| json.get(spec.name).is_some());
        named.map(|spec| (spec, setting_value(spec.kind, &json[spec.name]).unwrap())).collect()
    }

    fn everything() -> Vec<SettingChange<RotationSettings>> {
        let json = json!({
            "strategy": "least-used",
            "affinity": "none",
            "transport": "auto",
            "maxAttempts": 3,
            "fallbackCooldownMs": 60_000,
            "reservePercent": 12.5,
            "waitForResetMs": 0,
            "reserve": "luna",
            "resetCredits": "when-dry",
            "priority": [{"account": "acc_1", "priority": -7}],
        });
        changes(ROTATION_SETTINGS, &json)
    }

    fn looks() -> Vec<SettingChange<FooterPrefs>> {
        let json = json!({
            "usageMode": "used",
            "resetWindow": "both",
            "showAccount": false,
            "showReset": true,
            "order": "usage-first",
        });
        changes(FOOTER_SETTINGS, &json)
    }

    const WHOLE: &str = r#"{
  "pi-multicodex": {
    "rotation": {
      "strategy": "least-used",
      "affinity": "none",
      "transport": "auto",
      "maxAttempts": 3,
      "fallbackCooldownMs": 60000,
      "reservePercent": 12.5,
      "waitForResetMs": 0,
      "reserve": "luna",
      "resetCredits": "when-dry",
      "priority": [{"account":"acc_1","priority":-7}]
    },
    "usageMode": "used",
    "resetWindow": "both",
    "showAccount": false,
    "showReset": true,
    "order": "usage-first"
  }
}"#;

    #[test]
    fn what_is_written_is_what_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = SettingsFile::new(dir.path().join("settings.json"));
        let written = file.set_rotation(&everything(), &held(file.path())).unwrap();
        assert_eq!(written, file.load().unwrap());
        assert_eq!(written.problems, []);
        let rotation = &written.rotation;
        assert_eq!((rotation.strategy, rotation.affinity), (Strategy::LeastUsed, AffinityMode::None));
        assert_eq!((rotation.max_attempts, rotation.reserve_percent), (3, 12.5));
        assert_eq!((rotation.fallback_cooldown, rotation.wait_for_reset), (Duration::from_secs(60), None));
        assert_eq!((rotation.reserve, rotation.reset_credits), (ReserveUse::Luna, ResetCreditUse::WhenDry));
        assert_eq!(rotation.priority.get(&AccountId::new("acc_1")), Some(&-7));
        let with_looks = file.set_footer(&looks(), &held(file.path())).unwrap();
        assert_eq!(with_looks, file.load().unwrap());
        assert_eq!(with_looks.rotation, *rotation, "one does not touch the other");
        assert_eq!(fs::read_to_string(file.path()).unwrap(), WHOLE);
    }

    #[test]
    fn only_what_was_asked_for_changes() {
        let check = |before: &str, change: &[SettingChange<RotationSettings>], after: &str| {
            let dir = tempfile::tempdir().unwrap();
            let file = SettingsFile::new(dir.path().join("settings.json"));
            fs::write(file.path(), before).unwrap();
            file.set_rotation(change, &held(file.path())).unwrap();
            assert_eq!(fs::read_to_string(file.path()).unwrap(), after, "{before}");
        };
        let strategy = changes(ROTATION_SETTINGS, &json!({"strategy": "round-robin"}));
        let full = |ours: &str| {
            format!(
                "{{\n  \"theme\": \"d\\u0061rk\",\n  \"pi-multicodex\": {ours},\n  \"n\": [1.50, {{\"ud\": \"\\ud800\"}}]\n}}"
            )
        };
        check(
            &full(
                "{\n    \"later\": 1e2,\n    \"rotation\": {\n      \"new\": [ ],\n      \"strategy\": \"fastest\"\n    }\n  }",
            ),
            &strategy,
            &full(
                "{\n    \"later\": 1e2,\n    \"rotation\": {\n      \"new\": [ ],\n      \"strategy\": \"round-robin\"\n    }\n  }",
            ),
        );
        let made = "{\n    \"rotation\": {\n      \"strategy\": \"round-robin\"\n    }\n  }";
        for unusable in ["null", "7", "[]", r#"{"rotation": "x"}"#, r#"{"rotation": null}"#] {
            check(&full(unusable), &strategy, &full(made));
        }
        check("{}", &[], "{\n  \"pi-multicodex\": {\n    \"rotation\": {}\n  }\n}");
    }

    #[test]
    fn priorities_are_changed_one_by_one() {
        let check = |before: &str, changes: &[(&str, i32)], after: &str| {
            let changes: Vec<_> = changes.iter().map(|(id, level)| (AccountId::new(id), *level)).collect();
            let known: Value = serde_json::from_str(before).unwrap();
            let known = known.as_array().cloned().unwrap();
            assert_eq!(with_priorities(known, &changes).to_string(), after);
        };
        check("[]", &[("a", 1), ("b", 0), ("a", 2)], r#"[{"account":"a","priority":2}]"#);
        check(
            r#"[{"account":"a","priority":1,"why":"mine"},7,{"account":"b","priority":"high"},{"account":"gone","priority":3}]"#,
            &[("a", 5), ("b", 6)],
            r#"[{"account":"a","priority":5,"why":"mine"},7,{"account":"b","priority":6},{"account":"gone","priority":3}]"#,
        );
        check(r#"[{"account":"a","priority":1},7]"#, &[("a", 0)], "[7]");
    }

    #[test]
    fn what_does_not_parse_or_is_locked_by_another_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let file = SettingsFile::new(dir.path().join("settings.json"));
        for content in ["", "{", "[]", r#"{"pi-multicodex":{"#] {
            fs::write(file.path(), content).unwrap();
            let refused = file.set_footer(&looks(), &held(file.path())).unwrap_err();
            assert!(matches!(refused, StorageError::Corrupt { .. }), "{content}: {refused}");
            assert_eq!(fs::read_to_string(file.path()).unwrap(), content);
        }
        fs::write(file.path(), "{}").unwrap();
        let lost = held(file.path());
        fs::remove_dir(fs::canonicalize(dir.path()).unwrap().join("settings.json.lock")).unwrap();
        let refused = file.set_footer(&looks(), &lost).unwrap_err();
        assert!(matches!(refused, StorageError::Locked { .. }), "{refused}");
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "{}");
    }
}
