//! Reads the files into the pool: at the start, and whenever another program changes one of them. A file that cannot be
//! read causes a warning and leaves memory as it is; it never means "no accounts".

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::AccountRegistry;
use super::entries::{identified, remembered};
use super::freshness::is_newer;
use crate::pool::{AccountId, Credential, FileFlags, HealthStatus, KnownAccount};
use crate::protocol::{ChangeReason, WarningKind};
use crate::sidecar::blocking::on_a_thread;
use crate::store::{FileAccount, Loaded, PermissionFinding, SavedAccount, SavedState};
use crate::watch::{Watch, WatchReport};

impl AccountRegistry {
    /// Reads the files for the first time. Blocks, because no request can be answered before.
    pub(crate) fn load(&self) {
        let read_at = self.now();
        let saved = self.read_state();
        match self.accounts_file.load() {
            Ok(loaded) => self.take_accounts(loaded, &saved),
            Err(error) => self.notifier.warn_unreadable(&error),
        }
        self.take_state(saved, read_at);
    }

    /// As [`AccountRegistry::load`], but changes no file.
    pub(crate) fn load_read_only(&self) {
        let read_at = self.now();
        let saved = self.state_file.look().unwrap_or_default();
        match self.accounts_file.load() {
            Ok(loaded) => self.take_entries(loaded.accounts, &saved),
            Err(error) => self.notifier.warn_unreadable(&error),
        }
        self.take_state(saved, read_at);
    }

    /// Takes over changes by other programs, for as long as it is polled. Calls `pi_login_may_differ` when pi's login
    /// should be compared with the accounts. Starting to watch takes milliseconds, so it happens beside the first
    /// requests; changes in that time are read once it has begun.
    pub(crate) async fn run_watch(
        self: Arc<Self>,
        auth_file: PathBuf,
        pi_login_may_differ: impl Fn() + Clone + Send + 'static,
    ) {
        let files = self.watched_files(&auth_file);
        let watched = files.clone();
        let started = on_a_thread(move || Watch::start(watched)).await;
        let (watch, mut changed) = match started {
            Ok(watching) => watching,
            Err(error) => {
                tracing::warn!(%error, "files are not watched; changes by others are seen after a restart");
                return;
            }
        };
        let _ = self.watch_report.set(watch.report());
        for path in files {
            self.clone().reload(path, pi_login_may_differ.clone()).await;
        }
        while let Some(path) = changed.recv().await {
            self.clone().reload(path, pi_login_may_differ.clone()).await;
        }
    }

    /// Returns the files that other programs may change.
    pub(crate) fn watched_files(&self, auth_file: &Path) -> Vec<PathBuf> {
        let ours = [self.accounts_file.path(), self.preferences.path(), self.state_file.path()];
        ours.into_iter().chain([auth_file]).map(Path::to_owned).collect()
    }

    /// Returns how the files are watched; `None` until watching has begun.
    pub(crate) fn watch_report(&self) -> Option<&WatchReport> {
        self.watch_report.get()
    }

    async fn reload(self: Arc<Self>, path: PathBuf, pi_login_may_differ: impl Fn() + Send + 'static) {
        on_a_thread(move || {
            if path == self.accounts_file.path() {
                // A login that could not be merged while the file was unusable, or whose account was removed with it,
                // can be merged now.
                if self.reload_accounts() {
                    pi_login_may_differ();
                }
            } else if path == self.preferences.path() {
                self.reload_settings();
            } else if path == self.state_file.path() {
                self.reload_state();
            } else {
                pi_login_may_differ();
            }
        })
        .await;
    }

    /// Returns false when the file cannot be read.
    fn reload_accounts(&self) -> bool {
        let turn = self.file_turn();
        let before = self.decide(|pool, _| pool.revision());
        if let Err(error) = turn.reload() {
            self.notifier.warn_unreadable(&error);
            return false;
        }
        if self.decide(|pool, _| pool.revision()) != before {
            self.changed(ChangeReason::External);
        }
        true
    }

    fn reload_state(&self) {
        let read_at = self.now();
        if self.take_state(self.read_state(), read_at) {
            self.notifier.accounts_changed(ChangeReason::External);
        }
    }

    pub(crate) fn read_state(&self) -> SavedState {
        let reading = match self.state_file.load(self.now()) {
            Ok(reading) => reading,
            Err(error) => {
                self.notifier.warn_unreadable(&error);
                return SavedState::default();
            }
        };
        let path = self.state_file.path();
        self.notifier.clear_about(WarningKind::CorruptFile, path.to_string_lossy());
        if let Some(aside) = reading.set_aside {
            self.notifier.warn_set_aside(&aside);
        }
        reading.state
    }

    pub(super) fn take_accounts(&self, loaded: Loaded, saved: &SavedState) {
        self.notifier.warn_of_entries(&loaded.problems);
        if let PermissionFinding::Wide { mode } = loaded.permissions {
            self.narrow_accounts_file(mode);
        }
        self.warn_of_shared_directory();
        self.take_entries(loaded.accounts, saved);
    }

