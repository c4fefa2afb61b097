//! `codex-accounts.json` on disk, shared with the pi-multicodex extension and with other sidecars. A file that does not
//! parse is never overwritten, and a file of a later version is not changed.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::store::file::read::read_settled;
use crate::store::{
    Document, EntryProblem, FileAccount, LOCK_DEADLINE, LockGuard, PermissionFinding, StorageError, examine,
    rehearse_replacement, write_atomically,
};

#[derive(Clone, Debug)]
pub struct AccountsFile {
    path: PathBuf,
    lock_file: PathBuf,
    patience: Duration,
    /// The last attempt to take the lock failed.
    held_up: Arc<AtomicBool>,
}

/// The file at one moment; a missing file reads as empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    pub accounts: Vec<FileAccount>,
    pub active_email: Option<String>,
    pub problems: Vec<EntryProblem>,
    /// A later version wrote it: changes are refused.
    pub read_only: bool,
    pub permissions: PermissionFinding,
}

impl AccountsFile {
    /// `guard_dir` holds the lock.
    pub fn new(path: impl Into<PathBuf>, guard_dir: &Path) -> Self {
        AccountsFile {
            path: path.into(),
            lock_file: guard_dir.join("accounts.lock"),
            patience: LOCK_DEADLINE,
            held_up: Arc::default(),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes no lock: writers replace the file in one step, and a writer in place is waited for.
    pub fn load(&self) -> Result<Loaded, StorageError> {
        let document = self.read()?.unwrap_or_default();
        Ok(Loaded {
            accounts: document.accounts().collect(),
            active_email: document.active_email(),
            problems: document.problems(),
            read_only: document.future_version().is_some(),
            permissions: examine(&self.path)?,
        })
    }

    /// Locks, reads again, calls `edit`, writes if that changed anything, unlocks. Blocks for up to [`LOCK_DEADLINE`].
    pub fn change<T>(&self, edit: impl FnOnce(&mut Document) -> T) -> Result<T, StorageError> {
        let held = self.lock()?;
        let mut document = self.read()?.unwrap_or_default();
        if let Some(version) = document.future_version() {
            return Err(StorageError::Future { path: self.path.clone(), version });
        }
        let before = document.as_it_is();
        let outcome = edit(&mut document);
        if document.as_it_is() != before {
            let found = write_atomically(&self.path, document.to_json().as_bytes(), &held)?;
            tracing::debug!(path = %self.path.display(), permissions = ?found, "accounts file written");
        }
        Ok(outcome)
    }

    /// Does everything that [`AccountsFile::change`] does, and replaces the file by a copy of itself. So a failure is
    /// known before a result has to be stored.
    pub fn rehearse(&self) -> Result<(), StorageError> {
        let _held = self.lock()?;
        if let Some(version) = self.read()?.unwrap_or_default().future_version() {
            return Err(StorageError::Future { path: self.path.clone(), version });
        }
        rehearse_replacement(&self.path)
    }

    /// If a holder hangs, only the first waiter waits the full time. Those behind it have waited meanwhile.
    fn lock(&self) -> Result<LockGuard, StorageError> {
        let patience = match self.held_up.load(Ordering::Relaxed) {
            true => self.patience / 30,
            false => self.patience,
        };
        let locked = LockGuard::acquire(&self.lock_file, patience);
        self.held_up.store(matches!(locked, Err(StorageError::Locked { .. })), Ordering::Relaxed);
        locked
    }

    fn read(&self) -> Result<Option<Document>, StorageError> {
        read_settled(&self.path, |text| {
            Document::from_str(text).map_err(|error| {
                StorageError::parsing(&self.path, &error, "an object with one list of `accounts`")
            })
        })
    }
}

#[cfg(all(test, unix))]
mod tests;
