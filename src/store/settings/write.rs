//! Changes our member of pi's `settings.json`, under pi's own lock. What else is in the file keeps its bytes, and what
//! the user never set stays unset, so that a later default can still reach them.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::{MEMBER, Settings, SettingsFile, read};
use crate::pool::{AccountId, FooterChange, RotationChange};
use crate::store::atomic::replace_under_lock;
use crate::store::members::{Members, WithMember};
use crate::store::{LockDirectory, StorageError};

const ROTATION: &str = "rotation";
const PRIORITY: &str = "priority";

impl SettingsFile {
    /// Writes what changes, and answers what the file then says.
    ///
    /// # Errors
    ///
    /// A file that does not parse is not touched.
    pub fn set_rotation(
        &self,
        change: &RotationChange,
        held: &LockDirectory,
    ) -> Result<Settings, StorageError> {
        let file = self.members()?.unwrap_or_default();
        let ours = object(&file, MEMBER);
        let mut rotation = object(&ours, ROTATION);
        set(&mut rotation, "strategy", change.strategy.map(|strategy| strategy.name()));
        set(&mut rotation, "affinity", change.affinity.map(|affinity| affinity.name()));
        set(&mut rotation, "maxAttempts", change.max_attempts);
        set(&mut rotation, "fallbackCooldownMs", change.fallback_cooldown.map(millis));
        set(&mut rotation, "reservePercent", change.reserve_percent);
        set(&mut rotation, "waitForResetMs", change.wait_for_reset.map(millis));
        if !change.priority.is_empty() {
            let known = rotation.raw(PRIORITY).and_then(|raw| serde_json::from_str(raw.get()).ok());
            rotation.set(PRIORITY, with_priorities(known.unwrap_or_default(), &change.priority));
        }
        let ours = WithMember { object: &ours, name: ROTATION, value: &rotation };
        self.write(&WithMember { object: &file, name: MEMBER, value: &ours }, held)
    }

    /// As [`SettingsFile::set_rotation`], of how the footer looks.
    ///
    /// # Errors
    ///
    /// A file that does not parse is not touched.
    pub fn set_footer(&self, change: &FooterChange, held: &LockDirectory) -> Result<Settings, StorageError> {
        let file = self.members()?.unwrap_or_default();
        let mut ours = object(&file, MEMBER);
        set(&mut ours, "usageMode", change.usage_mode.map(|mode| mode.name()));
        set(&mut ours, "resetWindow", change.reset_window.map(|window| window.name()));
        set(&mut ours, "showAccount", change.show_account);
        set(&mut ours, "showReset", change.show_reset);
        set(&mut ours, "order", change.order.map(|order| order.name()));
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

/// The member as an object; one that is absent or of another type, which was no use to anyone, begins as an empty one.
fn object(members: &Members, name: &str) -> Members {
    members.raw(name).and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

fn set(members: &mut Members, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        members.set(name, value);
    }
}

/// Entries that are no use to us stay as they are; the default needs none.
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

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
