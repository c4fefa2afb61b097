//! The user's choices about accounts: the pin, and which are disabled. A choice is kept while its account is not in the
//! file.

use std::collections::HashMap;
use std::time::Duration;

use super::AccountRegistry;
use crate::pool::{AccountId, At, Pool};
use crate::store::SavedState;

/// One choice of the user, and when it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Stamped<T> {
    pub(crate) value: T,
    pub(crate) at: At,
}

/// The user's choices with their times, so that the later choice of two sidecars counts.
#[derive(Default)]
pub(crate) struct Choices {
    pub(crate) pinned: Stamped<Option<AccountId>>,
    pub(crate) disabled: HashMap<AccountId, Stamped<bool>>,
}

impl<T> Stamped<T> {
    /// Dates the new choice after the one that it replaces, whatever the clock says: the clock may have been set back,
    /// or `now` may have been read before a wait for a lock.
    fn replace(&mut self, value: T, now: At) {
        *self = Stamped { value, at: now.max(self.at + Duration::from_millis(1)) };
    }
}

impl Choices {
    /// A choice that differs from the last saved or read one was made here since. A choice about an account that is not
    /// in the file stays.
    fn record(&mut self, pool: &Pool, now: At) {
        let pin_is_away =
            pool.pinned().is_none() && self.pinned.value.as_ref().is_some_and(|id| pool.get(id).is_none());
        if self.pinned.value.as_ref() != pool.pinned() && !pin_is_away {
            self.pinned.replace(pool.pinned().cloned(), now);
        }
        for account in pool.accounts() {
            let disabled = self.disabled.entry(account.id.clone()).or_default();
            if disabled.value != account.disabled {
                disabled.replace(account.disabled, now);
            }
        }
    }

    /// Takes over later choices of other sidecars. A choice made here and not recorded yet is later than everything
    /// that was saved.
    pub(crate) fn take_later(&mut self, saved: &SavedState, pool: &mut Pool, now: At) {
        self.record(pool, now);
        for (id, account) in &saved.accounts {
            let known = self.disabled.entry(id.clone()).or_default();
            if account.disabled_changed_at > known.at {
                *known = Stamped { value: account.disabled, at: account.disabled_changed_at };
                pool.set_disabled(id, account.disabled);
            }
        }
        if saved.pin_changed_at > self.pinned.at {
            match &saved.pinned {
                Some(id) => pool.pin(id),
                None => {
                    pool.unpin();
                }
            }
            self.pinned = Stamped { value: saved.pinned.clone(), at: saved.pin_changed_at };
        }
    }
}

impl AccountRegistry {
    /// Records the user's choices since the last call, with the present time.
    pub(super) fn record_choices(&self, now: At) {
        self.decide(|pool, _| self.saver.choices().record(pool, now));
    }

    /// Accounts that are new, or came back, get the user's earlier choices.
    pub(super) fn restore_choices(&self, added: &[AccountId]) {
        self.decide(|pool, _| {
            let choices = self.saver.choices();
            for id in added {
                if choices.disabled.get(id).is_some_and(|disabled| disabled.value) {
                    pool.set_disabled(id, true);
                }
                if pool.pinned().is_none() && choices.pinned.value.as_ref() == Some(id) {
                    pool.pin(id);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::{Account, Credential, Identity, RotationSettings};
    use crate::secret::Secret;
    use crate::store::SavedAccount;

    #[test]
    fn what_another_sidecar_chose_gives_way_to_what_was_chosen_here_since() {
        let [ada, bob] = ["ada", "bob"].map(AccountId::new);
        let account = |id: &AccountId| {
            let secret = || Secret::new(id.as_str());
            let credential = Credential { access: secret(), refresh: secret(), expires_at: At(9) };
            Account::new(id.clone(), Identity::default(), id.to_string(), credential)
        };
        let saved = SavedState {
            accounts: vec![(
                ada.clone(),
                SavedAccount { disabled: true, disabled_changed_at: At(5), ..SavedAccount::default() },
            )],
            pinned: Some(ada.clone()),
            pin_changed_at: At(5),
            ..SavedState::default()
        };
        let taken = |chosen_here: &dyn Fn(&mut Pool), now: At| {
            let mut pool = Pool::new(RotationSettings::default());
            pool.sync(vec![account(&ada), account(&bob)], At(0));
            chosen_here(&mut pool);
            Choices::default().take_later(&saved, &mut pool, now);
            (pool.pinned().cloned(), pool.accounts()[1].disabled)
        };
        let bob_is_pinned_and_disabled_before = |pool: &mut Pool| {
            pool.set_disabled(&bob, true);
            pool.pin(&bob);
        };
        assert_eq!(taken(&|_| {}, At(6)), (Some(ada.clone()), false));
        assert_eq!(taken(&bob_is_pinned_and_disabled_before, At(6)), (Some(bob.clone()), true));
        assert_eq!(taken(&bob_is_pinned_and_disabled_before, At(4)), (Some(ada.clone()), true));
    }
}
