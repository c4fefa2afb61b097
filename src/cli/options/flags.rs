//! Flags as they were given, and the reading of their values.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use super::UsageError;

/// What was given.
#[derive(Default)]
pub(super) struct Flags {
    /// Options with their values; the last of a name counts.
    pub(super) values: Vec<(String, OsString)>,
    /// Those that were not asked about yet.
    pub(super) switches: Vec<String>,
}

impl Flags {
    pub(super) fn get(&self, name: &str) -> Option<OsString> {
        self.values.iter().rev().find(|(flag, _)| flag == name).map(|(_, value)| value.clone())
    }

    /// An empty one, as from a variable that is not set, would be the directory one happens to be in.
    pub(super) fn path(&self, name: &str) -> Result<Option<PathBuf>, UsageError> {
        match self.get(name) {
            Some(path) if path.is_empty() => Err(UsageError(format!("--{name}: a path is needed"))),
            path => Ok(path.map(PathBuf::from)),
        }
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u32>, UsageError> {
        let given = self.get(name).map(|value| (format!("--{name}"), value));
        given.map(|given| number(Some(given), 0)).transpose()
    }

    /// Whether the switch was given; what is not asked about was given in vain.
    pub(super) fn switch(&mut self, name: &str) -> bool {
        let given = self.switches.iter().any(|switch| switch == name);
        self.switches.retain(|switch| switch != name);
        given
    }

    /// Refuses what means nothing to a subcommand that knows `known`, and whose switches have been asked about.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), UsageError> {
        if let Some(switch) = self.switches.first() {
            return Err(UsageError(format!("--{switch} means nothing here; see multicodex --help")));
        }
        match self.values.iter().find(|(flag, _)| !known.contains(&flag.as_str())) {
            Some((flag, _)) => Err(unknown_option(flag)),
            None => Ok(()),
        }
    }
}

/// With none of these nothing could ever be answered.
pub(super) fn positive(chosen: Option<(String, OsString)>, default: usize) -> Result<usize, UsageError> {
    let name = chosen.as_ref().map(|(name, _)| name.clone()).unwrap_or_default();
    match number(chosen, default)? {
        0 => Err(UsageError(format!("{name}: must be at least 1"))),
        number => Ok(number),
    }
}

pub(super) fn number<T: FromStr>(chosen: Option<(String, OsString)>, default: T) -> Result<T, UsageError> {
    let Some((name, value)) = chosen else { return Ok(default) };
    value.to_str().and_then(|text| text.parse().ok()).ok_or_else(|| {
        UsageError(format!("{name}: \"{}\" is not a number that fits", value.to_string_lossy()))
    })
}

pub(super) fn unknown_option(flag: &str) -> UsageError {
    UsageError(format!("unknown option --{flag}; see multicodex --help"))
}

pub(super) fn usage(error: impl std::fmt::Display) -> UsageError {
    UsageError(error.to_string())
}
