//! An old copy of a shared file that was put back while the sidecar runs: by a backup, or by a program that writes the
//! whole file from its memory. Its tokens were already used, and the good ones are only in memory. They are written
//! back at once, but not without a limit, because two programs must not undo each other's writes forever.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::AccountRegistry;
use super::pending_writes::Origin;
use crate::pool::{AccountId, At, Identity};
use crate::protocol::{Warning, WarningKind};
use crate::secret::Secret;

/// An account is written back at once this often within `WITHIN`; after that with the next regular writes.
const MOST_WRITE_BACKS: usize = 3;
const WITHIN: Duration = Duration::from_secs(10 * 60);

/// When each account was written back.
#[derive(Default)]
pub(super) struct WriteBacks(Mutex<HashMap<AccountId, VecDeque<At>>>);

impl WriteBacks {
    /// Counts one, unless there were too many recently.
    pub(super) fn take_turn(&self, id: &AccountId, now: At) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let times = all.entry(id.clone()).or_default();
        times.retain(|at| now.since(*at) < WITHIN && !at.is_ahead_of(now));
        let has_turn = times.len() < MOST_WRITE_BACKS;
        if has_turn {
            times.push_back(now);
        }
        has_turn
    }
}

impl AccountRegistry {
    /// An entry of the accounts file holds `found`, which was already used. The credential in memory becomes a pending
    /// write, and is written at once unless that was done too often.
    pub(super) fn record_old_entry(&self, id: &AccountId, found: &Secret, held: &Secret) {
        if self.pending.is_waiting_for_accounts_file(id) || self.is_consumed(held) {
            return;
        }
        self.pending.accounts_file_lacks(id, found.clone());
        self.warn_put_back(id, self.accounts_file.path());
    }

    /// The same for pi's login `found` of `identity`, if that is the linked account. `path` is pi's file.
    pub(crate) fn record_old_pi_login(&self, identity: &Identity, found: &Secret, path: &Path) {
        let linked = self.decide(|pool, _| {
            let mut accounts = pool.accounts().iter();
            let linked = accounts.find(|account| account.linked && account.identity == *identity);
            linked.map(|account| (account.id.clone(), account.credential.refresh.clone()))
        });
        let Some((id, held)) = linked.filter(|(_, held)| held != found) else { return };
        if self.pending.is_waiting_for_pi(&id) || self.is_consumed(&held) {
            return;
        }
        self.pending.pi_lacks(&id, Origin::RefreshedTokens);
        self.warn_put_back(&id, path);
    }

    fn warn_put_back(&self, id: &AccountId, path: &Path) {
        let path = path.display();
        let at_once = self.pending.write_soon(id, self.now());
        tracing::warn!(account = %id, %path, at_once, "an old copy of a file was put back");
        self.notifier.warn(Warning {
            kind: WarningKind::ConsumedCredential,
            message: format!("{path} holds a token that was already used; an old copy was put back"),
            account: Some(id.to_string()),
            hint: Some(if at_once {
                "the login that is still good is written back; end the program that writes the old copy"
                    .to_owned()
            } else {
                "it was written back several times and replaced each time: end the program that writes the old copy"
                    .to_owned()
            }),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_written_back_three_times_within_ten_minutes() {
        let write_backs = WriteBacks::default();
        let turn = |id: &str, minutes: i64| {
            write_backs.take_turn(&AccountId::new(id), At(1_000_000 + minutes * 60_000))
        };
        assert_eq!([0, 1, 2, 3, 9].map(|minute| turn("a", minute)), [true, true, true, false, false]);
        assert!(turn("b", 9));
        assert_eq!([10, 10].map(|minute| turn("a", minute)), [true, false]);
        // The clock was set back.
        assert!(turn("a", -60));
    }
}
