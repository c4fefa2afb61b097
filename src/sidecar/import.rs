//! Logins of other programs: pi's is merged at start and whenever its file changes, another one when the user asks for
//! it. What cannot be believed now is looked at again; nothing is ever taken for a logout that is not one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::Sidecar;
use super::blocking::on_a_thread;
use super::load::record_of;
use crate::auth;
use crate::clock;
use crate::pool::{
    Account, AccountId, At, Credential, Identity, Merged, SeenLogins, Standing, WhyNotImported, merge_login,
};
use crate::protocol::{
    ChangeReason, ErrorKind, ImportAnswer, ImportParams, ImportSource, RpcError, Warning, WarningKind,
};
use crate::secret::Secret;
use crate::store::{
    AuthFile, CodexLogin, Document, EditRefused, FileAccount, ImportsFile, LinkedCredential, NoReading,
    SavedAccount, StorageError,
};

/// How often a file that is being written is read again, and after how long each time.
const RETRIES_MS: [u64; 6] = [10, 20, 50, 100, 300, 1000];

/// pi's login and what is known about it.
pub(super) struct Imports {
    pub(super) auth_file: AuthFile,
    seen: ImportsFile,
    wake: Notify,
}

impl Imports {
    pub(super) fn new(auth_file: &Path, state_dir: &Path) -> Self {
        Imports {
            auth_file: AuthFile::new(auth_file),
            seen: ImportsFile::new(state_dir, auth_file),
            wake: Notify::new(),
        }
    }

    /// The files may have changed: pi's login is merged soon.
    pub(super) fn soon(&self) {
        self.wake.notify_one();
    }
}

