//! What can make an account available when none is.

use crate::pool::{At, Pool, State};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    NoAccounts,
    /// Time: the first account that only waits is available then.
    BackAt(At),
    /// Only a login.
    Login,
    /// The user: all accounts are disabled or deactivated.
    Nothing,
}

impl Pool {
    /// Computed for the accounts as they are now, over all that could be used.
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
