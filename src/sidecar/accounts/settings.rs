//! The user's settings: read at start and when somebody changes them, and changed here under pi's lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::pool::FooterPrefs;
use crate::protocol::{ChangeReason, RpcError, WarningKind};
use crate::sidecar::Sidecar;
use crate::store::{LockDirectory, Settings, SettingsFile, StorageError, make_private_dir};

/// pi writes its settings in milliseconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Preferences {
    file: SettingsFile,
    /// Held by whoever brings the file and what is known of it together.
    turn: Mutex<()>,
    footer: Mutex<FooterPrefs>,
    /// Apart from those of the accounts, which shall not wait while pi holds its lock.
    edits: Arc<tokio::sync::Mutex<()>>,
}

impl Preferences {
    pub(crate) fn new(file: SettingsFile) -> Self {
        Preferences { file, turn: Mutex::default(), footer: Mutex::default(), edits: Arc::default() }
    }

    pub(crate) fn footer(&self) -> FooterPrefs {
        *self.lock_footer()
    }

    fn lock_footer(&self) -> MutexGuard<'_, FooterPrefs> {
        self.footer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sidecar {
    pub(crate) fn load_settings(&self) {
        let _turn = self.preferences.turn();
        match self.preferences.file.load() {
            Ok(settings) => self.take_settings(settings),
            Err(error) => self.warn_unreadable(&error),
        }
    }

    pub(crate) fn reload_settings(&self) {
        let before = (self.pool().revision(), self.preferences.footer());
        self.load_settings();
        if self.pool().revision() != before.0 {
            self.notifier.accounts_changed(ChangeReason::External);
        }
        if self.preferences.footer() != before.1 {
            self.notifier.check_status();
        }
    }

    /// As [`Sidecar::edit`], of settings.
    pub(crate) async fn edit_settings<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&Self) -> Result<T, RpcError> + Send + 'static,
    ) -> Result<T, RpcError> {
        self.in_turn(&self.preferences.edits, change).await
    }

    /// Blocks. What the file says then is what counts, also of what others changed in it meanwhile.
    pub(crate) fn change_settings(
        &self,
        write: impl FnOnce(&SettingsFile, &LockDirectory) -> Result<Settings, StorageError>,
    ) -> Result<(), StorageError> {
        let file = &self.preferences.file;
        if let Some(dir) = file.path().parent() {
            make_private_dir(dir)?;
        }
        // Before the turn: whoever holds pi's lock may take its time.
        let held = LockDirectory::acquire(file.path(), LOCK_PATIENCE)?;
        let _turn = self.preferences.turn();
        let settings = write(file, &held)?;
        self.take_settings(settings);
        Ok(())
    }

    fn take_settings(&self, settings: Settings) {
        self.warn_of_settings(&settings.problems);
        let path = self.preferences.file.path();
        self.notifier.settled_about(WarningKind::CorruptFile, path.to_string_lossy());
        *self.preferences.lock_footer() = settings.footer;
        self.pool().set_settings(settings.rotation);
    }
}
