//! Logins of other programs: pi's is merged at start and whenever its file changes, another one when the user asks for
//! it. What cannot be believed now is looked at again; nothing is ever taken for a logout that is not one.

pub(crate) mod foreign_login;
mod merged;
mod tombstone;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::auth;
use crate::clock;
use crate::pool::{Account, AccountId, Merged, SeenLogins, WhyNotImported, merge_login};
use crate::protocol::{
    ChangeReason, ErrorKind, ImportAnswer, ImportParams, ImportSource, RpcError, Warning, WarningKind,
};
use crate::secret::Secret;
use crate::sidecar::Sidecar;
use crate::sidecar::accounts::load::record_of;
use crate::sidecar::blocking::on_a_thread;
use crate::sidecar::import::foreign_login::{fingerprint, linked_account, read_copy};
use crate::sidecar::import::merged::write_merged;
use crate::store::{AuthFile, ImportsFile, LinkedCredential, NoReading, SavedAccount, StorageError};

/// How often a file that is being written is read again, and after how long each time.
const RETRIES_MS: [u64; 6] = [10, 20, 50, 100, 300, 1000];

/// pi's login and what is known about it.
pub(crate) struct Imports {
    pub(crate) auth_file: AuthFile,
    pub(crate) seen: ImportsFile,
    wake: Notify,
    /// How many wait for pi's lock.
    waiting: watch::Sender<usize>,
}

/// Somebody waits for pi's lock until this is dropped.
pub(crate) struct Waiting(watch::Sender<usize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}

impl Imports {
    pub(crate) fn new(auth_file: &Path, state_dir: &Path) -> Self {
        Imports {
            auth_file: AuthFile::new(auth_file),
            seen: ImportsFile::new(state_dir, auth_file),
            wake: Notify::new(),
            waiting: watch::Sender::new(0),
        }
    }

    /// The files may have changed: pi's login is merged soon.
    pub(crate) fn soon(&self) {
        self.wake.notify_one();
    }

    pub(crate) fn waiting(&self) -> Waiting {
        self.waiting.send_modify(|waiting| *waiting += 1);
        Waiting(self.waiting.clone())
    }

    /// Ends once somebody waits for pi's lock.
    pub(crate) async fn is_waited_for(&self) {
        // The sender lives as long as this does.
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting > 0).await;
    }
}

