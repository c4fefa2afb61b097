//! What a refusal means, from its status, headers and body, or from the event that carried it. Pure: `now` is handed in.
//!
//! Structured codes decide before the status, the status before the words of a message (upstream.md 3.5). The closed
//! lists are in [`codes`]; the last resort is in [`wording`].

mod codes;
mod evidence;
mod wait;
mod wording;

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use self::evidence::Evidence;
use super::lenient;
use super::usage_reading::{is_main_limit, limit_id_of};
use crate::pool::{At, Failure, FailureKind, Source};

/// The meaning of an HTTP answer that is not a stream. `source` is [`Source::ResponseBody`] or
/// [`Source::UsageEndpoint`].
pub fn classify(status: StatusCode, headers: &HeaderMap, body: &str, source: Source, now: At) -> Failure {
    let mut evidence = Evidence::from_answer(headers, body);
    evidence.status = Some(status.as_u16());
    let kind = match is_html(headers, body) {
        true => kind_of_page(status, headers, body),
        false => kind_of(&evidence, headers),
    };
    describe(kind, source, evidence, headers, now)
}

/// The meaning of an `error`, `response.failed` or cancelled response event, with the status and headers it may
/// carry inside.
pub fn classify_event(event: &Value, now: At) -> Failure {
    let headers = event.get("headers").and_then(Value::as_object).map(lenient::headers_from_json);
    let headers = headers.unwrap_or_default();
    let evidence = Evidence::from_event(event);
    describe(kind_of(&evidence, &headers), Source::StreamEvent, evidence, &headers, now)
}

fn kind_of(evidence: &Evidence, headers: &HeaderMap) -> FailureKind {
    let wait = wait::retry_after(headers, evidence.message.as_deref(), At(0));
    let mut by_code = None;
    for code in &evidence.codes {
        match codes::kind_of_code(code) {
            // A code that says more than "too fast" may stand beside it.
            Some(FailureKind::RateLimit) => by_code = by_code.or(Some(FailureKind::RateLimit)),
            // Told when to come back, this is a rate limit (upstream.md 3.5).
            Some(FailureKind::Overloaded) if code == "slow_down" && wait.is_some() => {
                return FailureKind::RateLimit;
            }
            Some(kind) => return kind,
            None => {}
        }
    }
    by_code.unwrap_or_else(|| kind_without_code(evidence, headers, wait.is_some()))
}

fn kind_without_code(evidence: &Evidence, headers: &HeaderMap, told_to_wait: bool) -> FailureKind {
    let worded = evidence.message.as_deref().and_then(wording::kind_of_message);
    let worded_as = |kinds: &[FailureKind]| worded.filter(|kind| kinds.contains(kind));
    use FailureKind::*;
    match evidence.status {
        Some(401) => worded_as(&[Deactivated]).unwrap_or(Unauthorized),
        Some(402) => worded_as(&[Deactivated]).unwrap_or(Credits),
        // The known refusals that no other account would escape (region, policy) have codes. What is left says that
        // this identity may not, and the next one may.
        Some(403) => worded_as(&[Deactivated, ModelUnsupported, UsageLimit]).unwrap_or(WorkspaceDenied),
        Some(429) if evidence.quotes_reset() => UsageLimit,
        Some(429) if told_to_wait => RateLimit,
        Some(429) if window_is_exhausted(headers) => UsageLimit,
        Some(429) => worded_as(&[UsageLimit, Credits]).unwrap_or(RateLimit),
        Some(400 | 404) if evidence.names_model_param => ModelUnsupported,
        Some(400 | 404 | 413 | 422) => {
            worded_as(&[ModelUnsupported, ContextLengthExceeded]).unwrap_or(RequestRejected)
        }
        // Timeouts between upstream's own machines; the request itself is not at fault.
        Some(408 | 425) => ServerError,
        Some(503 | 529) => Overloaded,
        Some(status) if status >= 500 => worded_as(&[Overloaded]).unwrap_or(ServerError),
        Some(status) if status >= 400 => RequestRejected,
        Some(_) => UpstreamProtocol,
        None => codes::kind_of_type(&evidence.codes)
            .filter(|_| worded.is_none())
            .or(worded)
            .unwrap_or(ServerError),
    }
}

fn window_is_exhausted(headers: &HeaderMap) -> bool {
    lenient::header(headers, "x-codex-rate-limit-reached-type").is_some()
        || ["primary", "secondary"].iter().any(|slot| {
            lenient::header_number(headers, &format!("x-codex-{slot}-used-percent"))
                .is_some_and(|used| used >= 100.0)
        })
}

fn is_html(headers: &HeaderMap, body: &str) -> bool {
    let said = lenient::header(headers, "content-type").is_some_and(|kind| kind.starts_with("text/html"));
    let body = body.trim_start();
    let starts = |tag: &str| body.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag));
    (said && !body.starts_with('{')) || starts("<!doctype") || starts("<html")
}

/// A page comes from something in front of upstream: Cloudflare's challenge or block, or a broken gateway.
fn kind_of_page(status: StatusCode, headers: &HeaderMap, body: &str) -> FailureKind {
    let challenge = lenient::header(headers, "cf-mitigated").is_some()
        || ["Just a moment", "challenge-platform", "cf-chl", "cf_chl"].iter().any(|mark| body.contains(mark));
    match status.as_u16() {
        403 | 429 => FailureKind::Challenge,
        _ if challenge => FailureKind::Challenge,
        401 => FailureKind::Unauthorized,
        503 | 529 => FailureKind::Overloaded,
        500.. => FailureKind::ServerError,
        // A page in place of an answer: a portal or proxy on the way.
        ..=399 => FailureKind::UpstreamProtocol,
        _ => FailureKind::RequestRejected,
    }
}

fn describe(kind: FailureKind, source: Source, evidence: Evidence, headers: &HeaderMap, now: At) -> Failure {
    let limited = matches!(kind, FailureKind::UsageLimit | FailureKind::RateLimit);
    let retry_after = wait::retry_after(headers, evidence.message.as_deref(), now);
    let message = match (&evidence.message, kind, evidence.status) {
        (_, FailureKind::Challenge, Some(status)) => {
            format!("a challenge page stands in front of upstream (HTTP {status})")
        }
        (Some(message), ..) => message.clone(),
        (None, _, Some(status)) => match evidence.codes.first() {
            Some(code) => format!("{code} (HTTP {status})"),
            None => format!("HTTP {status}"),
        },
        (None, _, None) => match evidence.codes.first() {
            Some(code) => code.clone(),
            None => "upstream gave no reason".to_owned(),
        },
    };
    Failure {
        resets_at: evidence.resets_at(now),
        retry_after,
        limit_id: lenient::header(headers, "x-codex-active-limit")
            .filter(|id| limited && !is_main_limit(id))
            .map(limit_id_of),
        status: evidence.status,
        code: evidence.codes.into_iter().next(),
        ..Failure::new(kind, source, wording::presentable(&message))
    }
}

#[cfg(test)]
mod tests;
