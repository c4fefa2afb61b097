//! Credentials that a file did not take when they came, e.g. because its disk failed just then. They live in memory, and
//! are offered to the file again until it has them: a sidecar that ended without that would leave a burned account behind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::freshness::{is_about_as_new, is_newer};
use super::linked::Origin;
use super::put_back::WriteBacks;
use super::refresh_token::label_in;
use crate::auth;
use crate::pool::{AccountId, At, Credential, HealthStatus, RefreshLedger};
use crate::secret::Secret;
use crate::sidecar::Sidecar;
use crate::sidecar::blocking::on_a_thread;
use crate::store::{EditRefused, StorageError};

#[derive(Default)]
pub(crate) struct PendingWrites {
    waiting: Mutex<Waiting>,
    soon: Notify,
    write_backs: WriteBacks,
}

#[derive(Clone, Default)]
struct Waiting {
    /// Whose is missing in the accounts file, and which refresh token it was refreshed for.
    in_accounts_file: HashMap<AccountId, Secret>,
    in_pi_file: HashMap<AccountId, Origin>,
}

impl PendingWrites {
    pub(crate) fn pi_lacks(&self, id: &AccountId, origin: Origin) {
        self.waiting().in_pi_file.insert(id.clone(), origin);
    }

    /// The file holds `found`, for which what is in memory was refreshed.
    pub(crate) fn accounts_file_lacks(&self, id: &AccountId, found: Secret) {
        self.waiting().in_accounts_file.insert(id.clone(), found);
    }

    pub(crate) fn is_waiting_for_accounts_file(&self, id: &AccountId) -> bool {
        self.waiting().in_accounts_file.contains_key(id)
    }

    pub(crate) fn is_waiting_for_pi(&self, id: &AccountId) -> bool {
        self.waiting().in_pi_file.contains_key(id)
    }

    /// What waits is written before its regular turn, unless that was done too often for this account. Says whether it is.
    pub(crate) fn write_soon(&self, id: &AccountId, now: At) -> bool {
        let has_turn = self.write_backs.take_turn(id, now);
        if has_turn {
            self.soon.notify_one();
        }
        has_turn
    }

    /// Ends once something is to be written before its regular turn.
    pub(crate) async fn is_due(&self) {
        self.soon.notified().await;
    }

    pub(crate) fn pi_has(&self, id: &AccountId) {
        self.waiting().in_pi_file.remove(id);
    }

    /// The account got another credential in another way.
    pub(crate) fn forget(&self, id: &AccountId) {
        let mut waiting = self.waiting();
        waiting.in_accounts_file.remove(id);
        waiting.in_pi_file.remove(id);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sidecar {
    /// Puts what was refreshed for the refresh token `old` into the accounts file. Gives the login that someone stored
    /// there meanwhile, if so: it stays, because it is what its owner means.
    pub(crate) async fn store_refreshed(
        self: &Arc<Self>,
        id: &AccountId,
        old: &Secret,
        new: &Credential,
        ledger: RefreshLedger,
    ) -> Result<Result<Option<Credential>, EditRefused>, StorageError> {
        // Before the file is written: an old copy that is put back right after that waits anew.
        self.unstored.waiting().in_accounts_file.remove(id);
        let (sidecar, holder, replaced, new) = (self.clone(), id.clone(), old.clone(), new.clone());
        let written = self
            .on_accounts_file(move |file| {
                file.change(|document| {
                    // Someone may have given it another label meanwhile, and its label to another account; the token it
                    // had still tells which it is, or failing that who it is of.
                    let holder = sidecar.pool().get(&holder).cloned();
                    let held =
                        document.accounts().find(|entry| entry.refresh == replaced).map(|entry| entry.email);
                    let label = held.or_else(|| holder.and_then(|it| label_in(document, &it)));
                    let label = label.ok_or(EditRefused::NoSuchLabel)?;
                    let found = document.accounts().find(|entry| entry.email == label);
                    let found = found.map(|entry| entry.credential()).filter(|found| {
                        let is_fresh = !ledger.tokens.contains_key(&auth::token_hash(&found.refresh));
                        found.refresh != replaced && is_fresh && is_about_as_new(found, &new)
                    });
                    if found.is_none() {
                        document.set_credential(&label, &new)?;
                        document.set_needs_reauth(&label, false)?;
                    }
                    Ok::<_, EditRefused>(found)
                })
            })
            .await;
        if written.is_err() {
            self.unstored.accounts_file_lacks(id, old.clone());
        }
        written
    }

    /// One more try of everything that waits, pi's lock being waited for as long as that. It was told when it failed first,
    /// so what fails again is only logged.
    pub(crate) async fn flush_pending(self: &Arc<Self>, patience: Duration) {
        let waiting = self.unstored.waiting().clone();
        for (id, old) in waiting.in_accounts_file {
            if let Err(error) = self.store_again(&id, &old).await {
                tracing::warn!(account = %id, %error, "its credential is still in memory only");
            }
        }
        for (id, origin) in waiting.in_pi_file {
            if let Err(error) = self.give_to_pi_again(&id, origin, patience).await {
                tracing::warn!(account = %id, %error, "pi's auth.json still holds another credential");
            }
        }
    }

    async fn store_again(self: &Arc<Self>, id: &AccountId, old: &Secret) -> Result<(), StorageError> {
        let account = self.pool().get(id).cloned();
        // One that was refused for good is not worth keeping, and keeping it would say that it is good.
        let Some(account) = account.filter(|it| !matches!(it.health.standing, HealthStatus::NeedsLogin(_)))
        else {
            self.unstored.forget(id);
            return Ok(());
        };
        let ledger = self.ledger().await?;
        match self.store_refreshed(id, old, &account.credential, ledger).await? {
            Ok(login) => {
                tracing::info!(account = %id, "a credential that lived in memory only is stored");
                if let Some(login) = login {
                    self.pool().set_credential(id, login);
                }
            }
            Err(refused) => tracing::warn!(account = %id, %refused, "the account has left the file"),
        }
        Ok(())
    }

    /// Much may have happened since, and while pi's lock was waited for: the account may not be pi's any more, pi may have
    /// logged in anew, and what is held here may have been sent by anyone who had the lock before.
    async fn give_to_pi_again(
        self: &Arc<Self>,
        id: &AccountId,
        origin: Origin,
        patience: Duration,
    ) -> Result<(), StorageError> {
        let linked = || self.pool().get(id).filter(|account| account.linked).cloned();
        let Some(account) = linked() else {
            self.unstored.pi_has(id);
            return Ok(());
        };
        let pi = self.lock_pi_login_for(&account, patience).await?;
        let ledger = self.ledger().await?;
        let Some(account) = linked().filter(|_| self.unstored.waiting().in_pi_file.contains_key(id)) else {
            self.unstored.pi_has(id);
            return Ok(());
        };
        let held = &account.credential;
        if ledger.tokens.contains_key(&auth::token_hash(&held.refresh)) {
            // Whoever sent it has its successor, or will, and gives that to pi.
            return Ok(());
        }
        if pi.credential().is_none_or(|found| found.refresh == held.refresh || is_newer(&found, held)) {
            self.unstored.pi_has(id);
            return Ok(());
        }
        self.give_to_pi(pi, &account, held, origin).await
    }

    async fn ledger(self: &Arc<Self>) -> Result<RefreshLedger, StorageError> {
        let sidecar = self.clone();
        on_a_thread(move || sidecar.read_ledger()).await
    }
}
