//! The user's settings: read at start and when another program changes them, and changed here under pi's lock.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::AccountRegistry;
use crate::pool::FooterPrefs;
use crate::protocol::{ChangeReason, WarningKind};
use crate::store::{LockDirectory, Settings, SettingsFile, StorageError, make_private_dir};

/// pi writes its settings in milliseconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Preferences {
    file: SettingsFile,
    /// Held while the file and memory are made equal.
    turn: Mutex<()>,
    footer: Mutex<FooterPrefs>,
    /// Separate from the turn of account changes, which should not wait while pi holds the lock of its settings.
    edits: Arc<tokio::sync::Mutex<()>>,
}

impl Preferences {
    pub(super) fn new(file: SettingsFile) -> Self {
        Preferences { file, turn: Mutex::default(), footer: Mutex::default(), edits: Arc::default() }
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    pub(super) fn edits(&self) -> &Arc<tokio::sync::Mutex<()>> {
        &self.edits
    }

    fn lock_footer(&self) -> MutexGuard<'_, FooterPrefs> {
        self.footer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AccountRegistry {
    pub(crate) fn footer_preferences(&self) -> FooterPrefs {
        *self.preferences.lock_footer()
    }

    /// Blocks.
    pub(crate) fn load_settings(&self) {
        let _turn = self.preferences.turn();
        match self.preferences.file.load() {
            Ok(settings) => self.take_settings(settings),
            Err(error) => self.notifier.warn_unreadable(&error),
        }
    }

    pub(super) fn reload_settings(&self) {
        let current = || (self.decide(|pool, _| pool.revision()), self.footer_preferences());
        let (revision, footer) = current();
        self.load_settings();
        let now = current();
        if now.0 != revision {
            self.notifier.accounts_changed(ChangeReason::External);
        }
        if now.1 != footer {
            self.notifier.check_status();
        }
    }

    /// Changes the settings file under pi's lock, and takes over its whole content, including changes by other
    /// programs. Blocks.
    ///
    /// # Errors
    ///
    /// Neither the file nor memory was changed.
    pub(crate) fn change_settings(
        &self,
        write: impl FnOnce(&SettingsFile, &LockDirectory) -> Result<Settings, StorageError>,
    ) -> Result<(), StorageError> {
        let file = &self.preferences.file;
        if let Some(dir) = file.path().parent() {
            make_private_dir(dir)?;
        }
        // Before the turn: pi may hold its lock for a while.
        let held = LockDirectory::acquire(file.path(), LOCK_PATIENCE)?;
        let _turn = self.preferences.turn();
        let settings = write(file, &held)?;
        self.take_settings(settings);
        Ok(())
    }

    fn take_settings(&self, settings: Settings) {
        self.notifier.warn_of_settings(&settings.problems);
        let path = self.preferences.path();
        self.notifier.clear_about(WarningKind::CorruptFile, path.to_string_lossy());
        *self.preferences.lock_footer() = settings.footer;
        self.decide(|pool, _| pool.set_settings(settings.rotation));
    }
}
