//! Which account produced which reasoning. Older models refuse reasoning of another account with
//! `invalid_encrypted_content`; if the origin of an item is known, it can be left out. Keeps only hashes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::pool::{AccountId, At};
use crate::upstream::ReasoningHash;

const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 3600);

/// About 3 MiB at most.
const MAX_ITEMS: usize = 16_384;

#[derive(Default)]
pub(crate) struct ReasoningOrigins(Mutex<Origins>);

#[derive(Default)]
struct Origins {
    accounts: HashMap<ReasoningHash, AccountId>,
    /// Oldest first.
    order: VecDeque<(At, ReasoningHash)>,
}

impl ReasoningOrigins {
    pub(crate) fn record(&self, item: ReasoningHash, account: &AccountId, now: At) {
        let mut origins = self.lock();
        origins.forget(now);
        if origins.accounts.insert(item, account.clone()).is_none() {
            origins.order.push_back((now, item));
        }
    }

    /// Returns the items that an account other than `account` is known to have produced.
    pub(crate) fn foreign_to(&self, account: &AccountId, now: At) -> Vec<ReasoningHash> {
        let mut origins = self.lock();
        origins.forget(now);
        let foreign = origins.accounts.iter().filter(|(_, origin)| *origin != account);
        foreign.map(|(item, _)| *item).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Origins> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Origins {
    /// Makes room for one item, and drops what is too old.
    fn forget(&mut self, now: At) {
        while let Some((at, item)) = self.order.front().copied() {
            if now < at + REMEMBERED_FOR && self.order.len() < MAX_ITEMS {
                break;
            }
            self.order.pop_front();
            self.accounts.remove(&item);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_bounded_and_forgotten_after_a_day() {
        let (origins, ada, bob) = (ReasoningOrigins::default(), AccountId::new("a"), AccountId::new("b"));
        origins.record([1; 32], &ada, At(0));
        origins.record([2; 32], &bob, At(1));
        assert_eq!(origins.foreign_to(&ada, At(1)), [[2; 32]]);
        assert_eq!(origins.foreign_to(&bob, At(1)), [[1; 32]]);
        assert_eq!(origins.foreign_to(&AccountId::new("c"), At(1)).len(), 2);
        assert!(origins.foreign_to(&bob, At(0) + REMEMBERED_FOR).is_empty());
        assert_eq!(origins.foreign_to(&ada, At(0) + REMEMBERED_FOR), [[2; 32]]);
        for index in 0..=MAX_ITEMS as u64 {
            let mut item = [9; 32];
            item[..8].copy_from_slice(&index.to_be_bytes());
            origins.record(item, &ada, At(2));
        }
        assert!(origins.lock().accounts.len() <= MAX_ITEMS);
        assert!(origins.foreign_to(&ada, At(2)).is_empty(), "the oldest give way");
    }
}
