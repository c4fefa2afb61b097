//! `settings.json`: reads the member `pi-multicodex`. An invalid value falls back to its default with a warning,
//! without affecting others; the whole file is refused only when it does not parse. [`write`] changes the member.

mod write;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde_json::{Map, Value};

use super::members::Members;
use crate::pool::{
    AccountId, AffinityMode, FooterOrder, FooterPrefs, PRIORITIES, RESERVES, ReserveUse, ResetCreditUse,
    ResetWindow, RotationSettings, Strategy, Transport, UsageMode,
};
use crate::store::StorageError;
use crate::store::file::read::read_settled;

const MEMBER: &str = "pi-multicodex";

#[derive(Clone, Debug)]
pub struct SettingsFile {
    path: PathBuf,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    pub rotation: RotationSettings,
    pub footer: FooterPrefs,
    pub problems: Vec<SettingProblem>,
}

/// A value that was not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingProblem {
    /// Its place, e.g. `pi-multicodex.rotation.strategy`.
    pub path: String,
    pub expected: &'static str,
}

impl SettingsFile {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        SettingsFile { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A missing file gives the defaults.
    pub fn load(&self) -> Result<Settings, StorageError> {
        Ok(self.members()?.map(|file| read(&file)).unwrap_or_default())
    }

    fn members(&self) -> Result<Option<Members>, StorageError> {
        read_settled(&self.path, |text| {
            serde_json::from_str(text).map_err(|error| StorageError::parsing(&self.path, &error, "an object"))
        })
    }
}

pub(crate) fn read(file: &Members) -> Settings {
    let mut problems = Vec::new();
    let ours = match file.raw(MEMBER).map(|raw| serde_json::from_str::<Value>(raw.get())) {
        Some(Ok(ours)) => Map::from_iter([(MEMBER.to_owned(), ours)]),
        Some(Err(_)) => {
            let expected = "free of numbers beyond 1e308 and of unpaired surrogates";
            problems.push(SettingProblem { path: MEMBER.to_owned(), expected });
            Map::new()
        }
        None => Map::new(),
    };
    let mut top = Reader { path: String::new(), members: Some(&ours), problems: &mut problems };
    let mut ours = top.object(MEMBER);
    let fallback = FooterPrefs::default();
    let footer = FooterPrefs {
        usage_mode: ours.take("usageMode", "left or used", named::<UsageMode>).unwrap_or(fallback.usage_mode),
        reset_window: ours
            .take("resetWindow", "5h, 7d or both", named::<ResetWindow>)
            .unwrap_or(fallback.reset_window),
        show_account: ours
            .take("showAccount", "true or false", Value::as_bool)
            .unwrap_or(fallback.show_account),
        show_reset: ours.take("showReset", "true or false", Value::as_bool).unwrap_or(fallback.show_reset),
        order: ours
            .take("order", "account-first or usage-first", named::<FooterOrder>)
            .unwrap_or(fallback.order),
    };
    let rotation = read_rotation(&mut ours.object("rotation"));
    Settings { rotation, footer, problems }
}

fn read_rotation(members: &mut Reader<'_>) -> RotationSettings {
    let fallback = RotationSettings::default();
    RotationSettings {
        strategy: members
            .take("strategy", "reset-first, least-used, round-robin or priority", named::<Strategy>)
            .unwrap_or(fallback.strategy),
        affinity: members
            .take("affinity", "session or none", named::<AffinityMode>)
            .unwrap_or(fallback.affinity),
        transport: members
            .take("transport", "auto, sse or websocket", named::<Transport>)
            .unwrap_or(fallback.transport),
        max_attempts: members
            .take("maxAttempts", "a whole number from 1", |value| {
                value.as_u64().and_then(|count| u32::try_from(count).ok()).filter(|&count| count >= 1)
            })
            .unwrap_or(fallback.max_attempts),
        fallback_cooldown: members
            .take("fallbackCooldownMs", "milliseconds, above 0", |value| {
                millis(value).filter(|d| !d.is_zero())
            })
            .unwrap_or(fallback.fallback_cooldown),
        reserve_percent: members
            .take("reservePercent", "a number from 0 to 100", |value| {
                value.as_f64().filter(|percent| RESERVES.contains(percent))
            })
            .unwrap_or(fallback.reserve_percent),
        reserve: members
            .take("reserve", "never, luna or any", named::<ReserveUse>)
            .unwrap_or(fallback.reserve),
        reset_credits: members
            .take("resetCredits", "never or when-dry", named::<ResetCreditUse>)
            .unwrap_or(fallback.reset_credits),
        wait_for_reset: members.take("waitForResetMs", "milliseconds", millis).filter(|wait| !wait.is_zero()),
        priority: read_priority(members),
    }
}

/// `[{"account": id, "priority": -100…100}]`; an invalid entry does not affect the others.
fn read_priority(members: &mut Reader<'_>) -> HashMap<AccountId, i32> {
    const EXPECTED: &str = "a list of {account, priority}, each priority a whole number from -100 to 100";
    let entries = members.take("priority", EXPECTED, |value| value.as_array().cloned()).unwrap_or_default();
    let mut priority = HashMap::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let account = entry.get("account").and_then(Value::as_str).filter(|id| !id.is_empty());
        let level = entry.get("priority").and_then(Value::as_i64).and_then(|level| i32::try_from(level).ok());
        match (account, level) {
            (Some(account), Some(level)) if PRIORITIES.contains(&level) => {
                priority.insert(AccountId::new(account), level);
            }
            _ => members.report(&format!("priority[{index}]"), EXPECTED),
        }
    }
    priority
}

/// Reads members one by one and records those that cannot be used.
struct Reader<'a> {
    /// The path of the object, with a dot after it; empty for the file itself.
    path: String,
    members: Option<&'a Map<String, Value>>,
    problems: &'a mut Vec<SettingProblem>,
}

impl<'a> Reader<'a> {
    /// An absent member and `null` are valid.
    fn take<T>(
        &mut self,
        name: &str,
        expected: &'static str,
        parse: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.members?.get(name).filter(|value| !value.is_null())?;
        let taken = parse(value);
        if taken.is_none() {
            self.report(name, expected);
        }
        taken
    }

    fn object(&mut self, name: &str) -> Reader<'_> {
        let value = self.members.and_then(|members| members.get(name)).filter(|value| !value.is_null());
        let members = value.and_then(Value::as_object);
        if value.is_some() && members.is_none() {
            self.report(name, "an object");
        }
        Reader { path: format!("{}{name}.", self.path), members, problems: self.problems }
    }

    fn report(&mut self, name: &str, expected: &'static str) {
        self.problems.push(SettingProblem { path: format!("{}{name}", self.path), expected });
    }
}

/// Reads one of the values by its name.
fn named<T: FromStr>(value: &Value) -> Option<T> {
    value.as_str()?.parse().ok()
}

fn millis(value: &Value) -> Option<Duration> {
    value.as_u64().map(Duration::from_millis)
}

#[cfg(test)]
mod tests;
