//! Logging in: `login`, `reauth` and `login/…`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AccountAnswer, ErrorKind, Method, Notification};

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LoginParams {
    /// The label of a new account, not blank; its e-mail when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// `browser` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<LoginFlow>,
    /// Whether to open the user's browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<bool>,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReauthParams {
    /// Id, label or e-mail. When absent: the account that needs a login if there is exactly one, else the active one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// `browser` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<LoginFlow>,
    /// Whether to open the user's browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<bool>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoginFlow {
    /// A browser on this machine returns to the sidecar by itself. From another machine a person pastes the address at which
    /// the browser ended.
    #[default]
    Browser,
    /// A person types a short code on another device.
    Device,
}

/// A login in progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginStarted {
    /// Unique within this connection.
    pub login_id: String,
    pub flow: LoginFlow,
    /// Id of the account that `reauth` renews; absent for `login`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The address to open in a browser.
    pub url: String,
    /// The code to type there; only in the device flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_code: Option<String>,
    /// When the login fails with `login_expired`.
    pub expires_at: i64,
    /// Whether a browser could be started; only with `open`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<bool>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginSubmitParams {
    pub login_id: String,
    /// The address at which the browser ended, `code#state`, or the code alone.
    pub input: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginIdParams {
    pub login_id: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoginCancelled {
    /// False when the login is unknown, has ended, or is already being stored.
    pub cancelled: bool,
}

/// A login ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginCompleted {
    pub login_id: String,
    pub ok: bool,
    /// Id of the account that was added or renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<LoginFailure>,
}

/// Why a login failed, as in the answer of `login/wait`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoginFailure {
    pub kind: ErrorKind,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Notification for LoginCompleted {
    const NAME: &'static str = "login/completed";
    const SUMMARY: &'static str = "A login ended, with success or not.";
    type Params = Self;
}

/// `login`
#[derive(Debug)]
pub struct Login;

impl Method for Login {
    const NAME: &'static str = "login";
    const SUMMARY: &'static str = "Begins the login of a new account.";
    const DESCRIPTION: &'static str = "\
        A login of an identity that is already known renews that account, which keeps its label. `label` names \
        a new account; without it the e-mail does, or else `OpenAI Codex` and the first 8 characters of the \
        workspace id. When another account has that label, 8 characters of the workspace id are added in \
        brackets. Up to 32 logins may be in progress.";
    const ERRORS: &'static [ErrorKind] = &[ErrorKind::LoginFailed, ErrorKind::Storage];
    type Params = LoginParams;
    type Result = LoginStarted;
}

/// `reauth`
#[derive(Debug)]
pub struct Reauth;

impl Method for Reauth {
    const NAME: &'static str = "reauth";
    const SUMMARY: &'static str = "Begins a new login of an existing account.";
    const DESCRIPTION: &'static str = "\
        The account keeps its id, label, pin and history; the answer's `account` says which one it is. A login \
        of another identity ends with `identity_mismatch`.\n\
        \n\
        The login of a linked account is also written to pi's auth.json, under pi's lock, and the account \
        stays linked. When that file cannot be locked, read or written, the login is not begun (-32016). When \
        that fails only after the login, the login is stored in the accounts file, and a `warning` says what \
        to do.";
    const ERRORS: &'static [ErrorKind] = &[
        ErrorKind::AccountNotFound,
        ErrorKind::AccountAmbiguous,
        ErrorKind::LoginFailed,
        ErrorKind::Storage,
    ];
    type Params = ReauthParams;
    type Result = LoginStarted;
}

/// `login/submit`
#[derive(Debug)]
pub struct LoginSubmit;

impl Method for LoginSubmit {
    const NAME: &'static str = "login/submit";
    const SUMMARY: &'static str =
        "Submits the address or code that a person pasted, and answers when the login has ended.";
    const DESCRIPTION: &'static str = "\
        A wrong paste is refused with -32602 and `path: \"input\"`, and the login goes on. An unknown \
        `loginId`, or one of a device login, is refused with -32602.";
    const ERRORS: &'static [ErrorKind] = &[
        ErrorKind::LoginFailed,
        ErrorKind::LoginExpired,
        ErrorKind::LoginCancelled,
        ErrorKind::IdentityMismatch,
        ErrorKind::Storage,
    ];
    type Params = LoginSubmitParams;
    type Result = AccountAnswer;
}

/// `login/wait`
#[derive(Debug)]
pub struct LoginWait;

impl Method for LoginWait {
    const NAME: &'static str = "login/wait";
    const SUMMARY: &'static str = "Answers when the login has ended.";
    const DESCRIPTION: &'static str = "\
        It answers also when the login has ended before. Cancelling this request does not end the login. It \
        does not count towards `--max-requests`.";
    const ERRORS: &'static [ErrorKind] = &[
        ErrorKind::LoginFailed,
        ErrorKind::LoginExpired,
        ErrorKind::LoginCancelled,
        ErrorKind::IdentityMismatch,
        ErrorKind::Storage,
    ];
    type Params = LoginIdParams;
    type Result = AccountAnswer;
}

/// `login/cancel`
#[derive(Debug)]
pub struct LoginCancel;

impl Method for LoginCancel {
    const NAME: &'static str = "login/cancel";
    const SUMMARY: &'static str = "Ends a login in progress, which then fails with `login_cancelled`.";
    const ERRORS: &'static [ErrorKind] = &[];
    type Params = LoginIdParams;
    type Result = LoginCancelled;
}
