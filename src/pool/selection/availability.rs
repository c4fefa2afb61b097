//! What may bring an account back when none can be used.

use crate::pool::{At, Pool, State};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    NoAccounts,
    /// Time: the first one that only has to wait is back then.
    BackAt(At),
    /// Nothing but a login.
    Login,
    /// The user's own change: all of them are disabled or deactivated.
    Nothing,
}

impl Pool {
    /// Of the accounts as they are now, whichever of them could be used.
    pub fn prospect(&self, now: At) -> Availability {
        let accounts = self.accounts();
        let back_at = accounts.iter().filter_map(|account| account.back_at(now)).min();
        match back_at {
            Some(at) => Availability::BackAt(at),
            None if accounts.is_empty() => Availability::NoAccounts,
            None if accounts.iter().any(|account| account.state(now) == State::NeedsLogin) => {
                Availability::Login
            }
            None => Availability::Nothing,
        }
    }
}
