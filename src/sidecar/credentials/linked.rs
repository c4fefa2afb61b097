//! The account that belongs to pi: its credential is renewed under pi's own lock and written back where pi finds it.
//! An entry that is of someone else meanwhile is never overwritten, and a newer one only by a login.

use std::sync::Arc;
use std::time::Duration;

use super::TokenRefresher;
use super::refresh_token::storage;
use crate::pool::{Account, AccountId, Credential, Failure, FailureKind, Source};
use crate::protocol::{Warning, WarningKind};
use crate::sidecar::accounts::{Origin, is_of};
use crate::sidecar::blocking::on_a_thread;
use crate::sidecar::import::foreign_login::identity_of;
use crate::store::{LinkedCredential, LockDirectory, NoReading, StorageError, rehearse_replacement};

/// pi holds its lock while it asks us for a token, so a client is not kept waiting for it: protocol section 8.
const CLIENT_PATIENCE: Duration = Duration::from_secs(2);
/// How often a write is tried whose lock was taken from us.
const WRITES: u32 = 3;

/// pi's lock, and the login it had when the lock was taken.
pub(crate) struct PiLogin {
    lock: LockDirectory,
    /// None when pi is logged out, or with another account by now.
    login: Option<LinkedCredential>,
}

impl PiLogin {
    pub(crate) fn credential(&self) -> Option<Credential> {
        self.login.as_ref().map(LinkedCredential::credential)
    }
}

impl TokenRefresher {
    /// Whether the account's token is pi's, too: it is linked, or the token stands in pi's file. A program that wrote the
    /// accounts file without the link did not make the token its own.
    pub(crate) async fn is_shared_with_pi(self: &Arc<Self>, account: &Account) -> bool {
        let (imports, refresh) = (self.imports.clone(), account.credential.refresh.clone());
        let in_its_file =
            move || matches!(imports.auth_file().read(), Ok(Some(login)) if login.refresh == refresh);
        account.linked || on_a_thread(in_its_file).await
    }

    /// Waits for pi's lock and reads pi's login under it. Before any other lock: whoever holds pi's may take its time,
    /// and the other accounts shall not wait for that. Clients that wait for the account's token are told meanwhile.
    pub(crate) async fn lock_pi_login(self: &Arc<Self>, account: &Account) -> Result<PiLogin, Failure> {
        let waiting = self.imports.waiting();
        let locked = self.lock_pi_login_for(account, self.timing.lock_patience).await;
        drop(waiting);
        locked.map_err(|error| storage(&error))
    }

    /// The same where no client waits for what comes of it.
    pub(crate) async fn lock_pi_login_for(
        self: &Arc<Self>,
        account: &Account,
        patience: Duration,
    ) -> Result<PiLogin, StorageError> {
        let (refresher, account) = (self.clone(), account.clone());
        on_a_thread(move || {
            let lock = LockDirectory::acquire(refresher.imports.auth_file().path(), patience)?;
            refresher.read_pi_login(lock, &account)
        })
        .await
    }

    /// Finds out whether pi's file can be locked, read and written now, so that no one goes through a login that pi would
    /// not get.
    pub(crate) async fn ensure_pi_can_follow(
        self: &Arc<Self>,
        account: &Account,
    ) -> Result<(), StorageError> {
        let _lock = self.lock_pi_login_for(account, CLIENT_PATIENCE).await?;
        self.ensure_pi_file_writable().await
    }

    /// Ends when the account's token has expired and pi's lock was waited for too long; never for another account.
    pub(crate) async fn pi_stays_busy(&self, id: &AccountId) -> Failure {
        let depends_on_pi = self.registry.decide(|pool, now| {
            pool.get(id).is_some_and(|account| account.linked && account.credential.expires_at <= now)
        });
        if !depends_on_pi {
            return std::future::pending().await;
        }
        tokio::time::sleep(CLIENT_PATIENCE).await;
        self.imports.is_waited_for().await;
        storage(&StorageError::Locked { path: self.imports.auth_file().path().to_owned() })
    }

    /// Whether the new credential of a linked account could be stored, found out before the old one is sent. The caller holds
    /// pi's lock.
    pub(crate) async fn ensure_pi_file_writable(self: &Arc<Self>) -> Result<(), StorageError> {
        let path = self.imports.auth_file().path().to_owned();
        on_a_thread(move || rehearse_replacement(&path)).await
    }