    fn take_entries(&self, entries: Vec<FileAccount>, saved: &SavedState) {
        let now = self.now();
        let known: HashMap<&AccountId, &SavedAccount> =
            saved.accounts.iter().map(|(id, saved)| (id, saved)).collect();
        let (found, accounts) = entries
            .iter()
            .zip(identified(&entries, &self.known_accounts(saved)))
            .map(|(entry, account)| (Found::of(entry, &account.id), remembered(account, entry, &known, now)))
            .unzip::<_, _, Vec<_>, Vec<_>>();
        self.record_choices(now);
        let report = self.decide(|pool, now| pool.sync(accounts, now));
        found.iter().for_each(|entry| self.take_different(entry));
        self.take_flags(&found, saved);
        self.clear_repaired(&report.updated);
        self.restore_choices(&report.added);
        tracing::info!(?report, "accounts file taken in");
        let path = self.accounts_file.path();
        self.notifier.clear_about(WarningKind::CorruptFile, path.to_string_lossy());
    }
}

impl AccountRegistry {
    /// Returns the accounts that have an id, in memory or in the saved state.
    pub(crate) fn known_accounts(&self, saved: &SavedState) -> Vec<KnownAccount> {
        let mut known: Vec<KnownAccount> = self.decide(|pool, _| {
            let accounts = pool.accounts().iter().cloned().map(|account| KnownAccount {
                id: account.id.clone(),
                identity: Some(account.identity.clone()),
                label: Some(account.label.clone()),
                current: Some(account),
            });
            accounts.collect()
        });
        let in_memory: HashSet<AccountId> = known.iter().map(|account| account.id.clone()).collect();
        let only_saved = saved.accounts.iter().filter(|(id, _)| !in_memory.contains(id));
        known.extend(only_saved.map(|(id, saved)| KnownAccount {
            id: id.clone(),
            identity: saved.identity.clone(),
            label: saved.label.clone(),
            current: None,
        }));
        known
    }
}

/// The health of an account in the file, and the credential that it is about.
struct Found {
    id: AccountId,
    credential: Credential,
    flags: FileFlags,
}

impl Found {
    fn of(entry: &FileAccount, id: &AccountId) -> Self {
        let flags =
            FileFlags { needs_login: entry.needs_reauth, exhausted_until: entry.quota_exhausted_until };
        Found { id: id.clone(), credential: entry.credential(), flags }
    }
}

impl AccountRegistry {
    /// The file holds another login than memory. A login that another program stored is taken over even if it expires
    /// earlier; a login that was refreshed is an old copy.
    fn take_different(&self, entry: &Found) {
        let found = &entry.credential;
        let held = self.decide(|pool, _| pool.get(&entry.id).map(|account| account.credential.clone()));
        let Some(held) = held.filter(|held| held.refresh != found.refresh) else { return };
        if self.is_consumed(&found.refresh) {
            self.record_old_entry(&entry.id, &found.refresh, &held.refresh);
        } else if is_newer(found, &held) {
            self.decide(|pool, _| pool.set_credential(&entry.id, found.clone()));
            self.notifier.clear(WarningKind::LoginRequired, Some(&entry.id));
        }
    }

    /// Takes over what pi-multicodex wrote about known accounts. Sidecars save what they learned in the state file
    /// before they write it here, so their entries are not new.
    fn take_flags(&self, found: &[Found], saved: &SavedState) {
        self.decide(|pool, now| {
            let mut last_seen = self.saver.flags();
            let mut taken: HashSet<&AccountId> = HashSet::with_capacity(found.len());
            for entry in found.iter().filter(|entry| taken.insert(&entry.id)) {
                let before = last_seen.insert(entry.id.clone(), entry.flags);
                let Some(mut before) = before.filter(|before| *before != entry.flags) else { continue };
                if let Some((_, saved)) = saved.accounts.iter().find(|(id, _)| *id == entry.id) {
                    pool.absorb(&entry.id, &saved.health, now);
                }
                if pool
                    .get(&entry.id)
                    .is_none_or(|account| account.credential.refresh != entry.credential.refresh)
                {
                    // It is about an old credential.
                    before.needs_login = entry.flags.needs_login;
                }
                pool.take_marks(&entry.id, before, entry.flags, now);
            }
        });
    }

    /// Clears the warnings of accounts that another program logged in again. If they need it once more, they are sent
    /// again.
    fn clear_repaired(&self, updated: &[AccountId]) {
        let repaired: Vec<&AccountId> = self.decide(|pool, _| {
            let is_good = |id: &&AccountId| {
                pool.get(id).is_some_and(|account| account.health.standing == HealthStatus::Good)
            };
            updated.iter().filter(is_good).collect()
        });
        for id in repaired {
            self.notifier.clear(WarningKind::LoginRequired, Some(id));
            self.notifier.clear(WarningKind::ConsumedCredential, Some(id));
        }
    }
}
