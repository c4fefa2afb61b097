//! From the files into the pool: at start, and whenever someone else changes one of them. What cannot be read is
//! reported and leaves memory as it is; it is never taken for "no accounts".

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::Sidecar;
use crate::auth;
use crate::clock;
use crate::pool::{
    Account, AccountId, At, Certainty, Cooldown, Credential, FailureKind, Identity, Mark, Source, Standing,
};
use crate::protocol::{ChangeReason, Warning, WarningKind};
use crate::store::{FileAccount, Loaded, SavedAccount, SavedState, Settings, StorageError};

impl Sidecar {
    /// The first reading; blocking, because nothing can be answered before it.
    pub(super) fn load_everything(&self) {
        let saved = self.read_state();
        match self.accounts_file.load() {
            Ok(loaded) => self.take_accounts(loaded, &saved),
            Err(error) => self.warn_unreadable(&error),
        }
        self.take_choices(saved);
    }

    pub(super) fn load_settings(&self) {
        match Settings::load(&self.options.paths.settings_file) {
            Ok(settings) => {
                for problem in &settings.problems {
                    self.notifier.warn(Warning {
                        kind: WarningKind::SettingsInvalid,
                        message: format!("settings.json: {problem}"),
                        account: None,
                        hint: Some("the default is used instead".to_owned()),
                    });
                }
                self.pool().set_settings(settings.rotation);
            }
            Err(error) => self.warn_unreadable(&error),
        }
    }

    /// Takes over what others write, until the watcher ends.
    pub async fn run_watch(self: Arc<Self>, mut changed: mpsc::Receiver<PathBuf>) {
        while let Some(path) = changed.recv().await {
            let sidecar = self.clone();
            let reading = tokio::task::spawn_blocking(move || {
                let paths = &sidecar.options.paths;
                if path == paths.accounts_file {
                    sidecar.reload_accounts();
                } else if path == paths.settings_file {
                    sidecar.load_settings();
                } else {
                    sidecar.reload_state();
                }
            });
            if reading.await.is_err() {
                tracing::error!("reading a changed file panicked");
            }
        }
    }

    fn reload_accounts(&self) {
        let before = self.pool().revision();
        match self.accounts_file.load() {
            Ok(loaded) => self.take_accounts(loaded, &self.read_state()),
            Err(error) => return self.warn_unreadable(&error),
        }
        if self.pool().revision() != before {
            self.changed(ChangeReason::External);
        }
    }

    fn reload_state(&self) {
        let before = self.pool().revision();
        let saved = self.read_state();
        {
            let mut pool = self.pool();
            for (id, account) in &saved.accounts {
                pool.absorb(id, &account.health);
            }
        }
        self.take_choices(saved);
        if self.pool().revision() != before {
            self.notifier.accounts_changed(ChangeReason::External);
        }
    }

    fn read_state(&self) -> SavedState {
        let reading = self.state_file.load();
        if let Some(aside) = reading.set_aside {
            self.notifier.warn(Warning {
                kind: WarningKind::CorruptFile,
                message: format!("the state file did not parse and was set aside as {}", aside.display()),
                account: None,
                hint: Some("nothing is lost but what was known about cooldowns and usage".to_owned()),
            });
        }
        reading.state
    }

    fn take_accounts(&self, loaded: Loaded, saved: &SavedState) {
        let now = clock::now();
        let known: HashMap<&AccountId, &SavedAccount> = saved.accounts.iter().map(|(id, account)| (id, account)).collect();
        for problem in &loaded.problems {
            self.notifier.warn(Warning {
                kind: WarningKind::CorruptEntry,
                message: format!("codex-accounts.json, {problem}"),
                account: None,
                hint: Some("the entry is kept as it is and left out of rotation".to_owned()),
            });
        }
        if let Some(finding) = loaded.permissions.finding() {
            self.notifier.warn(Warning {
                kind: WarningKind::Permissions,
                message: finding,
                account: None,
                hint: Some("tokens that others could read are best replaced by a new login".to_owned()),
            });
        }
        let accounts = loaded.accounts.into_iter().map(|entry| account(entry, &known, now)).collect();
        let report = self.pool().sync(accounts, now);
        tracing::info!(?report, "accounts file taken in");
        self.notifier.settled(WarningKind::CorruptFile, None);
    }

    fn take_choices(&self, saved: SavedState) {
        let mut pool = self.pool();
        pool.restore_choices(saved.choices());
        pool.restore_affinity(saved.sessions);
    }

    fn warn_unreadable(&self, error: &StorageError) {
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
fn account(entry: FileAccount, known: &HashMap<&AccountId, &SavedAccount>, now: At) -> Account {
    let claims = auth::claims(&entry.access);
    let identity = Identity {
        workspace_id: claims.identity.workspace_id.or(entry.account_id),
        user_id: claims.identity.user_id,
    };
    let id = auth::account_id(&identity, &entry.email);
    let credential = Credential { access: entry.access, refresh: entry.refresh, expires_at: entry.expires_at };
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
            health.standing =
                Standing::NeedsLogin(file_mark(FailureKind::LoginRequired, "marked in codex-accounts.json", now));
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
