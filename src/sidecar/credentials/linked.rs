//! The account that belongs to pi: its credential is refreshed under pi's own lock and written back to pi's file. An
//! entry of another identity is never overwritten, and a newer one only by a login.

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

/// pi holds its lock while it asks us for a token, so a client must not wait long for it.
const CLIENT_PATIENCE: Duration = Duration::from_secs(2);
/// How often a write is tried again after another process took the lock.
const WRITES: u32 = 3;

/// pi's lock, and pi's login when the lock was taken.
pub(crate) struct PiLogin {
    lock: LockDirectory,
    /// `None` when pi is logged out, or logged in with another account.
    login: Option<LinkedCredential>,
}

impl PiLogin {
    pub(crate) fn credential(&self) -> Option<Credential> {
        self.login.as_ref().map(LinkedCredential::credential)
    }
}

impl TokenRefresher {
    /// Returns whether pi has the account's token, too: the account is linked, or the token is in pi's file. A program
    /// that wrote the accounts file without the link did not change that.
    pub(crate) async fn is_shared_with_pi(self: &Arc<Self>, account: &Account) -> bool {
        let (imports, refresh) = (self.imports.clone(), account.credential.refresh.clone());
        let in_its_file =
            move || matches!(imports.auth_file().read(), Ok(Some(login)) if login.refresh == refresh);
        account.linked || on_a_thread(in_its_file).await
    }

    /// Waits for pi's lock and reads pi's login under it. The lock order puts it before the turn of refreshes: a holder
    /// of pi's lock may take long, and other accounts must not wait for it. Meanwhile clients that wait for the token
    /// are notified.
    pub(crate) async fn lock_pi_login(self: &Arc<Self>, account: &Account) -> Result<PiLogin, Failure> {
        let waiting = self.imports.waiting();
        let locked = self.lock_pi_login_for(account, self.timing.lock_patience).await;
        drop(waiting);
        locked.map_err(|error| storage(&error))
    }

    /// The same when no client waits for the result.
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

    /// Checks whether pi's file can be locked, read and written now, so that a person does not log in for a login that
    /// pi would not get.
    pub(crate) async fn ensure_pi_can_follow(
        self: &Arc<Self>,
        account: &Account,
    ) -> Result<(), StorageError> {
        let _lock = self.lock_pi_login_for(account, CLIENT_PATIENCE).await?;
        self.ensure_pi_file_writable().await
    }

    /// Resolves when the account's token has expired and pi's lock was awaited too long; never for another account.
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

    /// Checks that the new credential of a linked account could be stored, before the old one is sent. The caller holds
    /// pi's lock.
    pub(crate) async fn ensure_pi_file_writable(self: &Arc<Self>) -> Result<(), StorageError> {
        let path = self.imports.auth_file().path().to_owned();
        on_a_thread(move || rehearse_replacement(&path)).await
    }

    /// Writes the new credential into pi's file. If that fails, pi keeps an old one, a person is warned, and the write
    /// is tried again.
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

    /// Sends the warning, and makes the write pending.
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
            // What was written while we did not hold pi's lock may be the successor of this very login.
            let gives_way = |login: &&LinkedCredential| {
                login.expires_at <= credential.expires_at
                    || (origin == Origin::Login && found.as_ref() == Some(*login))
            };
            let Some(old) = pi.login.as_ref().filter(gives_way) else {
                tracing::info!(account = %account.id, ?origin, "pi has another login now, which stays");
                return Ok(());
            };
            let new = old.renewed(credential);
            self.imports.keep_removed(old, &new);
            let written = file.set_credential(credential, &pi.lock);
            // If it was removed between the two, it was recorded with the old credential.
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
        // Under pi's lock only a program that does not use the lock can be writing.
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

/// The account was linked or unlinked while pi's lock was awaited.
pub(crate) fn changed_hands() -> Failure {
    Failure::new(
        FailureKind::TokenUnavailable,
        Source::File,
        "the account's login changed meanwhile; try again",
    )
}
