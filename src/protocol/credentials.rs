//! Methods about tokens: `accounts/token`, the only one whose result holds a secret, and `refresh`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lenient;
use super::{Account, ErrorKind, Method, Notification, RpcError};

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenParams {
    /// An account's id, label or e-mail; the account that rotation would use now when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// How long the token must still be valid; five minutes when absent. More than the life of a new token means: refresh
    /// once and answer the newest.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub min_valid_ms: Option<u64>,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenAnswer {
    /// A secret.
    pub access_token: String,
    /// Send it as `chatgpt-account-id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<String>,
    pub expires_at: i64,
    /// Account id.
    pub account: String,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RefreshParams {
    /// An account's id, label or e-mail, or `all`, which is the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Refresh also tokens that are still good, and try again those that were refused or whose answer was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force: Option<bool>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefreshAnswer {
    /// In the order of `accounts`.
    pub results: Vec<Refreshed>,
    /// How many of these accounts need a login.
    pub needs_login: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Refreshed {
    /// The account after the refresh.
    pub account: Account,
    /// Its token is good.
    pub ok: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RefreshError>,
}

/// Why one account could not be refreshed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefreshError {
    pub kind: ErrorKind,
    pub message: String,
    pub retryable: bool,
    /// One of the kinds of a `complete` error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Upstream's HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Upstream's own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// A `refresh` finished one more account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RefreshProgress {
    pub done: u32,
    pub total: u32,
    /// Account id.
    pub account: String,
}

/// Leaves out the token, so that it cannot get into a log.
impl fmt::Debug for TokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenAnswer").field("account", &self.account).finish_non_exhaustive()
    }
}

impl From<RpcError> for RefreshError {
    fn from(error: RpcError) -> Self {
        let data = *error.data;
        RefreshError {
            kind: error.kind,
            message: error.message,
            retryable: data.retryable,
            cause: data.cause,
            retry_at: data.retry_at,
            hint: data.hint,
            status: data.status,
            code: data.code,
        }
    }
}

/// `accounts/token`
#[derive(Debug)]
pub struct AccountsToken;

impl Method for AccountsToken {
    const NAME: &'static str = "accounts/token";
    const SUMMARY: &'static str =
        "Answers a valid access token. It is the only method whose result holds a secret.";
    const DESCRIPTION: &'static str = "\
        Without `account` it answers for the account that rotation would use now; when that token cannot be \
        refreshed, the next account is tried. When a refresh takes longer than 2 s and the present token is \
        still valid, the present token is answered.";
    const ERRORS: &'static [ErrorKind] = &[
        ErrorKind::AccountNotFound,
        ErrorKind::AccountAmbiguous,
        ErrorKind::LoginRequired,
        ErrorKind::NoAvailableAccount,
        ErrorKind::Upstream,
        ErrorKind::Storage,
    ];
    type Params = TokenParams;
    type Result = TokenAnswer;
}

/// `refresh`
#[derive(Debug)]
pub struct Refresh;

impl Method for Refresh {
    const NAME: &'static str = "refresh";
    const SUMMARY: &'static str =
        "Makes sure that tokens are good and reads the usage, of one account or of all.";
    const DESCRIPTION: &'static str = "\
        The result has one entry for each account, in the order of `accounts`; `ok` means that its token is \
        good. With `force` it also refreshes tokens that are still good, and tries again those that were \
        refused, whose answer was lost or that are backed off, but never a refresh token that is known as \
        consumed. `refresh/progress` comes before the answer.";
    const ERRORS: &'static [ErrorKind] = &[ErrorKind::AccountNotFound, ErrorKind::AccountAmbiguous];
    type Params = RefreshParams;
    type Result = RefreshAnswer;
}

impl Notification for RefreshProgress {
    const NAME: &'static str = "refresh/progress";
    const SUMMARY: &'static str = "A `refresh` finished one more account. Comes before its answer.";
    type Params = Self;
}
