//! Nobody can answer: why, in words, and what to do about it.

use crate::clock;
use crate::pool::{At, Ending, EndingKind, Pool, State};
use crate::protocol::{ErrorKind, Failed, RpcError};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nobody {
    NoAccounts,
    LoginRequired,
    /// The first one that only has to wait is back then.
    BackAt(At),
    /// Waiting does not help: disabled, or deactivated.
    Unusable,
}

impl Nobody {
    /// Without a completion that could have told.
    pub(super) fn of(pool: &Pool, now: At) -> Self {
        let accounts = pool.accounts();
        match accounts.iter().filter_map(|account| account.back_at(now)).min() {
            _ if accounts.is_empty() => Nobody::NoAccounts,
            Some(at) => Nobody::BackAt(at),
            None if accounts.iter().any(|account| account.state(now) == State::NeedsLogin) => {
                Nobody::LoginRequired
            }
            None => Nobody::Unusable,
        }
    }

    /// Why a completion stopped, unless that was up to one account.
    pub(super) fn stopped(ending: &Ending, pool: &Pool) -> Option<Self> {
        match (ending.kind, ending.retry_at) {
            (EndingKind::AccountUnavailable | EndingKind::LastFailure, _) => None,
            (EndingKind::LoginRequired, _) => Some(Nobody::LoginRequired),
            (EndingKind::NoAvailableAccount, Some(at)) => Some(Nobody::BackAt(at)),
            (EndingKind::NoAvailableAccount, None) if pool.accounts().is_empty() => Some(Nobody::NoAccounts),
            (EndingKind::NoAvailableAccount, None) => Some(Nobody::Unusable),
        }
    }

    /// As a client was told of it.
    pub(super) fn told(failed: &Failed) -> Option<Self> {
        let standings = failed.accounts.as_ref()?;
        match (failed.kind.as_str(), failed.retry_at) {
            ("login_required", _) => Some(Nobody::LoginRequired),
            ("no_available_account", Some(at)) => Some(Nobody::BackAt(At(at))),
            ("no_available_account", None) if standings.is_empty() => Some(Nobody::NoAccounts),
            ("no_available_account", None) => Some(Nobody::Unusable),
            _ => None,
        }
    }

    pub(super) fn kind(self) -> &'static str {
        match self {
            Nobody::LoginRequired => "login_required",
            _ => "no_available_account",
        }
    }

    pub(super) fn message(self) -> String {
        match self {
            Nobody::NoAccounts => "there are no accounts yet".to_owned(),
            Nobody::LoginRequired => "every account needs login".to_owned(),
            Nobody::BackAt(at) => format!("no account can be used now; the first is back at {at}"),
            Nobody::Unusable => "no account can be used now".to_owned(),
        }
    }

    pub(super) fn hint(self) -> &'static str {
        match self {
            Nobody::NoAccounts => "add one with `login`",
            Nobody::LoginRequired => "log one of them in again",
            Nobody::BackAt(_) => "wait until then, or add an account with `login`",
            Nobody::Unusable => "`accounts` shows what is in the way of each",
        }
    }
}

/// -32013, or -32012 when only a login helps.
pub(super) fn error(pool: &Pool) -> RpcError {
    let nobody = Nobody::of(pool, clock::now());
    let kind = match nobody {
        Nobody::LoginRequired => ErrorKind::LoginRequired,
        _ => ErrorKind::NoAvailableAccount,
    };
    let mut rpc = RpcError::new(kind, nobody.message());
    rpc.data.hint = Some(nobody.hint().to_owned());
    if let Nobody::BackAt(at) = nobody {
        rpc.data.retryable = true;
        rpc.data.retry_at = Some(at.millis());
    }
    rpc
}
