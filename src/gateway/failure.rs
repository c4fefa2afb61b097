//! A completion that failed before output, in HTTP. Clients decide by the status: Codex repeats a 401 twelve times and
//! a 503 thirty times, and shows a 400 at once. After a 429 that names a usage limit it stops and shows when the limit
//! ends.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::error::ApiError;
use super::event_stream::Body;
use crate::pool::{At, FailureKind};
use crate::protocol::Failed;

/// How a client is answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Error(ApiError),
    /// Upstream's own refusal, unchanged.
    Relayed {
        status: StatusCode,
        body: String,
    },
    /// Upstream refused with an event; so does the gateway.
    Event(String),
}

impl Refusal {
    pub(super) fn of(failed: &Failed, now: At) -> Refusal {
        let kind = FailureKind::from_name(&failed.kind);
        if kind.is_none() {
            return Refusal::Error(no_account(failed, now));
        }
        match kind {
            Some(FailureKind::UsageLimit | FailureKind::Credits) => Refusal::Error(usage_limit(failed, now)),
            Some(
                FailureKind::LoginRequired
                | FailureKind::Unauthorized
                | FailureKind::Deactivated
                | FailureKind::Storage
                | FailureKind::OutcomeUnknown,
            ) => Refusal::Error(person_is_needed(failed)),
            _ => upstreams_own(failed).unwrap_or_else(|| Refusal::Error(trouble(failed, kind, now))),
        }
    }

    /// The same for a client that does not want events.
    pub(super) fn without_event(failed: &Failed, now: At) -> Refusal {
        match Refusal::of(failed, now) {
            Refusal::Event(_) => Refusal::Error(trouble(failed, FailureKind::from_name(&failed.kind), now)),
            refusal => refusal,
        }
    }

    pub(super) fn into_response(self) -> Response<Body> {
        match self {
            Refusal::Error(error) => error.into_response(),
            Refusal::Relayed { status, body } => {
                let is_json = body.trim_start().starts_with('{');
                let mut response = Response::new(Body::whole(body));
                *response.status_mut() = status;
                let kind = if is_json { "application/json" } else { "text/plain; charset=utf-8" };
                response
                    .headers_mut()
                    .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
                response
            }
            Refusal::Event(event) => {
                let mut response = Response::new(Body::whole(framed_text(&event)));
                response.headers_mut().extend(super::responses::stream_headers());
                response
            }
        }
    }
}

/// Returns the failure as the last event of a response, for a client that already has its status.
pub(super) fn as_event(failed: &Failed) -> Bytes {
    let code = failed.code.as_deref().unwrap_or(&failed.kind);
    let error = json!({ "code": code, "message": said(failed) });
    let response = json!({ "object": "response", "status": "failed", "error": error, "output": [] });
    // The type is first, because some readers look no further.
    let rest = json!({ "response": response }).to_string();
    framed_text(&format!(r#"{{"type":"response.failed",{}"#, &rest[1..]))
}

/// No account could be asked.
fn no_account(failed: &Failed, now: At) -> ApiError {
    match failed.retry_at {
        Some(_) => usage_limit(failed, now),
        None => person_is_needed(failed),
    }
}

/// The message says what to do; repeating the request does not help.
fn person_is_needed(failed: &Failed) -> ApiError {
    ApiError::invalid_request(StatusCode::BAD_REQUEST, Some(&failed.kind), said(failed)).not_worth_a_retry()
}

/// Without the plan, because clients would suggest an upgrade. pi repeats unless the message says "quota exceeded".
fn usage_limit(failed: &Failed, now: At) -> ApiError {
    let message = format!("quota exceeded: {}", said(failed));
    let mut error = ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "usage_limit_reached",
        Some("usage_limit_reached"),
        message,
    )
    .not_worth_a_retry();
    if let Some(at) = failed.retry_at.map(At) {
        let seconds = i64::try_from(at.since(now).as_millis().div_ceil(1000)).unwrap_or(i64::MAX);
        error.details.resets_at = Some(at.millis().div_euclid(1000) + i64::from(at.millis() % 1000 != 0));
        error.details.resets_in_seconds = Some(seconds);
        error = error.retry_after(seconds);
    }
    error
}

/// Returns upstream's answer to the last attempt, if it is about the request and not about an account or the
/// connection.
fn upstreams_own(failed: &Failed) -> Option<Refusal> {
    #[derive(Deserialize)]
    struct Typed {
        r#type: String,
    }
    let body = failed.body.as_ref().filter(|_| !failed.body_truncated)?;
    let kind = serde_json::from_str(body).map(|typed: Typed| typed.r#type).unwrap_or_default();
    if matches!(kind.as_str(), "response.failed" | "response.cancelled" | "error") {
        return Some(Refusal::Event(body.clone()));
    }
    let status = StatusCode::from_u16(failed.status?).ok()?;
    let speaks_of_the_gateway = [
        StatusCode::UNAUTHORIZED,
        StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        StatusCode::SERVICE_UNAVAILABLE,
    ];
    let is_page = body.trim_start().starts_with('<');
    let is_refusal = status.is_client_error() || status.is_server_error();
    (is_refusal && !is_page && !speaks_of_the_gateway.contains(&status))
        .then(|| Refusal::Relayed { status, body: body.clone() })
}

/// A failure that may be temporary.
fn trouble(failed: &Failed, kind: Option<FailureKind>, now: At) -> ApiError {
    let status = match kind {
        Some(FailureKind::RateLimit) => StatusCode::TOO_MANY_REQUESTS,
        Some(FailureKind::IdleTimeout) => StatusCode::GATEWAY_TIMEOUT,
        Some(
            FailureKind::RequestRejected | FailureKind::ContextLengthExceeded | FailureKind::ModelUnsupported,
        ) => StatusCode::BAD_REQUEST,
        Some(FailureKind::WorkspaceDenied) => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_GATEWAY,
    };
    let kind = if status.is_server_error() { "server_error" } else { "invalid_request_error" };
    let code = failed.code.as_deref().unwrap_or(&failed.kind);
    let error = ApiError::new(status, kind, Some(code), said(failed));
    match failed.retry_at.map(|at| At(at).since(now).as_secs().saturating_add(1)) {
        Some(seconds) => error.retry_after(i64::try_from(seconds).unwrap_or(i64::MAX)),
        None => error,
    }
}

fn said(failed: &Failed) -> String {
    match &failed.hint {
        Some(hint) => format!("{}; {hint}", failed.message),
        None => failed.message.clone(),
    }
}

/// `json` is one line.
fn framed_text(json: &str) -> Bytes {
    let name = ["response.failed", "response.cancelled", "error"].into_iter().find(|name| {
        serde_json::from_str::<serde_json::Value>(json).is_ok_and(|event| event["type"] == *name)
    });
    let name = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
    format!("{name}data: {json}\n\n").into()
}
