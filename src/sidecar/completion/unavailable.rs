//! Why no account can answer, as text, and what to do about it.

use crate::pool::{AccountId, At, Availability, Ending, EndingKind, State};
use crate::protocol::{ErrorKind, RpcError};
use crate::sidecar::Sidecar;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UnavailableReason {
    NoAccounts,
    /// There may be accounts, but the file cannot be read.
    Unreadable(String),
    LoginRequired,
    /// When the first account that only waits is available.
    BackAt(At),
    /// Waiting does not help: disabled, or deactivated.
    Unusable,
}

impl UnavailableReason {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            UnavailableReason::LoginRequired => "login_required",
            _ => "no_available_account",
        }
    }

    pub(crate) fn message(&self) -> String {
        match self {
            UnavailableReason::NoAccounts => "there are no accounts yet".to_owned(),
            UnavailableReason::Unreadable(why) => why.clone(),
            UnavailableReason::LoginRequired => "every account needs login".to_owned(),
            UnavailableReason::BackAt(at) => {
                format!("no account can be used now; the first is back at {}", at.to_the_next_minute())
            }
            UnavailableReason::Unusable => "no account can be used now".to_owned(),
        }
    }

    pub(crate) fn hint(&self) -> &'static str {
        match self {
            UnavailableReason::NoAccounts => "add one with `login`",
            UnavailableReason::Unreadable(_) => "`verify` says what is wrong with the files",
            UnavailableReason::LoginRequired => "log one of them in again",
            UnavailableReason::BackAt(_) => "wait until then, or add an account with `login`",
            UnavailableReason::Unusable => "`accounts` shows why each cannot be used",
        }
    }
}

impl Sidecar {
    /// Outside of a completion, so without a failed attempt that says more.
    pub(crate) fn reason(&self) -> UnavailableReason {
        match self.registry.decide(|pool, now| pool.prospect(now)) {
            Availability::NoAccounts => self.no_accounts(),
            Availability::BackAt(at) => UnavailableReason::BackAt(at),
            Availability::Login => UnavailableReason::LoginRequired,
            Availability::Nothing => UnavailableReason::Unusable,
        }
    }

    /// Returns why a completion stopped; `None` when one account is the reason.
    pub(crate) fn stopped(&self, ending: &Ending) -> Option<UnavailableReason> {
        match (ending.kind, ending.retry_at) {
            (EndingKind::AccountUnavailable | EndingKind::LastFailure, _) => None,
            (EndingKind::LoginRequired, _) => Some(UnavailableReason::LoginRequired),
            (EndingKind::NoAvailableAccount, Some(at)) => Some(UnavailableReason::BackAt(at)),
            (EndingKind::NoAvailableAccount, None)
                if self.registry.decide(|pool, _| pool.accounts().is_empty()) =>
            {
                Some(self.no_accounts())
            }
            (EndingKind::NoAvailableAccount, None) => Some(UnavailableReason::Unusable),
        }
    }

    /// Why the one requested account cannot be used.
    pub(crate) fn why_unavailable(&self, named: Option<&AccountId>, back_at: Option<At>) -> String {
        self.registry.decide(|pool, now| {
            let Some(account) = named.and_then(|id| pool.get(id)) else {
                return "the requested account does not exist any more".to_owned();
            };
            let why = match account.state(now) {
                State::Disabled => "it is disabled".to_owned(),
                State::NeedsLogin => "it needs a login".to_owned(),
                State::Deactivated => "it is deactivated".to_owned(),
                State::Cooling | State::Ready => match back_at {
                    Some(at) => format!("it is back at {}", at.to_the_next_minute()),
                    None => return format!("{} cannot be used now", account.label),
                },
            };
            format!("{} cannot be used now: {why}", account.label)
        })
    }

    fn no_accounts(&self) -> UnavailableReason {
        self.registry.unreadable().map_or(UnavailableReason::NoAccounts, UnavailableReason::Unreadable)
    }

    /// -32013, or -32012 when only a login helps.
    pub(crate) fn no_account_error(&self) -> RpcError {
        let reason = self.reason();
        let kind = match reason {
            UnavailableReason::LoginRequired => ErrorKind::LoginRequired,
            _ => ErrorKind::NoAvailableAccount,
        };
        let mut rpc = RpcError::new(kind, reason.message()).hinted(reason.hint());
        if let UnavailableReason::BackAt(at) = reason {
            rpc.data.retryable = true;
            rpc.data.retry_at = Some(at.millis());
        }
        rpc
    }
}
