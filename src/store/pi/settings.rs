//! `settings.json`: reads the member `pi-multicodex`. An invalid value falls back to its default with a warning,
//! without affecting others; the whole file is refused only when it does not parse. [`write`] changes the member.

mod value;
mod write;

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::members::Members;
use crate::pool::{
    FOOTER_SETTINGS, FooterPrefs, ROTATION_SETTINGS, RotationSettings, SettingKind, SettingSpec, SettingValue,
};
use crate::store::StorageError;
use crate::store::file::read::read_settled;
pub use value::{setting_json, setting_value};

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
    pub expected: String,
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
            problems.push(SettingProblem { path: MEMBER.to_owned(), expected: expected.to_owned() });
            Map::new()
        }
        None => Map::new(),
    };
    let mut top = Reader { path: String::new(), members: Some(&ours), problems: &mut problems };
    let mut ours = top.object(MEMBER);
    let footer = ours.settings(FOOTER_SETTINGS);
    let rotation = ours.object("rotation").settings(ROTATION_SETTINGS);
    Settings { rotation, footer, problems }
}

/// Reads members one by one and records those that cannot be used.
struct Reader<'a> {
    /// The path of the object, with a dot after it; empty for the file itself.
    path: String,
    members: Option<&'a Map<String, Value>>,
    problems: &'a mut Vec<SettingProblem>,
}

impl<'a> Reader<'a> {
    /// Returns the settings of the table; the default for those that are absent, `null` or invalid.
    fn settings<S: Default>(&mut self, specs: &[SettingSpec<S>]) -> S {
        let mut settings = S::default();
        for spec in specs {
            let member = self.members.and_then(|members| members.get(spec.name));
            let Some(member) = member.filter(|value| !value.is_null()) else { continue };
            let value = match (spec.kind, member) {
                (SettingKind::PerAccount { .. }, Value::Array(entries)) => {
                    Some(self.per_account(spec.name, spec.kind, entries))
                }
                _ => setting_value(spec.kind, member),
            };
            match value {
                Some(value) => (spec.set)(&mut settings, &value),
                None => self.report(spec.name, spec.kind.expected()),
            }
        }
        settings
    }

    /// Returns the valid entries; an invalid entry does not affect the others.
    fn per_account(&mut self, name: &str, kind: SettingKind, entries: &[Value]) -> SettingValue {
        let mut levels = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            match setting_value(kind, &Value::Array(vec![entry.clone()])) {
                Some(SettingValue::PerAccount(level)) => levels.extend(level),
                _ => self.report(&format!("{name}[{index}]"), kind.expected()),
            }
        }
        SettingValue::PerAccount(levels)
    }

    fn object(&mut self, name: &str) -> Reader<'_> {
        let value = self.members.and_then(|members| members.get(name)).filter(|value| !value.is_null());
        let members = value.and_then(Value::as_object);
        if value.is_some() && members.is_none() {
            self.report(name, "an object".to_owned());
        }
        Reader { path: format!("{}{name}.", self.path), members, problems: self.problems }
    }

    fn report(&mut self, name: &str, expected: String) {
        self.problems.push(SettingProblem { path: format!("{}{name}", self.path), expected });
    }
}

#[cfg(test)]
mod tests;
