//! Credentials that a file did not take when they came, e.g. because its disk failed just then. They live in memory, and
//! are offered to the file again until it has them: a sidecar that ended without that would leave a burned account behind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Sidecar;
use super::blocking::on_a_thread;
use super::exchange::label_in;
use super::later::is_about_as_late;
use super::linked::Origin;
use crate::auth;
use crate::clock;
use crate::pool::{AccountId, Credential, RedeemLedger};
use crate::secret::Secret;
use crate::store::{EditRefused, StorageError};

#[derive(Default)]
pub(super) struct Unstored(Mutex<Waiting>);

#[derive(Clone, Default)]
struct Waiting {
    /// Whose is missing in the accounts file, and which refresh token it was redeemed for.
    in_accounts_file: HashMap<AccountId, Secret>,
    in_pi_file: HashMap<AccountId, Origin>,
}

impl Unstored {
    pub(super) fn pi_lacks(&self, id: &AccountId, origin: Origin) {
        self.waiting().in_pi_file.insert(id.clone(), origin);
    }

    pub(super) fn pi_has(&self, id: &AccountId) {
        self.waiting().in_pi_file.remove(id);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sidecar {
    /// Puts what was redeemed for the refresh token `old` into the accounts file. Gives the login that someone stored
    /// there meanwhile, if so: it stays, because it is what its owner means.
    pub(super) async fn store_redeemed(
        self: &Arc<Self>,
        id: &AccountId,
        old: &Secret,
        new: &Credential,
        ledger: RedeemLedger,
    ) -> Result<Result<Option<Credential>, EditRefused>, StorageError> {
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
                        found.refresh != replaced && is_fresh && is_about_as_late(found, &new)
                    });
                    if found.is_none() {
                        document.set_credential(&label, &new)?;
                        document.set_needs_reauth(&label, false)?;
                    }
                    Ok::<_, EditRefused>(found)
                })
            })
            .await;
        let mut waiting = self.unstored.waiting();
        match &written {
            Ok(_) => waiting.in_accounts_file.remove(id),
            Err(_) => waiting.in_accounts_file.insert(id.clone(), old.clone()),
        };
        drop(waiting);
        written
    }

    /// One more try of everything that waits. It was told when it failed first, so what fails again is only logged.
    pub(super) async fn store_the_unstored(self: &Arc<Self>) {
        let waiting = self.unstored.waiting().clone();
        for (id, old) in waiting.in_accounts_file {
            let Some(held) = self.pool().get(&id).map(|account| account.credential.clone()) else {
                self.unstored.waiting().in_accounts_file.remove(&id);
                continue;
            };
            match self.store_again(&id, &old, &held).await {
                Ok(Ok(login)) => {
                    tracing::info!(account = %id, "a credential that lived in memory only is stored");
                    if let Some(login) = login {
                        self.pool().set_credential(&id, login);
                    }
                }
                Ok(Err(refused)) => tracing::warn!(account = %id, %refused, "the account has left the file"),
                Err(error) => tracing::warn!(account = %id, %error, "its credential is still in memory only"),
            }
        }
        for (id, origin) in waiting.in_pi_file {
            let Some(account) = self.pool().get(&id).cloned() else {
                self.unstored.pi_has(&id);
                continue;
            };
            let Ok(pi) = self.lock_pi_login(&account).await else { continue };
            if let Err(error) = self.give_to_pi(pi, &account, &account.credential, origin).await {
                tracing::warn!(account = %id, %error, "pi's auth.json still holds another credential");
            }
        }
    }

    async fn store_again(
        self: &Arc<Self>,
        id: &AccountId,
        old: &Secret,
        held: &Credential,
    ) -> Result<Result<Option<Credential>, EditRefused>, StorageError> {
        let sidecar = self.clone();
        let reading = on_a_thread(move || sidecar.redeems.file.load(clock::now())).await?;
        self.store_redeemed(id, old, held, self.take_ledger(reading)).await
    }
}