/// Why pi's login was not merged.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotMerged {
    #[error(transparent)]
    NoReading(#[from] NoReading),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// `accounts/import`
pub(super) async fn import(sidecar: Arc<Sidecar>, params: ImportParams) -> Result<ImportAnswer, RpcError> {
    let paths = &sidecar.options.paths;
    let path = params.path.map(PathBuf::from);
    match params.from.unwrap_or_default() {
        ImportSource::Pi => match path.filter(|path| !is_same_file(path, &paths.auth_file)) {
            None => sidecar.import_from_pi().await,
            Some(path) => sidecar.import_copy(move || read_pi_copy(path)).await,
        },
        ImportSource::Codex => {
            let path = path.unwrap_or_else(|| paths.codex_auth_file.clone());
            sidecar.import_copy(move || read_codex_copy(&path)).await
        }
    }
}

impl Sidecar {
    /// Merges pi's login whenever it may have changed.
    pub async fn run_imports(self: Arc<Self>) {
        loop {
            self.imports.wake.notified().await;
            match self.merge_settled().await {
                Ok(_) | Err(NotMerged::NoReading(NoReading::Missing { .. })) => {}
                Err(error) => self.warn_not_merged(&error),
            }
        }
    }

    /// The first merge, before anything is answered: who is signed in to pi belongs into the first answer. It costs a
    /// look at two small files, unless pi holds another login than the last time.
    pub(super) fn merge_at_start(&self) {
        if let Err(error) = self.merge_pi_login()
            && !matches!(error, NotMerged::NoReading(NoReading::Missing { .. }))
        {
            tracing::info!(%error, "pi's login is looked at again shortly");
            self.imports.soon();
        }
    }

    /// The user removed the account that pi is logged in with: it does not come back until pi holds another login.
    pub(super) async fn forget_pi_login(self: &Arc<Self>) -> Result<(), StorageError> {
        let sidecar = self.clone();
        on_a_thread(move || {
            let Ok(Some(login)) = sidecar.imports.auth_file.read() else { return Ok(()) };
            let removed = fingerprint(&login);
            sidecar.imports.seen.change(clock::now(), |seen| seen.removed = Some(removed))
        })
        .await
    }

    async fn import_from_pi(self: &Arc<Self>) -> Result<ImportAnswer, RpcError> {
        match self.merge_settled().await {
            Ok(answer) => Ok(answer),
            Err(NotMerged::NoReading(NoReading::Missing { .. })) => Ok(ImportAnswer::default()),
            Err(NotMerged::NoReading(error)) => Err(RpcError::new(ErrorKind::Storage, error.to_string())),
            Err(NotMerged::Storage(error)) => Err(error.into()),
        }
    }

    /// Reads again what is half-written until it is whole, but not for ever.
    async fn merge_settled(self: &Arc<Self>) -> Result<ImportAnswer, NotMerged> {
        let mut retries = RETRIES_MS.iter();
        loop {
            let sidecar = self.clone();
            match on_a_thread(move || sidecar.merge_pi_login()).await {
                Err(NotMerged::NoReading(NoReading::HalfWritten { .. }))
                    if let Some(pause) = retries.next() =>
                {
                    tokio::time::sleep(Duration::from_millis(*pause)).await;
                }
                merged => return merged,
            }
        }
    }

    fn merge_pi_login(&self) -> Result<ImportAnswer, NotMerged> {
        let login = self.imports.auth_file.read()?;
        // Nearly always there is nothing to do, and finding that out takes no lock.
        let why_not = match &login {
            Some(login) => self.why_not(login, &self.seen_logins()?),
            None => (!self.is_linked()).then_some(WhyNotImported::AsLastTime),
        };
        if let Some(why_not) = why_not {
            return Ok(self.leave(why_not));
        }
        // Of two merges at once the later one also reads later, so that no older login comes on top.
        self.imports.seen.change(clock::now(), |seen| self.merge_seen(seen))?
    }

    fn merge_seen(&self, seen: &mut SeenLogins) -> Result<ImportAnswer, NotMerged> {
        let Some(login) = self.imports.auth_file.read()? else {
            seen.last = None;
            return Ok(self.unlink()?);
        };
        if let Some(why_not) = self.why_not(&login, &self.with_its_accounts(seen.clone())) {
            return Ok(self.leave(why_not));
        }
        let _turn = self.file_turn();
        let merged = self.merge_into_file(linked_account(&login))?;
        seen.last = Some(fingerprint(&login));
        Ok(self.take_merged(&merged))
    }

    fn seen_logins(&self) -> Result<SeenLogins, StorageError> {
        self.imports.seen.load().map(|seen| self.with_its_accounts(seen))
    }

    /// What was merged is gone when the file it was merged into is.
    fn with_its_accounts(&self, mut seen: SeenLogins) -> SeenLogins {
        seen.last.take_if(|_| !self.options.paths.accounts_file.exists());
        seen
    }

    fn is_linked(&self) -> bool {
        self.pool().accounts().iter().any(|account| account.linked)
    }

    fn why_not(&self, login: &LinkedCredential, seen: &SeenLogins) -> Option<WhyNotImported> {
        seen.why_not(&fingerprint(login), false)
    }

    fn leave(&self, why_not: WhyNotImported) -> ImportAnswer {
        tracing::debug!(?why_not, "pi's login is left where it is");
        let pool = self.pool();
        let unchanged = pool.accounts().iter().filter(|account| account.linked);
        ImportAnswer {
            unchanged: unchanged.map(|account| account.id.to_string()).collect(),
            ..ImportAnswer::default()
        }
    }

    /// pi was logged out, by a file that parses and has no login: its account stays, and belongs to nobody else now.
    fn unlink(&self) -> Result<ImportAnswer, StorageError> {
        let linked: Vec<(AccountId, String)> = {
            let pool = self.pool();
            let linked = pool.accounts().iter().filter(|account| account.linked);
            linked.map(|account| (account.id.clone(), account.label.clone())).collect()
        };
        tracing::info!(accounts = ?linked, "pi was logged out; what it was logged in with is not linked any more");
        let _turn = self.file_turn();
        self.accounts_file.change(|document| {
            for (_, label) in &linked {
                // Whoever took it away meanwhile took the link with it.
                let _ = document.set_linked(label, false);
            }
        })?;
        self.read_accounts_again()?;
        self.changed(ChangeReason::Import);
        let updated = linked.iter().map(|(id, _)| id.to_string()).collect();
        Ok(ImportAnswer { changed: true, updated, ..ImportAnswer::default() })
    }

    /// A login that someone else goes on using: two owners of one refresh token will get in each other's way.
    async fn import_copy(
        self: &Arc<Self>,
        read: impl FnOnce() -> Result<Account, RpcError> + Send + 'static,
    ) -> Result<ImportAnswer, RpcError> {
        let sidecar = self.clone();
        on_a_thread(move || {
            let login = read()?;
            let id = login.id.clone();
            let _turn = sidecar.file_turn();
            let merged = sidecar.merge_into_file(login)?;
            let mut answer = sidecar.take_merged(&merged);
            if !merged.records.iter().any(|record| record.id == merged.account && record.linked) {
                let warning = shared(&id);
                sidecar.notifier.warn(warning.clone());
                answer.warning = Some(warning);
            }
            Ok(answer)
        })
        .await
    }

    /// Lock, read, merge, write.
    fn merge_into_file(&self, login: Account) -> Result<Merged, StorageError> {
        let saved = self.read_state();
        let known: HashMap<&AccountId, &SavedAccount> =
            saved.accounts.iter().map(|(id, saved)| (id, saved)).collect();
        let now = clock::now();
        self.accounts_file.change(|document| {
            let records = document.accounts().map(|entry| record_of(entry, &known, now)).collect();
            let merged = merge_login(records, login);
            if merged.changed()
                && let Err(refused) = write_merged(document, &merged)
            {
                // The labels were read from this very document.
                tracing::error!(%refused, "a login was merged only in part");
            }
            merged
        })
    }

    /// From the file into memory, where pin and sessions follow what was folded.
    fn take_merged(&self, merged: &Merged) -> ImportAnswer {
        if merged.changed() {
            {
                let mut pool = self.pool();
                for gone in &merged.gone {
                    pool.follow(gone, &merged.account);
                }
            }
            if let Err(error) = self.read_accounts_again() {
                self.warn_unreadable(&error);
            }
            {
                let mut pool = self.pool();
                for added in &merged.added {
                    pool.queue_last(added, clock::now());
                }
            }
            tracing::info!(
                account = %merged.account,
                added = ?merged.added,
                updated = ?merged.updated,
                folded = ?merged.folded,
                unlinked = ?merged.unlinked,
                "a login was merged"
            );
            self.notifier.settled(WarningKind::LoginRequired, Some(&merged.account));
            self.changed(ChangeReason::Import);
        }
        let ids = |ids: &[AccountId]| ids.iter().map(ToString::to_string).collect();
        ImportAnswer {
            changed: merged.changed(),
            added: ids(&merged.added),
            updated: ids(&merged.updated),
            unchanged: ids(&merged.unchanged),
            warning: None,
        }
    }

    fn warn_not_merged(&self, error: &NotMerged) {
        self.notifier.warn(Warning {
            kind: WarningKind::CorruptFile,
            message: format!("pi's login is not taken over: {error}"),
            account: None,
            hint: Some(
                "the accounts stay as they are; it is looked at again when the file changes".to_owned(),
            ),
        });
    }
}

fn fingerprint(login: &LinkedCredential) -> String {
    auth::fingerprint(&login.credential(), login.account_id.as_deref())
}

fn linked_account(login: &LinkedCredential) -> Account {
    let mut account = account_of(login.credential(), None, login.account_id.clone());
    account.linked = true;
    account
}

fn read_pi_copy(path: PathBuf) -> Result<Account, RpcError> {
    let refused = |message: String| RpcError::new(ErrorKind::Storage, message);
    match AuthFile::new(&path).read() {
        Ok(Some(login)) => Ok(account_of(login.credential(), None, login.account_id)),
        Ok(None) => Err(refused(format!("{} holds no ChatGPT login", path.display()))),
        Err(error) => Err(refused(error.to_string())),
    }
}

fn read_codex_copy(path: &Path) -> Result<Account, RpcError> {
    let login = CodexLogin::read(path)?;
    // Without a date in the token it counts as expired, so that it is renewed before it is used.
    let expires_at = auth::claims(&login.access).expires_at.unwrap_or(At(0));
    let credential = Credential { access: login.access, refresh: login.refresh, expires_at };
    Ok(account_of(credential, login.id_token.as_ref(), login.account_id))
}

/// Who a credential belongs to, by its access token first. The label is chosen by the merge.
fn account_of(credential: Credential, id_token: Option<&Secret>, account_id: Option<String>) -> Account {
    let claims = auth::claims(&credential.access);
    let more = id_token.map(auth::claims).unwrap_or_default();
    let identity = Identity {
        workspace_id: claims.identity.workspace_id.or(account_id).or(more.identity.workspace_id),
        user_id: claims.identity.user_id.or(more.identity.user_id),
    };
    let email = claims.email.or(more.email);
    // Of a login that names nobody the credential itself is the name.
    let fallback = auth::fingerprint(&credential, None);
    let id = auth::account_id(&identity, &fallback);
    let mut account = Account::new(id, identity, String::new(), credential);
    account.email = email;
    account.plan = claims.plan.or(more.plan);
    account
}

/// Brings the file's entries to what was merged, by the labels they bear.
fn write_merged(document: &mut Document, merged: &Merged) -> Result<(), EditRefused> {
    let Some(account) = merged.records.iter().find(|record| record.id == merged.account) else {
        return Ok(());
    };
    let was_active = |label: &str| {
        document.active_email().is_some_and(|active| active.to_lowercase() == label.to_lowercase())
    };
    let active = merged.folded.iter().any(|label| was_active(label));
    for label in &merged.folded {
        document.remove(label)?;
    }
    for label in &merged.unlinked {
        document.set_linked(label, false)?;
    }
    let mut entry = FileAccount {
        email: account.label.clone(),
        access: account.credential.access.clone(),
        refresh: account.credential.refresh.clone(),
        expires_at: account.credential.expires_at,
        account_id: account.identity.workspace_id.clone(),
        last_used_at: None,
        quota_exhausted_until: None,
        linked: account.linked,
        needs_reauth: matches!(account.health.standing, Standing::NeedsLogin(_)),
    };
    if let Some(before) = &merged.label_before {
        document.rename(before, &account.label)?;
        if let Some(known) = document.accounts().find(|known| known.email == account.label) {
            entry.last_used_at = known.last_used_at;
            entry.quota_exhausted_until = known.quota_exhausted_until;
            entry.account_id = entry.account_id.or(known.account_id);
        }
    }
    document.put(&entry);
    if active {
        document.set_active(Some(&account.label));
    }
    Ok(())
}

fn shared(account: &AccountId) -> Warning {
    Warning {
        kind: WarningKind::SharedCredential,
        message:
            "this login is also used by the program it was copied from; whichever of the two renews it first \
                  signs the other one out"
                .to_owned(),
        account: Some(account.to_string()),
        hint: Some("give this account a login of its own with `reauth`".to_owned()),
    }
}

fn is_same_file(path: &Path, other: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    real(path) == real(other)
}