/// Why pi's login was not merged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotMerged {
    #[error(transparent)]
    NoReading(#[from] NoReading),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// `accounts/import`
pub(crate) async fn import(sidecar: Arc<Sidecar>, params: ImportParams) -> Result<ImportAnswer, RpcError> {
    let paths = &sidecar.options.paths;
    let path = params.path.map(PathBuf::from);
    match params.from.unwrap_or_default() {
        ImportSource::Pi => match path.filter(|path| !is_same_file(path, &paths.auth_file)) {
            None => sidecar.import_from_pi().await,
            Some(path) => sidecar.import_copy(move || read_copy(&path, ImportSource::Pi)).await,
        },
        ImportSource::Codex => {
            let path = path.unwrap_or_else(|| paths.codex_auth_file.clone());
            sidecar.import_copy(move || read_copy(&path, ImportSource::Codex)).await
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
    pub(crate) fn merge_at_start(&self) {
        if let Err(error) = self.merge_pi_login()
            && !matches!(error, NotMerged::NoReading(NoReading::Missing { .. }))
        {
            tracing::info!(%error, "pi's login is looked at again shortly");
            self.imports.soon();
        }
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
                merged => {
                    if merged.as_ref().is_ok_and(|answer| answer.warning.is_none()) {
                        let path = self.options.paths.auth_file.to_string_lossy();
                        self.notifier.settled_about(WarningKind::CorruptFile, path);
                        self.notifier.settled(WarningKind::ConsumedCredential, None);
                    }
                    return merged;
                }
            }
        }
    }

    fn merge_pi_login(&self) -> Result<ImportAnswer, NotMerged> {
        let login = self.imports.auth_file.read()?;
        // Nearly always there is nothing to do, and finding that out takes no lock.
        match &login {
            Some(login) => {
                if let Some(why_not) = self.why_not(login, &self.seen_logins()?) {
                    return Ok(self.leave_pi_login(login, why_not));
                }
            }
            None if !self.is_linked() => return Ok(ImportAnswer::default()),
            None => {}
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
            return Ok(self.leave_pi_login(&login, why_not));
        }
        let _turn = self.file_turn();
        let merged = self.merge_into_file(linked_account(&login))?;
        seen.last = Some(fingerprint(&login));
        let answer = self.take_merged(&merged);
        // What was decided on the file holds in memory, too, whichever of the two expires first.
        let credential = login.credential();
        if merged.records.iter().any(|it| it.id == merged.account && it.credential == credential) {
            self.pool().set_credential(&merged.account, credential);
        }
        Ok(answer)
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
        let why_not = seen.why_not(&fingerprint(login), self.is_consumed(&login.refresh))?;
        // pi's login is merged and nobody is linked: another program wrote the accounts file without the link. Refreshed
        // like any other, its token would be burned in pi's file.
        let is_lost = why_not == WhyNotImported::AsLastTime && !self.is_linked() && !self.is_linked_in_file();
        (!is_lost).then_some(why_not)
    }

    /// Whether the file links an account that was not linked here; another sidecar may have merged since it was read.
    /// One that cannot be read may.
    fn is_linked_in_file(&self) -> bool {
        let _turn = self.file_turn();
        if let Err(error) = self.read_accounts_again() {
            self.warn_unreadable(&error);
            return true;
        }
        let linked = self.is_linked();
        if linked {
            self.changed(ChangeReason::External);
        }
        linked
    }

    pub(crate) fn is_consumed(&self, refresh: &Secret) -> bool {
        match self.read_ledger() {
            Ok(ledger) => ledger.is_consumed(&auth::token_hash(refresh)),
            Err(error) => {
                tracing::warn!(%error, "which tokens are consumed cannot be read");
                false
            }
        }
    }

    fn leave_pi_login(&self, login: &LinkedCredential, why_not: WhyNotImported) -> ImportAnswer {
        if why_not == WhyNotImported::Consumed {
            self.note_old_pi_login(login);
        }
        self.leave(why_not)
    }

    fn leave(&self, why_not: WhyNotImported) -> ImportAnswer {
        tracing::debug!(?why_not, "pi's login is left where it is");
        if why_not == WhyNotImported::Consumed {
            let warning = consumed();
            self.notifier.warn(warning.clone());
            return ImportAnswer { warning: Some(warning), ..ImportAnswer::default() };
        }
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
            if sidecar.is_consumed(&login.credential.refresh) {
                return Ok(sidecar.leave(WhyNotImported::Consumed));
            }
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
            let mut records: Vec<Account> =
                document.accounts().map(|entry| record_of(&entry, &known, now)).collect();
            for record in &mut records {
                if self.is_meant_by_pi(&login, record) {
                    let expires_at = &mut record.credential.expires_at;
                    *expires_at = login.credential.expires_at.min(*expires_at);
                }
            }
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
        let warning = Warning {
            kind: WarningKind::CorruptFile,
            message: format!("pi's login is not taken over: {error}"),
            account: None,
            hint: Some(
                "the accounts stay as they are; it is looked at again when the file changes".to_owned(),
            ),
        };
        self.notifier.warn_about(self.options.paths.auth_file.to_string_lossy(), warning);
    }
}

fn consumed() -> Warning {
    Warning {
        kind: WarningKind::ConsumedCredential,
        message: "the login that was found has been refreshed before and is not taken over".to_owned(),
        account: None,
        hint: Some("an old copy of the file may have been put back; log in again".to_owned()),
    }
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
