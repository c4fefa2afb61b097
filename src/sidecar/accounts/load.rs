//! From the files into the pool: at start, and whenever someone else changes one of them. What cannot be read is
//! reported and leaves memory as it is; it is never taken for "no accounts".

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::auth;
use crate::clock;
use crate::pool::{
    Account, AccountId, At, Certainty, Cooldown, Credential, FailureKind, FileFlags, HealthEvidence,
    HealthStatus, Identity, Pool,
};
use crate::protocol::{ChangeReason, WarningKind};
use crate::sidecar::Sidecar;
use crate::sidecar::blocking::on_a_thread;
use crate::sidecar::credentials::freshness::is_newer;
use crate::store::{
    FileAccount, Loaded, PermissionFinding, STATE_FILE, SavedAccount, SavedState, StorageError,
};
use crate::watch::Watch;

impl Sidecar {
    /// The first reading; blocking, because nothing can be answered before it.
    pub(crate) fn load_everything(&self) {
        let read = clock::now();
        let saved = self.read_state();
        match self.accounts_file.load() {
            Ok(loaded) => self.take_accounts(loaded, &saved),
            Err(error) => self.warn_unreadable(&error),
        }
        self.take_state(saved, read);
    }

    /// As the first reading, but nothing is mended by it.
    pub(crate) fn inspect_everything(&self) {
        let read = clock::now();
        let saved = self.state_file.look().unwrap_or_default();
        match self.accounts_file.load() {
            Ok(loaded) => self.take_entries(loaded.accounts, &saved),
            Err(error) => self.warn_unreadable(&error),
        }
        self.take_state(saved, read);
    }

    /// Takes over what others write, for as long as it is polled. Starting to watch takes milliseconds, so it happens
    /// beside the first requests; what changed meanwhile is read once it has begun.
    pub async fn run_watch(self: Arc<Self>) {
        let watched = self.watched_files();
        let every_file = watched.clone();
        let started = on_a_thread(move || Watch::start(watched)).await;
        let (watch, mut changed) = match started {
            Ok(watching) => watching,
            Err(error) => {
                tracing::warn!(%error, "files are not watched; changes by others are seen after a restart");
                return;
            }
        };
        let _ = self.watching.set(watch.report());
        for path in every_file {
            self.clone().reload(path).await;
        }
        while let Some(path) = changed.recv().await {
            self.clone().reload(path).await;
        }
    }

    pub(crate) fn watched_files(&self) -> Vec<PathBuf> {
        let paths = &self.options.paths;
        vec![
            paths.accounts_file.clone(),
            paths.settings_file.clone(),
            paths.auth_file.clone(),
            paths.state_dir.join(STATE_FILE),
        ]
    }

    async fn reload(self: Arc<Self>, path: PathBuf) {
        on_a_thread(move || {
            let paths = &self.options.paths;
            if path == paths.accounts_file {
                self.reload_accounts();
            } else if path == paths.settings_file {
                self.reload_settings();
            } else if path == paths.auth_file {
                self.imports.soon();
            } else {
                self.reload_state();
            }
        })
        .await;
    }

    fn reload_accounts(&self) {
        let _turn = self.file_turn();
        let before = self.pool().revision();
        if let Err(error) = self.read_accounts_again() {
            return self.warn_unreadable(&error);
        }
        // A login that could not be merged while the file was unusable, or whose account went away with it, can be now.
        self.imports.soon();
        if self.pool().revision() != before {
            self.changed(ChangeReason::External);
        }
    }

    pub(crate) fn read_accounts_again(&self) -> Result<(), StorageError> {
        let loaded = self.accounts_file.load()?;
        self.take_accounts(loaded, &self.read_state());
        Ok(())
    }

    fn reload_state(&self) {
        let read = clock::now();
        if self.take_state(self.read_state(), read) {
            self.notifier.accounts_changed(ChangeReason::External);
        }
    }

    pub(crate) fn read_state(&self) -> SavedState {
        let reading = match self.state_file.load(clock::now()) {
            Ok(reading) => reading,
            Err(error) => {
                self.warn_unreadable(&error);
                return SavedState::default();
            }
        };
        let path = self.state_file.path();
        self.notifier.settled_about(WarningKind::CorruptFile, path.to_string_lossy());
        if let Some(aside) = reading.set_aside {
            self.warn_set_aside(&aside);
        }
        reading.state
    }

    fn take_accounts(&self, loaded: Loaded, saved: &SavedState) {
        self.warn_of_entries(&loaded.problems);
        if let PermissionFinding::Wide { mode } = loaded.permissions {
            self.narrow_accounts_file(mode);
        }
        self.warn_of_a_shared_folder();
        self.take_entries(loaded.accounts, saved);
    }

    fn take_entries(&self, entries: Vec<FileAccount>, saved: &SavedState) {
        let now = clock::now();
        let known: HashMap<&AccountId, &SavedAccount> =
            saved.accounts.iter().map(|(id, saved)| (id, saved)).collect();
        let (found, accounts) = entries
            .iter()
            .map(|entry| {
                let account = identified(entry);
                (Found::of(entry, &account.id), remembered(account, entry, &known, now))
            })
            .unzip::<_, _, Vec<_>, Vec<_>>();
        self.note_choices(now);
        let report = self.pool().sync(accounts, now);
        found.iter().for_each(|entry| self.take_different(entry));
        self.take_marks(&found, saved, now);
        self.settle_repaired(&report.updated);
        self.restore_choices(&report.added);
        tracing::info!(?report, "accounts file taken in");
        let path = self.accounts_file.path();
        self.notifier.settled_about(WarningKind::CorruptFile, path.to_string_lossy());
    }
}

