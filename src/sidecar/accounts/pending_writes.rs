//! Credentials that could not be written to their file, e.g. because the disk was full. Until the file has them they
//! exist only in memory: if the sidecar ended before, it would leave an account whose token is consumed.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::put_back::WriteBacks;
use crate::pool::{AccountId, At};
use crate::secret::Secret;

/// The origin of a credential that pi should have, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    RefreshedTokens,
    /// A person logged in, because the credential in pi's file cannot be used, however long it would have lived.
    Login,
}

#[derive(Default)]
pub(crate) struct PendingWrites {
    waiting: Mutex<Waiting>,
    soon: Notify,
    write_backs: WriteBacks,
}

#[derive(Clone, Default)]
pub(crate) struct Waiting {
    /// Accounts whose credential the accounts file lacks, each with the refresh token that it replaces.
    pub(crate) in_accounts_file: HashMap<AccountId, Secret>,
    pub(crate) in_pi_file: HashMap<AccountId, Origin>,
}

impl PendingWrites {
    pub(crate) fn pi_lacks(&self, id: &AccountId, origin: Origin) {
        self.waiting().in_pi_file.insert(id.clone(), origin);
    }

    /// The file holds `found`, which the credential in memory replaces.
    pub(crate) fn accounts_file_lacks(&self, id: &AccountId, found: Secret) {
        self.waiting().in_accounts_file.insert(id.clone(), found);
    }

    pub(crate) fn is_waiting_for_accounts_file(&self, id: &AccountId) -> bool {
        self.waiting().in_accounts_file.contains_key(id)
    }

    pub(crate) fn is_waiting_for_pi(&self, id: &AccountId) -> bool {
        self.waiting().in_pi_file.contains_key(id)
    }

    /// Writes the pending credentials before the regular time, unless that was done too often for this account. Returns
    /// whether it does.
    pub(super) fn write_soon(&self, id: &AccountId, now: At) -> bool {
        let has_turn = self.write_backs.take_turn(id, now);
        if has_turn {
            self.soon.notify_one();
        }
        has_turn
    }

    /// Resolves when something should be written before its regular turn.
    pub(crate) async fn is_due(&self) {
        self.soon.notified().await;
    }

    pub(crate) fn pi_has(&self, id: &AccountId) {
        self.waiting().in_pi_file.remove(id);
    }

    pub(crate) fn accounts_file_has(&self, id: &AccountId) {
        self.waiting().in_accounts_file.remove(id);
    }

    /// Returns what is pending.
    pub(crate) fn snapshot(&self) -> Waiting {
        self.waiting().clone()
    }

    /// The account got another credential or was removed: nothing is pending for it.
    pub(crate) fn forget(&self, id: &AccountId) {
        let mut waiting = self.waiting();
        waiting.in_accounts_file.remove(id);
        waiting.in_pi_file.remove(id);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
