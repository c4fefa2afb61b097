//! Properties of any bytes that upstream sends. `tests/fuzz` generates the bytes.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;
use serde_json::value::RawValue;

use super::body::prepare;
use super::classify::{classify, classify_event};
use super::event::{Event, EventMeaning};
use super::sse::{MAX_EVENT_BYTES, SseSplitter};
use super::usage_reading::{Asked, from_event, from_headers, from_usage_body};
pub use super::websocket::fuzz::continuation;
use crate::pool::{At, Failure, FailureKind, Source, UsageReading, Window};

const NOW: At = At(1_800_000_000_000);
const ASKED: Asked = Asked { requested_at: NOW, answered_at: NOW };
/// No message for people is longer.
const MAX_MESSAGE_CHARS: usize = 600;

/// The first byte says how the body is cut. In every case the events are those that a naive reader finds, and each
/// event is one line of the same JSON.
pub fn sse(data: &[u8]) {
    let [cut, body @ ..] = data else { return };
    let events = split(body.chunks(usize::from(*cut) + 1), MAX_EVENT_BYTES);
    assert_eq!(events, naive_events(body));
    let small = split(body.chunks(usize::from(*cut) + 1), 16);
    assert!(events.starts_with(&small) && small.iter().all(|event| event.len() <= 16));
    for data in events {
        let Ok(Some(event)) = Event::read(Bytes::from(data.clone()), b"") else { continue };
        let text = str::from_utf8(event.json()).unwrap_or_default();
        assert!(!text.contains(['\n', '\r']), "an event of several lines: {text}");
        // White space of any script is allowed around it.
        let came = str::from_utf8(&data).unwrap_or_default().trim();
        assert_eq!(serde_json::from_str::<Value>(text).ok(), serde_json::from_str::<Value>(came).ok());
        if let EventMeaning::Failed { failure, .. } = event.meaning(ASKED) {
            check_failure(&failure);
        }
    }
}

/// Every event until the first that is too large.
fn split<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, max: usize) -> Vec<Vec<u8>> {
    let mut splitter = SseSplitter::new(max);
    let mut events = Vec::new();
    for chunk in chunks {
        splitter.feed(Bytes::copy_from_slice(chunk));
        loop {
            match splitter.next_event() {
                Ok(Some(event)) => events.push(event.to_vec()),
                Ok(None) => break,
                Err(_) => return events,
            }
        }
    }
    events.extend(splitter.finish().ok().flatten().map(|event| event.to_vec()));
    events
}

/// The same rules over the whole body at once, without regard to speed.
fn naive_events(body: &[u8]) -> Vec<Vec<u8>> {
    let text: Vec<u8> = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).to_vec();
    let mut lines = vec![Vec::new()];
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'\n' if at > 0 && text[at - 1] == b'\r' => {}
            b'\n' | b'\r' => lines.push(Vec::new()),
            other => lines.last_mut().into_iter().for_each(|line| line.push(*other)),
        }
    }
    let mut events = Vec::new();
    let mut data: Option<Vec<u8>> = None;
    for line in lines.into_iter().chain([Vec::new()]) {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        if line.is_empty() {
            events.extend(data.take());
        } else if &line[..colon] == b"data" {
            let before = data.take().map(|before| [&before[..], b"\n"].concat()).unwrap_or_default();
            data = Some([&before[..], value.strip_prefix(b" ").unwrap_or(value)].concat());
        }
    }
    events
}

/// An answer as text: a line with its status, headers, a blank line, the body. Its meaning is bounded and plausible.
pub fn refusal(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let status = lines.next().and_then(|status| StatusCode::from_bytes(status.trim().as_bytes()).ok());
    let status = status.unwrap_or(StatusCode::TOO_MANY_REQUESTS);
    let headers: HeaderMap = lines
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().parse::<HeaderName>().ok()?, HeaderValue::from_str(value.trim()).ok()?))
        })
        .collect();
    let failure = classify(status, &headers, body, Source::ResponseBody, NOW);
    check_failure(&failure);
    assert_eq!(failure.status, Some(status.as_u16()));
    // Only an answer about the token itself may cost a login, and only the token endpoint is final.
    assert_ne!(failure.kind, FailureKind::LoginRequired);
    if let Ok(event) = serde_json::from_str::<Value>(body) {
        check_failure(&classify_event(&event, NOW));
    }
    if let Some(reading) = from_headers(&headers, ASKED) {
        check_reading(&reading, head.len());
    }
}

fn check_failure(failure: &Failure) {
    let message = &failure.message;
    assert!(message.chars().count() <= MAX_MESSAGE_CHARS, "{} characters", message.chars().count());
    assert!(!message.is_empty() && !message.contains(|c: char| c.is_control()), "{message:?}");
    assert!(failure.retry_after.is_none_or(|wait| wait.as_secs() <= 10_000 * 366 * 86_400));
    assert!(failure.resets_at.is_none_or(|at| at.millis() > 0), "{:?}", failure.resets_at);
}

/// A usage answer, or an event with usage: every number is a number, and none was added.
pub fn usage(data: &[u8]) {
    let reading = from_usage_body(data, ASKED);
    let object = serde_json::from_slice::<Value>(data).is_ok_and(|value| value.is_object());
    assert_eq!(reading.is_some(), object);
    let event = serde_json::from_slice(data).ok().and_then(|event| from_event(&event, ASKED));
    for reading in reading.into_iter().chain(event) {
        check_reading(&reading, data.len());
    }
}

fn check_reading(reading: &UsageReading, bytes: usize) {
    let limits = reading.limits.iter().map(|limit| &limit.windows);
    for windows in limits.chain([&reading.windows]) {
        assert!(windows.is_sorted_by(|a, b| a.window_minutes < b.window_minutes), "{windows:?}");
        let sober = |window: &Window| {
            window.used_percent.is_finite()
                && window.used_percent >= 0.0
                && window.resets_at.is_none_or(|at| at.millis() > 0)
        };
        assert!(windows.iter().all(sober), "{windows:?}");
        assert!(windows.len() * "{\"used_percent\":1}".len() <= bytes, "{windows:?}");
    }
}

/// A client's request: the same JSON is sent, except for the members that upstream requires.
pub fn request(data: &[u8]) {
    let Ok(raw) = serde_json::from_slice::<&RawValue>(data) else { return };
    let (Ok(prepared), Ok(before)) =
        (prepare(raw, Some("session")), serde_json::from_str::<Value>(raw.get()))
    else {
        return;
    };
    let mut expected = before.clone();
    for (name, value) in
        [("stream", true.into()), ("store", false.into()), ("prompt_cache_key", "session".into())]
    {
        if before[name].is_null() {
            expected[name] = value;
        }
    }
    assert_eq!(serde_json::from_slice::<Value>(&prepared.json).ok(), Some(expected));
    assert_eq!(before["model"], prepared.model);
}
