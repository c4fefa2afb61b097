//! The member `pi-multicodex` of pi's `settings.json`: how accounts are chosen. Read only. A value that makes no sense
//! falls back to its default, one by one, and is reported.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use super::StorageError;
use crate::pool::{AccountId, AffinityMode, RotationSettings, Strategy};

#[derive(Debug, Default, PartialEq)]
pub struct Settings {
    pub rotation: RotationSettings,
    /// What was not used, e.g. `rotation.maxAttempts must be a whole number from 1 to 100`.
    pub problems: Vec<String>,
}

impl Settings {
    /// A missing file, or one without our member, means the defaults.
    pub fn load(path: &Path) -> Result<Self, StorageError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Settings::default()),
            Err(error) => return Err(StorageError::io(path)(error)),
        };
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let root: Value =
            serde_json::from_slice(text).map_err(|error| StorageError::corrupt(path, &error))?;
        Ok(Self::read(&root))
    }

    fn read(root: &Value) -> Self {
        let Some(rotation) = root["pi-multicodex"]["rotation"].as_object() else {
            return Settings::default();
        };
        let default = RotationSettings::default();
        let mut members = Members { members: rotation, problems: Vec::new() };
        let rotation = RotationSettings {
            strategy: members.choose(
                "strategy",
                default.strategy,
                &[
                    ("reset-first", Strategy::ResetFirst),
                    ("least-used", Strategy::LeastUsed),
                    ("round-robin", Strategy::RoundRobin),
                    ("priority", Strategy::Priority),
                ],
            ),
            affinity: members.choose(
                "affinity",
                default.affinity,
                &[("session", AffinityMode::Session), ("none", AffinityMode::None)],
            ),
            max_attempts: members
                .number("maxAttempts", 1, 100)
                .and_then(|number| u32::try_from(number).ok())
                .unwrap_or(default.max_attempts),
            fallback_cooldown: members
                .number("fallbackCooldownMs", 1000, MAX_MS)
                .map_or(default.fallback_cooldown, Duration::from_millis),
            reserve_percent: members.percent("reservePercent").unwrap_or(default.reserve_percent),
            wait_for_reset: members
                .number("waitForResetMs", 0, MAX_MS)
                .filter(|ms| *ms > 0)
                .map(Duration::from_millis),
            priority: members.priority(),
        };
        Settings { rotation, problems: members.problems }
    }
}

/// Longer than any window: 31 days.
const MAX_MS: u64 = 31 * 24 * 60 * 60 * 1000;

struct Members<'a> {
    members: &'a Map<String, Value>,
    problems: Vec<String>,
}

impl Members<'_> {
    fn choose<T: Copy>(&mut self, name: &str, default: T, words: &[(&str, T)]) -> T {
        let Some(value) = self.present(name) else { return default };
        let found = words.iter().find(|(word, _)| value == *word).map(|(_, choice)| *choice);
        found.unwrap_or_else(|| {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.problems.push(format!("rotation.{name} must be one of {}", words.join(", ")));
            default
        })
    }

    fn number(&mut self, name: &str, least: u64, most: u64) -> Option<u64> {
        let found = self.present(name)?.as_u64().filter(|number| (least..=most).contains(number));
        if found.is_none() {
            self.problems.push(format!("rotation.{name} must be a whole number from {least} to {most}"));
        }
        found
    }

    fn percent(&mut self, name: &str) -> Option<f64> {
        let found = self.present(name)?.as_f64().filter(|percent| (0.0..=100.0).contains(percent));
        if found.is_none() {
            self.problems.push(format!("rotation.{name} must be a number from 0 to 100"));
        }
        found
    }

    fn priority(&mut self) -> HashMap<AccountId, i32> {
        let Some(value) = self.present("priority") else { return HashMap::new() };
        let Some(entries) = value.as_object().cloned() else {
            self.problems.push("rotation.priority must be an object of account ids".to_owned());
            return HashMap::new();
        };
        let mut priority = HashMap::new();
        for (id, value) in entries {
            match value
                .as_i64()
                .filter(|value| (-100..=100).contains(value))
                .and_then(|value| i32::try_from(value).ok())
            {
                Some(value) => {
                    priority.insert(AccountId::new(id), value);
                }
                None => self
                    .problems
                    .push(format!("rotation.priority.{id} must be a whole number from -100 to 100")),
            }
        }
        priority
    }

    fn present(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_makes_sense_is_used_and_the_rest_is_reported_one_by_one() {
        let settings = Settings::read(&json!({"theme": "dark", "pi-multicodex": {"rotation": {
            "strategy": "round-robin", "affinity": "sometimes", "maxAttempts": 0, "fallbackCooldownMs": 60000,
            "reservePercent": 101, "waitForResetMs": null, "priority": {"acc_1": 5, "acc_2": 101},
        }}}));
        assert_eq!(
            settings.rotation,
            RotationSettings {
                strategy: Strategy::RoundRobin,
                fallback_cooldown: Duration::from_secs(60),
                priority: HashMap::from([(AccountId::new("acc_1"), 5)]),
                ..RotationSettings::default()
            }
        );
        assert_eq!(
            settings.problems,
            [
                "rotation.affinity must be one of session, none",
                "rotation.maxAttempts must be a whole number from 1 to 100",
                "rotation.reservePercent must be a number from 0 to 100",
                "rotation.priority.acc_2 must be a whole number from -100 to 100",
            ]
        );
    }

    #[test]
    fn a_file_without_our_member_means_the_defaults() {
        for root in [
            json!({}),
            json!([]),
            json!(null),
            json!({"pi-multicodex": 3}),
            json!({"pi-multicodex": {"rotation": []}}),
        ] {
            assert_eq!(Settings::read(&root), Settings::default(), "{root}");
        }
    }
}
