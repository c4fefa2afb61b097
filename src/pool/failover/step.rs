//! The steps of a completion's failover: what is done next, what a failure leads to, and how it ends without output.

use crate::pool::{AccountId, At};

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// `attempt` counts from 1.
    Attempt {
        account: AccountId,
        attempt: u32,
    },
    /// Every account is out and this one is back first: ask again then, or when the pool changed.
    Wait {
        account: AccountId,
        until: At,
    },
    Stop(Ending),
}

/// How a completion ends without output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    pub kind: EndingKind,
    /// When trying again may help; none when time alone does not, or nothing is known to hold it up.
    pub retry_at: Option<At>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndingKind {
    /// Every account is out.
    NoAvailableAccount,
    /// Every account is out, and only a login helps.
    LoginRequired,
    /// The one account that was named cannot be used; nothing was sent.
    AccountUnavailable,
    /// The last attempt's own failure is what the client gets.
    LastFailure,
}

/// What a failed attempt leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// Refresh the account's token by force, then send the same attempt again.
    Replay,
    /// The account was dealt with; ask `next`.
    Moved {
        /// When its cooldown, back-off or exclusion for this model ends.
        until: Option<At>,
        pin_cleared: bool,
    },
    /// Not the account's fault: surface it unchanged.
    Surface,
}

/// What a failure after output changed. Nothing is replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AfterOutput {
    pub until: Option<At>,
    pub pin_cleared: bool,
}
