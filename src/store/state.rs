//! `state.json` in the state dir: what experience taught, shared by all sidecars of the user. Deleting it costs a cold
//! start, never a credential; what does not parse is set aside and begun anew.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use super::StorageError;
use super::atomic::{make_private_dir, replace};
use super::lock::lock;
use super::state_record::StateRecord;
use crate::pool::{AccountId, Affinity, At, Health};

pub(super) const FILE_NAME: &str = "state.json";

#[derive(Debug)]
pub struct StateFile {
    dir: PathBuf,
}

/// Everything that is remembered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SavedState {
    pub accounts: BTreeMap<AccountId, SavedAccount>,
    pub pinned: Chosen<Option<AccountId>>,
    pub affinity: Affinity,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SavedAccount {
    pub health: Health,
    pub plan: Option<String>,
    pub disabled: Chosen<bool>,
}

/// What a user chose, and when: of two sidecars the later choice counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chosen<T> {
    pub value: T,
    pub at: At,
}

/// A reading, and where a file went that did not parse.
#[derive(Debug)]
pub struct StateReading {
    pub state: SavedState,
    pub set_aside: Option<PathBuf>,
}

impl StateFile {
    pub fn new(dir: PathBuf) -> Self {
        StateFile { dir }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.join(FILE_NAME)
    }

    /// What is remembered; nothing when there is no file. `now` names a file that is set aside.
    pub fn load(&self, now: At) -> Result<StateReading, StorageError> {
        let path = self.path();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(StateReading { state: SavedState::default(), set_aside: None });
            }
            Err(error) => return Err(StorageError::io(&path)(error)),
        };
        if let Ok(record) = serde_json::from_slice::<StateRecord>(&bytes) {
            return Ok(StateReading { state: record.into(), set_aside: None });
        }
        let aside = self.dir.join(format!("{FILE_NAME}.corrupt-{}", now.millis()));
        fs::rename(&path, &aside).map_err(StorageError::io(&path))?;
        Ok(StateReading { state: SavedState::default(), set_aside: Some(aside) })
    }

    /// Joins `mine` with what others have saved meanwhile, saves it, and gives the result back.
    pub fn merge_and_save(&self, mine: &SavedState, now: At) -> Result<SavedState, StorageError> {
        make_private_dir(&self.dir)?;
        let held = lock(&self.dir.join("state.json.lock"))?;
        let saved = self.load(now)?.state;
        let mut joined = saved.clone();
        joined.join(mine, now);
        if joined != saved {
            let bytes = serde_json::to_vec(&StateRecord::from(&joined)).map_err(|error| {
                StorageError::interrupted(format!("the state cannot be written as JSON: {error}"))
            })?;
            replace(&self.path(), &bytes, &held)?;
        }
        Ok(joined)
    }
}

impl SavedState {
    /// Takes over whatever `other` knows later or better. The order of joins does not matter.
    pub fn join(&mut self, other: &SavedState, now: At) {
        for (id, theirs) in &other.accounts {
            let mine = self.accounts.entry(id.clone()).or_default();
            mine.health.absorb(&theirs.health);
            mine.plan = theirs.plan.clone().or(mine.plan.take());
            mine.disabled.join(&theirs.disabled);
        }
        self.pinned.join(&other.pinned);
        self.affinity.absorb(&other.affinity, now);
    }
}

impl<T: Clone> Chosen<T> {
    pub fn join(&mut self, other: &Chosen<T>) {
        if other.at > self.at {
            *self = other.clone();
        }
    }
}
