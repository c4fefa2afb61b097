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
    /// Every account is out, and this one is available first: ask again then, or when the pool changed.
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
    /// When trying again may help; `None` when time alone does not help, or nothing is known to prevent it.
    pub retry_at: Option<At>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndingKind {
    /// Every account is out.
    NoAvailableAccount,
    /// Every account is out, and only a login helps.
    LoginRequired,
    /// The one account that the client named cannot be used; nothing was sent.
    AccountUnavailable,
    /// The client gets the failure of the last attempt.
    LastFailure,
}

/// What a failed attempt leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// Refresh the account's token in any case, then send the same attempt again.
    Replay,
    /// The failure was applied to the account; ask `next`.
    Moved {
        /// When its cooldown, back-off or exclusion for this model ends.
        until: Option<At>,
        pin_cleared: bool,
    },
    /// The fault is not the account's: pass it to the client unchanged.
    Surface,
}

/// What a failure after output changed. Nothing is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AfterOutput {
    pub until: Option<At>,
    pub pin_cleared: bool,
}
