//! Classifies a refusal by its status, headers and body, or by the event that carried it. Pure: `now` is a parameter.
//!
//! Structured codes decide before the status, and the status before the words of a message (schema/upstream.md, error
//! codes). The closed lists are in [`codes`]; the last resort is in [`wording`].

mod codes;
mod evidence;
mod parameter;
mod stranger;
mod wait;
mod wording;

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use self::evidence::Evidence;
use self::parameter::unsupported_parameter;
use self::stranger::in_between;
pub use self::wording::presentable;
use super::lenient;
use super::usage_reading::{is_main_limit, limit_id_of};
use crate::pool::{At, DispensableParameter, Failure, FailureKind, Source, Speaker, is_workspace_limit};

/// Classifies an HTTP answer that is not a stream. `source` is [`Source::ResponseBody`] or [`Source::UsageEndpoint`].
pub fn classify(status: StatusCode, headers: &HeaderMap, body: &str, source: Source, now: At) -> Failure {
    let mut evidence = Evidence::from_answer(headers, body);
    evidence.status = Some(status.as_u16());
    match in_between(status, headers, body) {
        Some(stranger) => {
            evidence.message = Some(stranger.message(status, headers));
            describe(stranger.kind(status), source, Speaker::Page, evidence, headers, now)
        }
        None => describe(kind_of(&evidence, headers), source, evidence.speaker(), evidence, headers, now),
    }
}

/// Classifies an `error`, `response.failed` or cancelled response event, with the status and headers that it may hold.
pub fn classify_event(event: &Value, now: At) -> Failure {
    let headers = lenient::headers_of_event(event).unwrap_or_default();
    let evidence = Evidence::from_event(event);
    describe(kind_of(&evidence, &headers), Source::StreamEvent, evidence.speaker(), evidence, &headers, now)
}

fn kind_of(evidence: &Evidence, headers: &HeaderMap) -> FailureKind {
    let wait = wait::retry_after(headers, evidence.message.as_deref(), At(0));
    let mut by_code = None;
    for code in &evidence.codes {
        match codes::kind_of_code(code) {
            // It may have a code that says more than "too fast".
            Some(FailureKind::RateLimit) => by_code = by_code.or(Some(FailureKind::RateLimit)),
            // With a time to come back it is a rate limit.
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
        // The known refusals that every account would get (region, policy) have codes. Any other one is about this
        // identity, and another account may be allowed.
        Some(403) if evidence.is_capacity(worded) => Overloaded,
        Some(403) => worded_as(&[Deactivated, ModelUnsupported, UsageLimit]).unwrap_or(WorkspaceDenied),
        Some(429) if evidence.quotes_reset() => UsageLimit,
        Some(429) if told_to_wait => RateLimit,
        Some(429) if window_is_exhausted(headers) => UsageLimit,
        Some(429) => worded_as(&[UsageLimit, Credits]).unwrap_or(RateLimit),
        // Capacity is refused with any status. A refusal that names a parameter is a fault of the request.
        Some(400..=499) if evidence.is_capacity(worded) => Overloaded,
        Some(400 | 404) if evidence.param.as_deref() == Some("model") => ModelUnsupported,
        Some(400 | 404 | 413 | 422) => {
            worded_as(&[ModelUnsupported, ContextLengthExceeded]).unwrap_or(RequestRejected)
        }
        // Timeouts between upstream's own machines; the request is not at fault.
        Some(408 | 425) => ServerError,
        Some(503 | 529) => Overloaded,
        Some(status) if status >= 500 => worded_as(&[Overloaded]).unwrap_or(ServerError),
        Some(status) if status >= 400 => RequestRejected,
        // A 200 that is neither a stream nor a response.
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

fn describe(
    kind: FailureKind,
    source: Source,
    speaker: Speaker,
    evidence: Evidence,
    headers: &HeaderMap,
    now: At,
) -> Failure {
    let limited = matches!(kind, FailureKind::UsageLimit | FailureKind::RateLimit);
    let retry_after = wait::retry_after(headers, evidence.message.as_deref(), now);
    let message = match (&evidence.message, evidence.status) {
        (Some(message), _) => message.clone(),
        (None, Some(status)) => match evidence.codes.first() {
            Some(code) => format!("{code} (HTTP {status})"),
            None => format!("HTTP {status}"),
        },
        (None, None) => match evidence.codes.first() {
            Some(code) => code.clone(),
            None => "upstream gave no reason".to_owned(),
        },
    };
    Failure {
        resets_at: evidence.resets_at(now),
        is_by_our_clock: evidence.quotes_a_past_date(now),
        retry_after,
        limit_id: lenient::header(headers, "x-codex-active-limit")
            .filter(|id| limited && !is_main_limit(id))
            .map(limit_id_of),
        status: evidence.status,
        whole_workspace: evidence.codes.iter().any(|code| is_workspace_limit(code)),
        speaker,
        refused_parameter: unsupported_parameter(&evidence)
            .filter(|_| kind == FailureKind::RequestRejected)
            .and_then(|name| DispensableParameter::from_name(&name)),
        code: evidence.codes.into_iter().next(),
        ..Failure::new(kind, source, wording::presentable(&message))
    }
}

#[cfg(test)]
mod tests;
