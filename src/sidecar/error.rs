//! The errors of methods as the protocol's errors. Only here they get their kinds.

use jsonrpsee::types::ErrorObjectOwned;

use crate::auth::{LoginError, TokenRefreshError};
use crate::pool::{AccountId, At, Failure, FailureKind, Pool, SelectError};
use crate::protocol::{ErrorKind, Method, RpcError};
use crate::sidecar::accounts::RenameError;
use crate::store::StorageError;
use crate::upstream::presentable;

/// The hint when a choice of the user could not be saved.
pub(crate) const ACTIVE_BUT_UNSAVED: &str = "the change is active now; saving it failed and will be retried";

/// The error as `M` answers it. The schema lists the kinds of each method; debug builds panic on one that is not listed.
pub(crate) fn answer<M: Method>(error: RpcError) -> ErrorObjectOwned {
    debug_assert!(
        error.kind.is_common() || M::ERRORS.contains(&error.kind),
        "`{}` answers {:?}, which its ERRORS do not list",
        M::NAME,
        error.kind
    );
    error.into()
}

impl From<StorageError> for RpcError {
    fn from(error: StorageError) -> Self {
        let mut rpc = RpcError::new(ErrorKind::Storage, error.to_string());
        rpc.data.retryable = error.retryable();
        rpc
    }
}

/// A label that `account` cannot have.
pub(crate) fn rename(account: &AccountId, error: RenameError) -> RpcError {
    match error {
        RenameError::Storage(error) => storage(account, error),
        RenameError::Label(_) | RenameError::Refused(_) => {
            RpcError::invalid_params("label", error.to_string())
        }
    }
}

/// A selector that matches no account, or several.
pub(crate) fn select(pool: &Pool, selector: &str, error: SelectError) -> RpcError {
    match error {
        SelectError::NotFound { candidates } => {
            let selector = shown(selector);
            let mut rpc =
                RpcError::new(ErrorKind::AccountNotFound, format!("no account is called \"{selector}\""));
            rpc.data.hint = Some(if candidates.is_empty() {
                "there are no accounts yet".to_owned()
            } else {
                format!("use an id, a label or an e-mail: {}", candidates.join(", "))
            });
            rpc.data.candidates = Some(candidates);
            rpc
        }
        SelectError::Ambiguous { candidates } => {
            let mut rpc = RpcError::new(
                ErrorKind::AccountAmbiguous,
                format!("several accounts are called \"{}\"", shown(selector)),
            );
            rpc.data.candidates = Some(candidates.iter().map(ToString::to_string).collect());
            rpc.data.hint = Some(format!("name one by its id: {}", in_words(pool, &candidates)));
            rpc
        }
    }
}

/// Returns the given selector as an error may quote it. It may be a token by mistake.
fn shown(selector: &str) -> String {
    const LONGEST: usize = 100;
    let presentable = presentable(selector);
    match presentable.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", &presentable[..cut]),
        None => presentable,
    }
}

/// Returns the ids with their labels, because nothing else that people see shows an id.
fn in_words(pool: &Pool, candidates: &[AccountId]) -> String {
    let accounts = candidates.iter().filter_map(|id| pool.get(id));
    let named: Vec<_> = accounts.map(|account| format!("{} is {}", account.id, account.label)).collect();
    named.join(", ")
}

/// There is no valid token for `account`.
pub(crate) fn token(account: &AccountId, failure: &Failure, now: At) -> RpcError {
    let mut rpc = match failure.kind {
        FailureKind::LoginRequired | FailureKind::Unauthorized => {
            let mut rpc = RpcError::new(ErrorKind::LoginRequired, failure.message.clone());
            rpc.data.hint = Some("log this account in again".to_owned());
            rpc
        }
        FailureKind::Storage => {
            let mut rpc = RpcError::new(ErrorKind::Storage, failure.message.clone());
            rpc.data.retryable = failure.code.as_deref() == Some("locked");
            rpc
        }
        FailureKind::OutcomeUnknown => {
            let mut rpc = RpcError::new(ErrorKind::Upstream, failure.message.clone());
            rpc.data.hint = Some("`refresh` with `force` tries it once more".to_owned());
            rpc
        }
        _ => {
            let mut rpc = RpcError::new(ErrorKind::Upstream, failure.message.clone());
            rpc.data.retryable = failure.kind != FailureKind::Deactivated;
            rpc
        }
    };
    rpc.data.cause = Some(failure.kind.name().to_owned());
    rpc.data.retry_at = failure.retry_after.map(|rest| (now + rest).millis());
    rpc.data.account = Some(account.to_string());
    rpc.data.status = failure.status;
    rpc.data.code = failure.code.clone();
    rpc
}

/// A login that failed before there was anything to store.
pub(crate) fn login(error: &LoginError) -> RpcError {
    let kind = match error {
        LoginError::Expired => ErrorKind::LoginExpired,
        _ => ErrorKind::LoginFailed,
    };
    let mut rpc = RpcError::new(kind, error.to_string());
    match error {
        LoginError::Server { status, .. } => rpc.data.status = *status,
        LoginError::Exchange(TokenRefreshError::Terminal { status, code, .. }) => {
            rpc.data.status = Some(*status);
            rpc.data.code.clone_from(code);
        }
        LoginError::Exchange(TokenRefreshError::Transient { status, .. }) => rpc.data.status = *status,
        LoginError::NoDeviceLogins => rpc.data.hint = Some("use the flow `browser`".to_owned()),
        _ => {}
    }
    let is_about_the_region =
        ["unsupported_country", "region", "country"].iter().any(|word| rpc.message.contains(word));
    rpc.data.hint.get_or_insert_with(|| {
        let hint = match is_about_the_region {
            true => "OpenAI refuses logins from this country or network; use another network",
            false => "start the login again",
        };
        hint.to_owned()
    });
    rpc
}

/// A file that could not be read or written for `account`.
pub(crate) fn storage(account: &AccountId, error: StorageError) -> RpcError {
    let mut rpc = RpcError::from(error);
    rpc.data.account = Some(account.to_string());
    rpc
}