    /// Writes the new credential into pi's file. When that fails pi keeps an old one, and a person has to know; it is
    /// tried again.
    pub(crate) async fn write_back(
        self: &Arc<Self>,
        pi: PiLogin,
        account: &Account,
        credential: &Credential,
        origin: Origin,
    ) {
        if let Err(error) = self.give_to_pi(pi, account, credential, origin).await {
            self.pi_lacks(&account.id, origin, &error.to_string());
        }
    }

    pub(crate) async fn give_to_pi(
        self: &Arc<Self>,
        pi: PiLogin,
        account: &Account,
        credential: &Credential,
        origin: Origin,
    ) -> Result<(), StorageError> {
        let (refresher, holder, credential) = (self.clone(), account.clone(), credential.clone());
        on_a_thread(move || refresher.write_back_blocking(pi, &holder, &credential, origin)).await?;
        self.registry.pending().pi_has(&account.id);
        Ok(())
    }

    /// Tells it, and has it tried again.
    pub(crate) fn pi_lacks(&self, id: &AccountId, origin: Origin, why: &str) {
        self.registry.pending().pi_lacks(id, origin);
        let what = match origin {
            Origin::RefreshedTokens => "a refreshed credential",
            Origin::Login => "a login that is stored in codex-accounts.json",
        };
        self.notifier.report(Warning {
            kind: WarningKind::CorruptFile,
            message: format!("{what} could not be written to pi's auth.json: {why}"),
            account: Some(id.to_string()),
            hint: Some(
                "make auth.json writable: it is tried again every minute, and by `refresh` of this account with `force`"
                    .to_owned(),
            ),
        });
    }

    fn write_back_blocking(
        &self,
        mut pi: PiLogin,
        account: &Account,
        credential: &Credential,
        origin: Origin,
    ) -> Result<(), StorageError> {
        let file = self.imports.auth_file();
        let found = pi.login.clone();
        let mut tried = 0;
        loop {
            // What came while pi's lock was not ours may be what somebody refreshed this very login for.
            let gives_way = |login: &&LinkedCredential| {
                login.expires_at <= credential.expires_at
                    || (origin == Origin::Login && found.as_ref() == Some(*login))
            };
            let Some(old) = pi.login.as_ref().filter(gives_way) else {
                tracing::info!(account = %account.id, ?origin, "pi has another login by now, which stays");
                return Ok(());
            };
            let new = old.renewed(credential);
            self.imports.keep_removed(old, &new);
            let written = file.set_credential(credential, &pi.lock);
            // Removed between the two, it was noted with the old credential.
            self.imports.keep_removed(old, &new);
            match written {
                Err(StorageError::Locked { .. }) if tried < WRITES => {
                    tried += 1;
                    tracing::warn!(account = %account.id, tried, "pi's lock was taken from us; reading again");
                    drop(pi);
                    let lock = LockDirectory::acquire(file.path(), self.timing.lock_patience)?;
                    pi = self.read_pi_login(lock, account)?;
                }
                written => return written,
            }
        }
    }

    fn read_pi_login(&self, lock: LockDirectory, account: &Account) -> Result<PiLogin, StorageError> {
        let mut login = self.imports.auth_file().read();
        // Under pi's lock only someone who does not know of it can be writing.
        for _ in 0..5 {
            let Err(NoReading::HalfWritten { .. }) = login else { break };
            std::thread::sleep(Duration::from_millis(20));
            login = self.imports.auth_file().read();
        }
        let login = match login {
            Ok(login) => login.filter(|login| is_of(&account.identity, &identity_of(login))),
            Err(NoReading::Missing { .. } | NoReading::Unusable { .. }) => None,
            Err(NoReading::HalfWritten { path, line, column, message }) => {
                return Err(StorageError::Corrupt { path, line, column, message });
            }
            Err(NoReading::Unreadable(error)) => return Err(error),
        };
        Ok(PiLogin { lock, login })
    }
}

/// The account stopped being pi's, or became pi's, while pi's lock was waited for.
pub(crate) fn changed_hands() -> Failure {
    Failure::new(
        FailureKind::TokenUnavailable,
        Source::File,
        "the account's login changed meanwhile; try again",
    )
}
