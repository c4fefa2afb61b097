//! Logging in: `login`, `reauth` and `login/…`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AccountAnswer, ErrorKind, Method, Notification};

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LoginParams {
    /// What a new account is to be called; its e-mail when absent. Not blank.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// `browser` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<LoginFlow>,
    /// Open the user's browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<bool>,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReauthParams {
    /// Id, label or e-mail; when absent the only account that needs a login, else the active one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// `browser` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<LoginFlow>,
    /// Open the user's browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<bool>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoginFlow {
    /// A browser on this machine comes back by itself; from any other, the address it ends up at is pasted.
    #[default]
    Browser,
    /// A short code is typed on another device.
    Device,
}

/// A login under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginStarted {
    /// Within this connection.
    pub login_id: String,
    pub flow: LoginFlow,
    /// Id of the account that `reauth` renews; absent for `login`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// To be opened in a browser.
    pub url: String,
    /// To be typed there; only of the device flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_code: Option<String>,
    /// When it fails with `login_expired`.
    pub expires_at: i64,
    /// Whether a browser could be started; only when `open` was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<bool>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginSubmitParams {
    pub login_id: String,
    /// The address the browser ended up at, `code#state`, or the bare code.
    pub input: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginIdParams {
    pub login_id: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoginCancelled {
    /// False when it is unknown, has ended, or is being stored already.
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

/// As `login/wait` answers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoginFailure {
    pub kind: ErrorKind,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Notification for LoginCompleted {
    const NAME: &'static str = "login/completed";
    const SUMMARY: &'static str = "A login ended, well or not.";
    type Params = Self;
}

/// `login`
#[derive(Debug)]
pub struct Login;

impl Method for Login {
    const NAME: &'static str = "login";
    const SUMMARY: &'static str =
        "Begins the login of a new account. One that turns out to be known is renewed.";
    const ERRORS: &'static [ErrorKind] = &[ErrorKind::LoginFailed, ErrorKind::Storage];
    type Params = LoginParams;
    type Result = LoginStarted;
}

/// `reauth`
#[derive(Debug)]
pub struct Reauth;

impl Method for Reauth {
    const NAME: &'static str = "reauth";
    const SUMMARY: &'static str =
        "Begins a new login of an account. One of another identity is refused and not stored.";
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
    const SUMMARY: &'static str = "Hands in what a person pasted, and answers when the login has ended.";
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
    const SUMMARY: &'static str = "Answers when the login has ended; cancelling this does not end it.";
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
    const SUMMARY: &'static str = "Ends a login, which then fails with `login_cancelled`.";
    const ERRORS: &'static [ErrorKind] = &[];
    type Params = LoginIdParams;
    type Result = LoginCancelled;
}
