//! Errors as they cross the wire: a code, a message for people, and `data` for programs.

use std::borrow::Cow;

use jsonrpsee::types::ErrorObjectOwned;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PlanStep;

/// Why a request failed; the name on the wire is stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    InvalidRequest,
    InvalidParams,
    Internal,
    AccountNotFound,
    AccountAmbiguous,
    LoginRequired,
    NoAvailableAccount,
    AccountUnavailable,
    LoginFailed,
    LoginExpired,
    LoginCancelled,
    IdentityMismatch,
    Upstream,
    Storage,
    /// The account has no reset credit that could be redeemed.
    NoResetCredit,
}

impl ErrorKind {
    /// Kinds that any request can be answered with, whatever its method.
    pub fn is_common(self) -> bool {
        matches!(self, ErrorKind::InvalidParams | ErrorKind::Internal)
    }

    /// When a method answers this, in one sentence for the schema.
    pub fn meaning(self) -> &'static str {
        match self {
            ErrorKind::InvalidRequest => "The request is not allowed now.",
            ErrorKind::InvalidParams => "A param is missing or wrong; `path` names it.",
            ErrorKind::Internal => "A fault of the sidecar.",
            ErrorKind::AccountNotFound => {
                "No account has this id, label or e-mail; `candidates` lists the labels."
            }
            ErrorKind::AccountAmbiguous => {
                "Several accounts have this label or e-mail; `candidates` lists their ids."
            }
            ErrorKind::LoginRequired => "Only a new login helps.",
            ErrorKind::NoAvailableAccount => "No account can be used now; `retryAt` says when one can.",
            ErrorKind::AccountUnavailable => "The account that `account` names cannot be used now.",
            ErrorKind::LoginFailed => "The login failed; nothing was stored.",
            ErrorKind::LoginExpired => "The login was not finished in time; nothing was stored.",
            ErrorKind::LoginCancelled => "`login/cancel` ended the login; nothing was stored.",
            ErrorKind::IdentityMismatch => "The login is of another identity; nothing was stored.",
            ErrorKind::Upstream => {
                "OpenAI's servers refused or did not answer; `status`, `code`, `cause` and `body` say how."
            }
            ErrorKind::NoResetCredit => {
                "The account has no reset credit, or not the one that `creditId` names."
            }
            ErrorKind::Storage => "A file could not be locked, read or written.",
        }
    }

    /// The name on the wire.
    pub fn name(self) -> Cow<'static, str> {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => Cow::Owned(name),
            _ => Cow::Borrowed("internal"),
        }
    }

    /// The JSON-RPC code.
    pub fn code(self) -> i32 {
        match self {
            ErrorKind::InvalidRequest => -32600,
            ErrorKind::InvalidParams => -32602,
            ErrorKind::Internal => -32603,
            ErrorKind::AccountNotFound => -32010,
            ErrorKind::AccountAmbiguous => -32011,
            ErrorKind::LoginRequired => -32012,
            ErrorKind::NoAvailableAccount | ErrorKind::AccountUnavailable => -32013,
            ErrorKind::LoginFailed
            | ErrorKind::LoginExpired
            | ErrorKind::LoginCancelled
            | ErrorKind::IdentityMismatch => -32014,
            ErrorKind::Upstream | ErrorKind::NoResetCredit => -32015,
            ErrorKind::Storage => -32016,
        }
    }
}

/// The `data` member of every error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorData {
    /// An [`ErrorKind`], or one of the transport's own (`parse_error`, `overloaded`, `cancelled`, …).
    pub kind: Cow<'static, str>,
    /// The same request may succeed later, although nothing was changed.
    pub retryable: bool,
    /// Account id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<i64>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The wrong field, e.g. `request.store`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Labels (not found) or ids (ambiguous) to choose from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidates: Option<Vec<String>>,
    /// Upstream's HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Upstream's own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What the last attempt failed with: one of the kinds of a `complete` error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Upstream's last body, unchanged, at most 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub body_truncated: bool,
    /// What is left to do, in this order, when no account could serve.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plan: Vec<PlanStep>,
}

/// An error on its way to the client.
#[derive(Clone, Debug, PartialEq)]
pub struct RpcError {
    pub kind: ErrorKind,
    pub message: String,
    pub data: Box<ErrorData>,
}

impl RpcError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        RpcError {
            kind,
            message: message.into(),
            data: Box::new(ErrorData {
                kind: kind.name(),
                retryable: false,
                account: None,
                retry_at: None,
                hint: None,
                path: None,
                candidates: None,
                status: None,
                code: None,
                cause: None,
                body: None,
                body_truncated: false,
                plan: Vec::new(),
            }),
        }
    }

    /// Adds what to do next.
    pub fn hinted(mut self, hint: &str) -> Self {
        self.data.hint = Some(hint.to_owned());
        self
    }

    /// Returns an error -32602 that names the field.
    pub fn invalid_params(path: impl Into<String>, message: impl Into<String>) -> Self {
        let mut error = RpcError::new(ErrorKind::InvalidParams, message);
        error.data.path = Some(path.into());
        error
    }
}

impl From<RpcError> for ErrorObjectOwned {
    fn from(error: RpcError) -> Self {
        ErrorObjectOwned::owned(error.kind.code(), error.message, Some(error.data))
    }
}
