//! [`AccountRegistry`]: the accounts in memory, their files, and the user's choices about them. Sends no request and
//! refreshes no token.

mod choices;
mod edits;
mod entries;
mod load;
mod pending_writes;
mod permissions;
mod persist;
mod put_back;
mod refresh_ledger;
mod settings;

pub(crate) mod freshness;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::clock::Clock;
use crate::pool::{AccountId, At, Pool, RotationSettings};
use crate::protocol::{ChangeReason, WarningKind};
use crate::sidecar::blocking::on_a_thread;
use crate::sidecar::notify::notifier::Notifier;
use crate::store::{
    AccountsFile, Document, Loaded, Paths, RefreshJournal, SettingsFile, StateFile, StorageError,
};
use crate::watch::WatchReport;

pub(crate) use edits::RenameError;
pub(crate) use entries::{described, identified, is_entry_of, is_of, label_in, remembered};
pub(crate) use pending_writes::{Origin, PendingWrites};

use persist::StateSaver;
use settings::Preferences;

/// The owner of the pool, of codex-accounts.json, of the state file and of the settings.
pub(crate) struct AccountRegistry {
    pool: Mutex<Pool>,
    clock: Clock,
    accounts_file: AccountsFile,
    /// Held while the accounts file and the pool are made equal; see [`FileTurn`].
    file_turn: Mutex<()>,
    /// Held during a change by the user. Waiting changes are made in the order of the requests.
    edits: Arc<tokio::sync::Mutex<()>>,
    state_file: StateFile,
    saver: StateSaver,
    preferences: Preferences,
    journal: RefreshJournal,
    pending: PendingWrites,
    notifier: Arc<Notifier>,
    agent_dir: PathBuf,
    watch_report: OnceLock<WatchReport>,
}

/// The turn at the accounts file: while it is held, no other thread of this process reads the file into the pool or
/// changes either of them. Taken only on threads that may block.
pub(crate) struct FileTurn<'a> {
    registry: &'a AccountRegistry,
    _turn: MutexGuard<'a, ()>,
}

impl AccountRegistry {
    pub(crate) fn new(paths: &Paths, journal: RefreshJournal, notifier: Arc<Notifier>, clock: Clock) -> Self {
        AccountRegistry {
            pool: Mutex::new(Pool::new(RotationSettings::default())),
            clock,
            accounts_file: AccountsFile::new(paths.accounts_file.clone(), &paths.guard_dir),
            file_turn: Mutex::default(),
            edits: Arc::default(),
            state_file: StateFile::new(&paths.state_dir),
            saver: StateSaver::default(),
            preferences: Preferences::new(SettingsFile::new(paths.settings_file.clone())),
            journal,
            pending: PendingWrites::default(),
            notifier,
            agent_dir: paths.agent_dir.clone(),
            watch_report: OnceLock::new(),
        }
    }

    /// Makes one decision on the pool, at one time. `decision` must not call the registry, and blocks all others while
    /// it runs.
    ///
    /// The pool gets the time first. If the clock was set back and that changed what is known, clients are notified.
    pub(crate) fn decide<T>(&self, decision: impl FnOnce(&mut Pool, At) -> T) -> T {
        // A panic while the lock was held leaves plain data behind, so poisoning is ignored.
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        if pool.observe_clock(now) {
            self.changed(ChangeReason::Cooldown);
        }
        decision(&mut pool, now)
    }

    pub(crate) fn now(&self) -> At {
        self.clock.now()
    }

    /// Returns the label of the account; empty when it was removed.
    pub(crate) fn label_of(&self, id: &AccountId) -> String {
        self.decide(|pool, _| pool.get(id).map(|account| account.label.clone()).unwrap_or_default())
    }

    /// Records a change of accounts: clients are notified, and the state file is written soon.
    pub(crate) fn changed(&self, reason: ChangeReason) {
        self.notifier.accounts_changed(reason);
        self.saver.soon();
    }

    /// Returns why the accounts file could not be read, if that is why there are no accounts.
    pub(crate) fn unreadable(&self) -> Option<String> {
        let path = self.accounts_file.path().to_string_lossy();
        let warning = self.notifier.current_about(WarningKind::CorruptFile, path);
        warning.filter(|_| self.decide(|pool, _| pool.accounts().is_empty()))
    }

    /// The credentials that are in memory only.
    pub(crate) fn pending(&self) -> &PendingWrites {
        &self.pending
    }

    pub(crate) fn accounts_file(&self) -> &AccountsFile {
        &self.accounts_file
    }

    pub(crate) fn state_file(&self) -> &StateFile {
        &self.state_file
    }

    /// Blocks until it is this thread's turn.
    pub(crate) fn file_turn(&self) -> FileTurn<'_> {
        let turn = self.file_turn.lock().unwrap_or_else(PoisonError::into_inner);
        FileTurn { registry: self, _turn: turn }
    }

    /// Runs `work` in the turn at the accounts file, on a thread that may block.
    pub(crate) async fn in_file_turn<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&FileTurn<'_>) -> T + Send + 'static,
    ) -> T {
        let registry = self.clone();
        on_a_thread(move || work(&registry.file_turn())).await
    }
}

impl FileTurn<'_> {
    pub(crate) fn registry(&self) -> &AccountRegistry {
        self.registry
    }

    /// # Errors
    ///
    /// The file cannot be read, or does not parse.
    pub(crate) fn load(&self) -> Result<Loaded, StorageError> {
        self.registry.accounts_file.load()
    }

    /// Changes the file. The pool is not changed by it: follow with [`FileTurn::reload`], or change the pool yourself.
    ///
    /// # Errors
    ///
    /// The file is unchanged.
    pub(crate) fn change<T>(&self, edit: impl FnOnce(&mut Document) -> T) -> Result<T, StorageError> {
        self.registry.accounts_file.change(edit)
    }

    /// Finds out whether the file could be changed now.
    pub(crate) fn rehearse(&self) -> Result<(), StorageError> {
        self.registry.accounts_file.rehearse()
    }

    /// Reads the file into the pool.
    ///
    /// # Errors
    ///
    /// The file cannot be read; the pool stays as it is.
    pub(crate) fn reload(&self) -> Result<(), StorageError> {
        let loaded = self.load()?;
        self.registry.take_accounts(loaded, &self.registry.read_state());
        Ok(())
    }
}
