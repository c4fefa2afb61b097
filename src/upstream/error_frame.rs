//! An `error` frame of a WebSocket that stands for an HTTP answer: its status, headers and body are inside.

use http::StatusCode;
use serde_json::Value;

use super::classify::classify;
use super::event::Event;
use super::lenient::headers_of_event;
use super::without_member::without_member;
use crate::pool::{At, Failure, Source};

/// The parts of a frame besides the body.
const AROUND_THE_BODY: [&str; 4] = ["type", "status", "status_code", "headers"];

/// Returns the meaning of the answer inside, and its body. `None` for an event without a status.
pub fn answer_inside(event: &Event, now: At) -> Option<(Failure, String)> {
    let frame: Value = serde_json::from_slice(event.json()).ok().filter(|_| event.is_failure())?;
    let status = ["status", "status_code"].iter().find_map(|name| frame[*name].as_u64());
    let status = StatusCode::from_u16(u16::try_from(status?).ok()?).ok()?;
    let whole = str::from_utf8(event.json()).ok()?.to_owned();
    let body =
        AROUND_THE_BODY.iter().fold(whole, |rest, member| without_member(&rest, member).unwrap_or(rest));
    let headers = headers_of_event(&frame).unwrap_or_default();
    Some((classify(status, &headers, &body, Source::ResponseBody, now), body))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::pool::FailureKind;

    const NOW: At = At(1_800_000_000_000);

    #[test]
    fn frames_with_a_status_are_the_answer_that_http_would_give() {
        let frame = r#"{"type":"error","error":{"type":"usage_limit_reached","message":"m","resets_in_seconds":60},"status_code":429,"headers":{"X-Codex-Plan-Type":"plus"}}"#;
        let (failure, body) = answer_inside(&Event::of_text(frame), NOW).unwrap();
        assert_eq!(body, r#"{"error":{"type":"usage_limit_reached","message":"m","resets_in_seconds":60}}"#);
        let over_http = classify(
            StatusCode::TOO_MANY_REQUESTS,
            &http::HeaderMap::new(),
            &body,
            Source::ResponseBody,
            NOW,
        );
        assert_eq!((failure.kind, failure.status), (FailureKind::UsageLimit, Some(429)));
        assert_eq!(failure.resets_at, over_http.resets_at);

        let frame = r#"{"type":"error","status":400,"detail":"Unsupported parameter: stream_id"}"#;
        let (failure, body) = answer_inside(&Event::of_text(frame), NOW).unwrap();
        assert_eq!(
            (failure.kind, body.as_str()),
            (FailureKind::RequestRejected, r#"{"detail":"Unsupported parameter: stream_id"}"#)
        );
    }

    #[test]
    fn other_events_stand_for_no_answer() {
        for event in [
            r#"{"type":"error","error":{"code":"server_error"}}"#,
            r#"{"type":"response.output_text.delta","status":429}"#,
            r#"{"type":"error","status":7}"#,
        ] {
            assert!(answer_inside(&Event::of_text(event), NOW).is_none(), "{event}");
        }
    }
}
