//! The errors of the transport, and the form of all errors: `data` holds `kind` and `retryable`.
//!
//! It knows nothing of the domain, whose errors are made in `sidecar`.

use jsonrpsee::types::{ErrorObject, ErrorObjectOwned, Id};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

/// Why the transport refuses a message. The code and the stable `kind` are derived from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Not JSON, or not UTF-8.
    Parse,
    /// JSON, but not a request; the reason is for people.
    InvalidRequest(&'static str),
    /// More bytes, or more batch entries, than the limit.
    TooLarge,
    MethodNotFound,
    /// Too many requests in flight: the same request may succeed later.
    Overloaded,
    /// `$/cancelRequest` or the end of the connection came before the answer.
    Cancelled,
    /// The handler panicked.
    Internal,
}

impl Refusal {
    pub fn code(self) -> i32 {
        match self {
            Self::Parse => -32700,
            Self::InvalidRequest(_) | Self::TooLarge => -32600,
            Self::MethodNotFound => -32601,
            Self::Internal => -32603,
            Self::Overloaded => -32001,
            Self::Cancelled => -32800,
        }
    }

    pub fn kind(self) -> &'static str {
        match self {
            Self::Parse => "parse_error",
            Self::InvalidRequest(_) => "invalid_request",
            Self::TooLarge => "message_too_large",
            Self::MethodNotFound => "method_not_found",
            Self::Internal => "internal",
            Self::Overloaded => "overloaded",
            Self::Cancelled => "cancelled",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Parse => "Parse error",
            Self::InvalidRequest(reason) => reason,
            Self::TooLarge => "The message is too large",
            Self::MethodNotFound => "Method not found",
            Self::Internal => "Internal error",
            Self::Overloaded => "Too many requests in flight; retry later",
            Self::Cancelled => "Cancelled",
        }
    }

    /// The whole answer to the request `id`.
    pub fn answer(self, id: &Id<'_>) -> Box<RawValue> {
        let data = json!({ "kind": self.kind(), "retryable": matches!(self, Self::Overloaded) });
        raw(&ErrorAnswer {
            jsonrpc: "2.0",
            id,
            error: ErrorObject::owned(self.code(), self.message(), Some(data)),
        })
    }
}

/// Returns an error answer in the full form. jsonrpsee's own errors have a string or nothing as `data`: the string
/// becomes `data.detail`, and `kind` is derived from the code.
pub fn with_kind(answer: Box<RawValue>) -> Box<RawValue> {
    let Ok(ErrorAnswer { id, error, .. }) = serde_json::from_str::<ErrorAnswer<'_, &RawValue>>(answer.get())
    else {
        return answer;
    };
    let data: Value =
        error.data().and_then(|data| serde_json::from_str(data.get()).ok()).unwrap_or(Value::Null);
    if data.get("kind").is_some() {
        return answer;
    }
    let error = complete(&error, data);
    raw(&ErrorAnswer { jsonrpc: "2.0", id, error })
}

#[derive(Serialize, Deserialize)]
struct ErrorAnswer<'a, Id> {
    jsonrpc: &'a str,
    id: Id,
    #[serde(borrow)]
    error: ErrorObject<'a>,
}

fn complete(error: &ErrorObject<'_>, data: Value) -> ErrorObjectOwned {
    let kind = match error.code() {
        -32601 => "method_not_found",
        -32602 => "invalid_params",
        _ => "internal",
    };
    let mut complete = json!({ "kind": kind, "retryable": false });
    if !data.is_null() {
        complete["detail"] = data;
    }
    ErrorObject::owned(error.code(), error.message(), Some(complete))
}

fn raw(value: &impl Serialize) -> Box<RawValue> {
    #[expect(clippy::expect_used, reason = "plain data with string keys always serializes")]
    to_raw_value(value).expect("plain data serializes")
}
