//! The state directory's `state.json`: what was learned about the accounts, shared by all sidecars of the user. You may
//! delete it at any time; the next start is cold then. It never holds credentials.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::pool::{AccountId, At, Health, Identity};
use crate::store::file::read::read_settled;
use crate::store::{LOCK_DEADLINE, LockGuard, StorageError, make_private_dir, narrow, write_atomically};

/// The file's name in the state directory.
pub const STATE_FILE: &str = "state.json";

#[derive(Clone, Debug)]
pub struct StateFile {
    path: PathBuf,
    lock_file: PathBuf,
}

/// Two sidecars merge what they know: of `pinned` and `disabled` the later change wins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SavedState {
    #[serde(with = "accounts")]
    pub accounts: Vec<(AccountId, SavedAccount)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: Option<AccountId>,
    pub pin_changed_at: At,
    pub sessions: Vec<SavedSession>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedAccount {
    #[serde(default)]
    pub disabled: bool,
    #[serde(default)]
    pub disabled_changed_at: At,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The label and the claims that the account was known by: its next token may lack some of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    #[serde(flatten)]
    pub health: Health,
}

/// An account is saved with its `id` as a member.
mod accounts {
    use super::{AccountId, Deserialize, Deserializer, SavedAccount, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct WithId<A> {
        id: AccountId,
        #[serde(flatten)]
        account: A,
    }

    pub(super) fn serialize<S: Serializer>(
        accounts: &[(AccountId, SavedAccount)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(accounts.iter().map(|(id, account)| WithId { id: id.clone(), account }))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(AccountId, SavedAccount)>, D::Error> {
        let accounts = Vec::<WithId<SavedAccount>>::deserialize(deserializer)?;
        Ok(accounts.into_iter().map(|saved| (saved.id, saved.account)).collect())
    }
}

/// The account that a session stays with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedSession {
    pub session: String,
    pub account: AccountId,
    pub last_used_at: At,
}

/// The saved state, and where a damaged file was moved, for the `corrupt_file` warning.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedState {
    pub state: SavedState,
    pub set_aside: Option<PathBuf>,
}

impl StateFile {
    pub fn new(state_dir: &Path) -> Self {
        StateFile { path: state_dir.join(STATE_FILE), lock_file: state_dir.join("state.json.lock") }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the lock only to move a damaged file aside, as `state.json.corrupt-<millis of now>`.
    pub fn load(&self, now: At) -> Result<LoadedState, StorageError> {
        match self.read() {
            Ok(state) => Ok(LoadedState { state: state.unwrap_or_default(), set_aside: None }),
            Err(StorageError::Corrupt { .. }) => self.read_or_set_aside(&self.lock()?, now),
            Err(error) => Err(error),
        }
    }

    /// Reads the saved state; moves nothing aside.
    pub fn look(&self) -> Result<SavedState, StorageError> {
        self.read().map(Option::unwrap_or_default)
    }

    /// Locks, reads again, lets `join` add what this sidecar knows, writes if that changed anything, unlocks.
    pub fn merge_and_save<T>(
        &self,
        now: At,
        join: impl FnOnce(&mut SavedState) -> T,
    ) -> Result<(T, Option<PathBuf>), StorageError> {
        let held = self.lock()?;
        let LoadedState { mut state, set_aside } = self.read_or_set_aside(&held, now)?;
        let before = state.clone();
        let outcome = join(&mut state);
        if state != before || set_aside.is_some() {
            write_atomically(&self.path, to_json(&state).as_bytes(), &held)?;
        }
        Ok((outcome, set_aside))
    }

    fn lock(&self) -> Result<LockGuard, StorageError> {
        if let Some(dir) = self.path.parent() {
            make_private_dir(dir)?;
            narrow(dir)?;
        }
        LockGuard::acquire(&self.lock_file, LOCK_DEADLINE)
    }

    fn read_or_set_aside(&self, _held: &LockGuard, now: At) -> Result<LoadedState, StorageError> {
        match self.read() {
            Ok(state) => Ok(LoadedState { state: state.unwrap_or_default(), set_aside: None }),
            Err(error @ StorageError::Corrupt { .. }) => {
                let aside = self.path.with_file_name(format!("state.json.corrupt-{}", now.millis()));
                fs::rename(&self.path, &aside).map_err(|error| StorageError::writing(&self.path, error))?;
                tracing::warn!(%error, set_aside = %aside.display(), "a new state file begins");
                Ok(LoadedState { state: SavedState::default(), set_aside: Some(aside) })
            }
            Err(error) => Err(error),
        }
    }

    fn read(&self) -> Result<Option<SavedState>, StorageError> {
        read_settled(&self.path, |text| {
            serde_json::from_str(text)
                .map_err(|error| StorageError::parsing(&self.path, &error, "the saved state of multicodex"))
        })
    }
}

fn to_json(state: &SavedState) -> String {
    #[expect(clippy::expect_used, reason = "string keys and derived types: nothing in it can fail")]
    serde_json::to_string(state).expect("the state can be written")
}

#[cfg(all(test, unix))]
mod tests;
