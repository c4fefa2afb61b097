//! What the user chose about accounts: the pin, and which are disabled. It refuses to forget a choice because its account
//! is away for a while.

use std::collections::HashMap;

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

impl Sidecar {
    /// A choice that differs from the one last saved or read was made since, here. What was chosen for an account that
    /// is away stands.
    pub(super) fn note_choices(&self, now: At) {
        let pool = self.pool();
        let mut choices = self.persist.choices();
        let pin_is_away =
            pool.pinned().is_none() && choices.pinned.value.as_ref().is_some_and(|id| pool.get(id).is_none());
        if choices.pinned.value.as_ref() != pool.pinned() && !pin_is_away {
            choices.pinned = Chosen { value: pool.pinned().cloned(), at: now };
        }
        for account in pool.accounts() {
            let disabled = choices.disabled.entry(account.id.clone()).or_default();
            if disabled.value != account.disabled {
                *disabled = Chosen { value: account.disabled, at: now };
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
