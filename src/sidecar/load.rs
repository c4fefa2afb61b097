//! From the files into the pool: at start, and whenever someone else changes one of them. What cannot be read is
//! reported and leaves memory as it is; it is never taken for "no accounts".

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Sidecar;
use super::blocking::on_a_thread;
use crate::auth;
use crate::clock;
use crate::pool::{
    Account, AccountId, At, Certainty, Cooldown, Credential, FailureKind, Identity, Mark, Source, Standing,
};
use crate::protocol::{ChangeReason, Warning, WarningKind};
use crate::store::{
    self, FileAccount, Loaded, PermissionFinding, STATE_FILE, SavedAccount, SavedState, SettingsFile,
    StorageError,
};
use crate::watch::Watch;

impl Sidecar {
    /// The first reading; blocking, because nothing can be answered before it.
    pub(super) fn load_everything(&self) {
        let saved = self.read_state();
        match self.accounts_file.load() {
            Ok(loaded) => self.take_accounts(loaded, &saved),
            Err(error) => self.warn_unreadable(&error),
        }
        self.take_state(saved);
    }

    pub(super) fn load_settings(&self) {
        match SettingsFile::new(self.options.paths.settings_file.clone()).load() {
            Ok(settings) => {
                for problem in &settings.problems {
                    self.notifier.warn(Warning {
                        kind: WarningKind::SettingsInvalid,
                        message: format!("settings.json: {} must be {}", problem.path, problem.expected),
                        account: None,
                        hint: Some("the default is used instead".to_owned()),
                    });
                }
                self.pool().set_settings(settings.rotation);
            }
            Err(error) => self.warn_unreadable(&error),
        }
    }

    /// Takes over what others write, for as long as it is polled. Starting to watch takes milliseconds, so it happens
    /// beside the first requests; what changed meanwhile is read once it has begun.
    pub async fn run_watch(self: Arc<Self>) {
        let paths = &self.options.paths;
        let watched = vec![
            paths.accounts_file.clone(),
            paths.settings_file.clone(),
            paths.auth_file.clone(),
            paths.state_dir.join(STATE_FILE),
        ];
        let every_file = watched.clone();
        let started = on_a_thread(move || Watch::start(watched)).await;
        let (_watch, mut changed) = match started {
            Ok(watching) => watching,
            Err(error) => {
                tracing::warn!(%error, "files are not watched; changes by others are seen after a restart");
                return;
            }
        };
        for path in every_file {
            self.clone().reload(path).await;
        }
        while let Some(path) = changed.recv().await {
            self.clone().reload(path).await;
        }
    }

    async fn reload(self: Arc<Self>, path: PathBuf) {
        on_a_thread(move || {
            let paths = &self.options.paths;
            if path == paths.accounts_file {
                self.reload_accounts();
            } else if path == paths.settings_file {
                self.load_settings();
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

    pub(super) fn read_accounts_again(&self) -> Result<(), StorageError> {
        let loaded = self.accounts_file.load()?;
        self.take_accounts(loaded, &self.read_state());
        Ok(())
    }

    fn reload_state(&self) {
        let before = self.pool().revision();
        self.take_state(self.read_state());
        if self.pool().revision() != before {
            self.notifier.accounts_changed(ChangeReason::External);
        }
    }

    pub(super) fn read_state(&self) -> SavedState {
        let reading = match self.state_file.load(clock::now()) {
            Ok(reading) => reading,
            Err(error) => {
                self.warn_unreadable(&error);
                return SavedState::default();
            }
        };
        if let Some(aside) = reading.set_aside {
            self.warn_set_aside(&aside);
        }
        reading.state
    }

    pub(super) fn warn_set_aside(&self, aside: &Path) {
        self.notifier.warn(Warning {
            kind: WarningKind::CorruptFile,
            message: format!("the state file did not parse and was set aside as {}", aside.display()),
            account: None,
            hint: Some("nothing is lost but what was known about cooldowns and usage".to_owned()),
        });
    }

    fn take_accounts(&self, loaded: Loaded, saved: &SavedState) {
        let now = clock::now();
        for problem in &loaded.problems {
            self.notifier.warn(Warning {
                kind: WarningKind::CorruptEntry,
                message: match &problem.label {
                    Some(label) => format!("codex-accounts.json, {label}: {}", problem.message),
                    None => format!("codex-accounts.json, entry {}: {}", problem.index + 1, problem.message),
                },
                account: None,
                hint: (!problem.used)
                    .then(|| "the entry is kept as it is and left out of rotation".to_owned()),
            });
        }
        if let PermissionFinding::Wide { mode } = loaded.permissions {
            if let Err(error) = store::narrow(&self.options.paths.accounts_file) {
                tracing::warn!(%error, "the permissions could not be narrowed");
            }
            self.notifier.warn(Warning {
                kind: WarningKind::Permissions,
                message: format!("codex-accounts.json had mode {mode:04o}, so others could read or write it; it was narrowed"),
                account: None,
                hint: Some("tokens that others could read are best replaced by a new login".to_owned()),
            });
        }
        let known: HashMap<&AccountId, &SavedAccount> =
            saved.accounts.iter().map(|(id, saved)| (id, saved)).collect();
        let accounts = loaded.accounts.into_iter().map(|entry| record_of(entry, &known, now)).collect();
        let report = self.pool().sync(accounts, now);
        tracing::info!(?report, "accounts file taken in");
        self.notifier.settled(WarningKind::CorruptFile, None);
    }

    pub(super) fn warn_unreadable(&self, error: &StorageError) {
        self.notifier.warn(Warning {
            kind: WarningKind::CorruptFile,
            message: error.to_string(),
            account: None,
            hint: Some("nothing is overwritten; repair or remove the file".to_owned()),
        });
    }
}

/// An account as the file tells it, with what the state dir remembers. The file is the truth about `needsReauth`: the
/// ancestor clears it there when a login repaired the account.
pub(super) fn record_of(entry: FileAccount, known: &HashMap<&AccountId, &SavedAccount>, now: At) -> Account {
    let claims = auth::claims(&entry.access);
    let identity = Identity {
        workspace_id: claims.identity.workspace_id.or(entry.account_id),
        user_id: claims.identity.user_id,
    };
    let id = auth::account_id(&identity, &entry.email);
    let credential =
        Credential { access: entry.access, refresh: entry.refresh, expires_at: entry.expires_at };
    let mut account = Account::new(id, identity, entry.email, credential);
    account.email = claims.email.or_else(|| account.label.contains('@').then(|| account.label.clone()));
    account.plan = claims.plan;
    account.linked = entry.linked;
    if let Some(saved) = known.get(&account.id) {
        account.health = saved.health.clone();
        account.plan = saved.plan.clone().or(account.plan);
    }
    let health = &mut account.health;
    match (entry.needs_reauth, &health.standing) {
        (true, Standing::Good) => {
            health.standing = Standing::NeedsLogin(file_mark(
                FailureKind::LoginRequired,
                "marked in codex-accounts.json",
                now,
            ));
        }
        (false, Standing::NeedsLogin(_)) => health.standing = Standing::Good,
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
            why: file_mark(FailureKind::UsageLimit, "marked in codex-accounts.json", now),
        });
    }
    health.last_used_at = health.last_used_at.max(entry.last_used_at);
    account
}

fn file_mark(kind: FailureKind, message: &str, now: At) -> Mark {
    Mark { kind, code: None, message: message.to_owned(), since: now, source: Source::File }
}
