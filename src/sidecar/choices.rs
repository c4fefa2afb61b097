//! What the user chose about accounts: the pin, and which are disabled. It refuses to forget a choice because its account
//! is away for a while.

use std::collections::HashMap;
use std::time::Duration;

use super::Sidecar;
use crate::pool::{AccountId, At};

/// One choice of the user, and when it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Chosen<T> {
    pub(super) value: T,
    pub(super) at: At,
}

/// What the user chose, with the time of the choice, so that of two sidecars the later one counts.
#[derive(Default)]
pub(super) struct Choices {
    pub(super) pinned: Chosen<Option<AccountId>>,
    pub(super) disabled: HashMap<AccountId, Chosen<bool>>,
}

impl<T> Chosen<T> {
    /// A choice is later than the one that it replaces, whatever the clock says: it may have been set back, and `now`
    /// may be from before a wait for a lock.
    fn replace(&mut self, value: T, now: At) {
        *self = Chosen { value, at: now.max(self.at + Duration::from_millis(1)) };
    }
}

impl Sidecar {
    /// A choice that differs from the one last saved or read was made since, here. What was chosen for an account that
    /// is away stands.
    pub(super) fn note_choices(&self, now: At) {
        let pool = self.pool();
        let mut choices = self.persist.choices();
        let pin_is_away =
            pool.pinned().is_none() && choices.pinned.value.as_ref().is_some_and(|id| pool.get(id).is_none());
        if choices.pinned.value.as_ref() != pool.pinned() && !pin_is_away {
            choices.pinned.replace(pool.pinned().cloned(), now);
        }
        for account in pool.accounts() {
            let disabled = choices.disabled.entry(account.id.clone()).or_default();
            if disabled.value != account.disabled {
                disabled.replace(account.disabled, now);
            }
        }
    }

    /// Accounts that come, or come back, are as the user wanted them.
    pub(super) fn restore_choices(&self, added: &[AccountId]) {
        let mut pool = self.pool();
        let choices = self.persist.choices();
        for id in added {
            if choices.disabled.get(id).is_some_and(|disabled| disabled.value) {
                pool.set_disabled(id, true);
            }
            if pool.pinned().is_none() && choices.pinned.value.as_ref() == Some(id) {
                pool.pin(id);
            }
        }
    }
}