/// What an entry of the file says about the health of its account, and of which credential it says so.
struct Found {
    id: AccountId,
    credential: Credential,
    marks: FileFlags,
}

impl Found {
    fn of(entry: &FileAccount, id: &AccountId) -> Self {
        let marks =
            FileFlags { needs_login: entry.needs_reauth, exhausted_until: entry.quota_exhausted_until };
        Found { id: id.clone(), credential: entry.credential(), marks }
    }
}

impl Sidecar {
    /// The file holds another login than memory does. One that another program stored is taken over although it will not
    /// live as long as the credential held; one that was refreshed is an old copy.
    fn take_different(&self, entry: &Found) {
        let found = &entry.credential;
        let held = self.pool().get(&entry.id).map(|account| account.credential.clone());
        let Some(held) = held.filter(|held| held.refresh != found.refresh) else { return };
        if self.is_consumed(&found.refresh) {
            self.note_old_entry(&entry.id, &found.refresh, &held.refresh);
        } else if is_newer(found, &held) {
            self.pool().set_credential(&entry.id, found.clone());
            self.notifier.settled(WarningKind::LoginRequired, Some(&entry.id));
        }
    }

    /// What the extension marks of an account that is known already. Sidecars save what they learned before they mark
    /// it, so theirs is known from the state and is no news here.
    fn take_marks(&self, found: &[Found], saved: &SavedState, now: At) {
        let mut pool = self.pool();
        let mut last_seen = self.persist.marks();
        let mut taken: HashSet<&AccountId> = HashSet::with_capacity(found.len());
        for entry in found.iter().filter(|entry| taken.insert(&entry.id)) {
            let before = last_seen.insert(entry.id.clone(), entry.marks);
            let Some(mut before) = before.filter(|before| *before != entry.marks) else { continue };
            if let Some((_, saved)) = saved.accounts.iter().find(|(id, _)| *id == entry.id) {
                pool.absorb(&entry.id, &saved.health, now);
            }
            if pool
                .get(&entry.id)
                .is_none_or(|account| account.credential.refresh != entry.credential.refresh)
            {
                // It says so of a credential that is out of date.
                before.needs_login = entry.marks.needs_login;
            }
            pool.take_marks(&entry.id, before, entry.marks, now);
        }
    }

    /// Accounts that someone else logged in again: should they need it once more, it is said once more.
    fn settle_repaired(&self, updated: &[AccountId]) {
        let pool = self.pool();
        let is_good =
            |id: &&AccountId| pool.get(id).is_some_and(|it| it.health.standing == HealthStatus::Good);
        for id in updated.iter().filter(is_good) {
            self.notifier.settled(WarningKind::LoginRequired, Some(id));
            self.notifier.settled(WarningKind::ConsumedCredential, Some(id));
        }
    }
}

/// The labels of all records in the file that are of this account.
pub(crate) fn labels_of(id: &AccountId, entries: impl Iterator<Item = FileAccount>, now: At) -> Vec<String> {
    let mut alone = Pool::default();
    let accounts = entries.map(|entry| record_of(&entry, &HashMap::new(), now)).collect();
    let folded = alone.sync(accounts, now).folded;
    let kept = alone.get(id).map(|account| account.label.clone());
    let folded = folded.into_iter().filter(|(kept, _)| kept == id).map(|(_, label)| label);
    kept.into_iter().chain(folded).collect()
}

/// An account as its entry in the file tells it, and nothing more.
pub(crate) fn identified(entry: &FileAccount) -> Account {
    let claims = auth::claims(&entry.access);
    let identity = Identity {
        workspace_id: claims.identity.workspace_id.or_else(|| entry.account_id.clone()),
        user_id: claims.identity.user_id,
    };
    let id = auth::account_id(&identity, &entry.email);
    let mut account = Account::new(id, identity, entry.email.clone(), entry.credential());
    account.email = claims.email.or_else(|| account.label.contains('@').then(|| account.label.clone()));
    account.plan = claims.plan;
    account.linked = entry.linked;
    account
}

/// An account as its entry and the state dir tell it.
pub(crate) fn record_of(entry: &FileAccount, known: &HashMap<&AccountId, &SavedAccount>, now: At) -> Account {
    remembered(identified(entry), entry, known, now)
}

/// The account of this entry with what the state dir remembers of it. The file is the truth about `needsReauth`: the
/// ancestor clears it there when a login repaired the account.
fn remembered(
    mut account: Account,
    entry: &FileAccount,
    known: &HashMap<&AccountId, &SavedAccount>,
    now: At,
) -> Account {
    if let Some(saved) = known.get(&account.id) {
        account.health = saved.health.clone();
        account.plan = saved.plan.clone().or(account.plan);
    }
    let health = &mut account.health;
    match (entry.needs_reauth, &health.standing) {
        (true, HealthStatus::Good) => {
            health.standing =
                HealthStatus::NeedsLogin(HealthEvidence::in_file(FailureKind::LoginRequired, now));
        }
        (false, HealthStatus::NeedsLogin(_)) => health.standing = HealthStatus::Good,
        _ => {}
    }
    if let Some(until) = entry.quota_exhausted_until.filter(|until| *until > now)
        && health.cooldown.is_none()
        && health.withdrawn_at.is_none()
    {
        health.cooldown = Some(Cooldown {
            until,
            certainty: Certainty::Prediction,
            quoted_reset: None,
            why: HealthEvidence::in_file(FailureKind::UsageLimit, now),
        });
    }
    health.last_used_at = health.last_used_at.max(entry.last_used_at);
    account
}
