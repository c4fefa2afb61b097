//! Writes the credentials that exist only in memory, repeatedly, until their files have them.

use std::sync::Arc;
use std::time::Duration;

use super::TokenRefresher;
use crate::auth;
use crate::pool::{AccountId, Credential, HealthStatus, RefreshLedger};
use crate::secret::Secret;
use crate::sidecar::accounts::freshness::{is_about_as_new, is_newer};
use crate::sidecar::accounts::{Origin, label_in};
use crate::sidecar::blocking::on_a_thread;
use crate::store::{EditRefused, StorageError};

impl TokenRefresher {
    /// Writes the successor of the refresh token `old` into the accounts file. Returns the login that another program
    /// stored there meanwhile, if any: it stays, because its owner wants it.
    pub(crate) async fn store_refreshed(
        self: &Arc<Self>,
        id: &AccountId,
        old: &Secret,
        new: &Credential,
        ledger: RefreshLedger,
    ) -> Result<Result<Option<Credential>, EditRefused>, StorageError> {
        // Before the file is written, because an old copy that is put back right after must be pending again.
        self.registry.pending().accounts_file_has(id);
        let (holder, replaced, new) = (id.clone(), old.clone(), new.clone());
        let written = self
            .registry
            .in_file_turn(move |turn| {
                turn.change(|document| {
                    // Another program may have changed its label meanwhile, and given the label to another account. The
                    // old token identifies the entry, or else the identity does.
                    let holder = turn.registry().decide(|pool, _| pool.get(&holder).cloned());
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
            self.registry.pending().accounts_file_lacks(id, old.clone());
        }
        written
    }

    /// Retries all pending writes; waits up to `patience` for pi's lock. The first failure was a warning, so another one is
    /// only logged.
    pub(crate) async fn flush_pending(self: &Arc<Self>, patience: Duration) {
        let waiting = self.registry.pending().snapshot();
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
        let account = self.registry.decide(|pool, _| pool.get(id).cloned());
        // A credential that was refused for good is not stored, because storing it would mean that it is good.
        let Some(account) = account.filter(|it| !matches!(it.health.standing, HealthStatus::NeedsLogin(_)))
        else {
            self.registry.pending().forget(id);
            return Ok(());
        };
        let ledger = self.ledger().await?;
        match self.store_refreshed(id, old, &account.credential, ledger).await? {
            Ok(login) => {
                tracing::info!(account = %id, "a credential that lived in memory only is stored");
                if let Some(login) = login {
                    self.registry.decide(|pool, _| pool.set_credential(id, login));
                }
            }
            Err(refused) => tracing::warn!(account = %id, %refused, "the account has left the file"),
        }
        Ok(())
    }

    /// Much may have changed since, and while waiting for pi's lock: the account may not be pi's any more, pi may have
    /// logged in again, and another program that held the lock may have sent this token.
    async fn give_to_pi_again(
        self: &Arc<Self>,
        id: &AccountId,
        origin: Origin,
        patience: Duration,
    ) -> Result<(), StorageError> {
        let linked =
            || self.registry.decide(|pool, _| pool.get(id).filter(|account| account.linked).cloned());
        let Some(account) = linked() else {
            self.registry.pending().pi_has(id);
            return Ok(());
        };
        let pi = self.lock_pi_login_for(&account, patience).await?;
        let ledger = self.ledger().await?;
        let Some(account) = linked().filter(|_| self.registry.pending().is_waiting_for_pi(id)) else {
            self.registry.pending().pi_has(id);
            return Ok(());
        };
        let held = &account.credential;
        if ledger.tokens.contains_key(&auth::token_hash(&held.refresh)) {
            // The program that sent it has its successor, or will get it, and gives it to pi.
            return Ok(());
        }
        if pi.credential().is_none_or(|found| found.refresh == held.refresh || is_newer(&found, held)) {
            self.registry.pending().pi_has(id);
            return Ok(());
        }
        self.give_to_pi(pi, &account, held, origin).await
    }

    async fn ledger(self: &Arc<Self>) -> Result<RefreshLedger, StorageError> {
        let registry = self.registry.clone();
        on_a_thread(move || registry.read_ledger()).await
    }
}
