//! One upstream event: its raw JSON, its type, and what it means for the attempt that it belongs to. Events are
//! forwarded as they came; only terminal and usage events are looked into.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use memchr::memchr2;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::classify::classify_event;
use super::usage_reading::{Asked, from_event, from_event_headers};
use crate::pool::{Failure, UsageReading};

/// Cheap to clone. It is a piece of the chunk it came in, and keeps that in memory.
#[derive(Clone, Debug)]
pub struct Event {
    /// Valid JSON text, byte for byte but for line ends between its tokens, which read as spaces: the text always
    /// fits on one line.
    json: Bytes,
    kind: EventKind,
}

/// What its `type` says, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EventKind {
    /// No `type`, or none that is a string.
    Untyped,
    RateLimits,
    Preamble,
    Output,
    Completed,
    Incomplete,
    Failed,
    Done,
}

/// What an event means. The rotation contract (protocol section 5) tells preamble from output.
#[derive(Debug)]
pub enum EventMeaning {
    /// Held back until output comes; carries a reading when it was `codex.rate_limits`.
    Preamble { usage: Option<UsageReading> },
    /// From here on nothing is replayed.
    Output,
    /// The response came to its end. `usage` is the response's own token count, raw.
    Completed { usage: Option<Box<RawValue>> },
    /// The response was cut short by upstream (`max_output_tokens`, `content_filter`).
    Incomplete { usage: Option<Box<RawValue>> },
    /// The response failed; nothing comes after it. Its frame may carry headers with a usage reading.
    Failed { failure: Failure, usage: Option<UsageReading> },
}

/// The data is not JSON, or not what it stands in place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotJson;

impl Event {
    /// `name` is the `event` field that came with the data. Data without a `type` of its own takes it from there: the
    /// field does not reach the client.
    ///
    /// `None` for data that stands for no event: nothing at all, `[DONE]`, and JSON that is no object, which is logged.
    pub(super) fn read(data: Bytes, name: &[u8]) -> Result<Option<Event>, NotJson> {
        let text = str::from_utf8(&data).map_err(|_| NotJson)?.trim();
        if text.is_empty() || text == "[DONE]" {
            return Ok(None);
        }
        serde_json::from_str::<&RawValue>(text).map_err(|_| NotJson)?;
        if !text.starts_with('{') {
            tracing::warn!(bytes = text.len(), "an event of upstream is no JSON object and is skipped");
            return Ok(None);
        }
        let kind = EventKind::of(text);
        if kind == EventKind::Untyped
            && let Some(event) = Event::named(text, name)
        {
            return Ok(Some(event));
        }
        // A line end within a valid JSON text stands between tokens, never in a string.
        let json = match memchr2(b'\n', b'\r', text.as_bytes()) {
            None if text.len() == data.len() => data,
            None => data.slice_ref(text.as_bytes()),
            Some(_) => text.replace(['\n', '\r'], " ").into(),
        };
        Ok(Some(Event { json, kind }))
    }

    /// The event with the name that its SSE field gave it, when it has no member `type`.
    fn named(text: &str, name: &[u8]) -> Option<Event> {
        let name = str::from_utf8(name).ok().filter(|name| is_plain_name(name))?;
        let members = serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(text).ok()?;
        if members.contains_key("type") {
            return None;
        }
        let comma = if members.is_empty() { "" } else { "," };
        let rest = text[1..].replace(['\n', '\r'], " ");
        let json = format!(r#"{{"type":"{name}"{comma}{rest}"#).into();
        Some(Event { json, kind: EventKind::named(name) })
    }

    /// The terminal event that a whole response, sent in place of a stream, amounts to. `None` when the JSON is no
    /// response that has ended: `{"detail": …}`, `{}`, one that is still in progress.
    pub(super) fn from_whole_body(body: Bytes) -> Option<Event> {
        let event = Event::read(body, b"").ok().flatten()?;
        if event.kind.is_terminal() {
            return Some(event);
        }
        let head: ResponseHead<'_> = serde_json::from_slice(&event.json).ok()?;
        let is_response = head.object.as_deref() == Some("response") || head.id.is_some();
        let kind = match head.status.as_deref().filter(|_| is_response)? {
            "completed" => "response.completed",
            "incomplete" => "response.incomplete",
            "failed" => "response.failed",
            _ => return None,
        };
        let begin = format!(r#"{{"type":"{kind}","response":"#);
        let json = Bytes::from([begin.as_bytes(), &event.json, b"}"].concat());
        Some(Event { json, kind: EventKind::named(kind) })
    }

    #[cfg(test)]
    #[expect(clippy::expect_used, reason = "tests")]
    pub(crate) fn of_text(text: &str) -> Event {
        Event::read(Bytes::copy_from_slice(text.as_bytes()), b"").ok().flatten().expect("an event")
    }

    /// The text that clients get.
    pub fn json(&self) -> &[u8] {
        &self.json
    }

    /// The same event in memory of its own, for one that is kept: the chunk that it came in can go.
    #[must_use]
    pub fn detached(&self) -> Event {
        Event { json: Bytes::copy_from_slice(&self.json), kind: self.kind }
    }

    pub fn meaning(&self, asked: Asked) -> EventMeaning {
        match self.kind {
            EventKind::RateLimits => EventMeaning::Preamble { usage: from_event(&self.value(), asked) },
            EventKind::Preamble => EventMeaning::Preamble { usage: None },
            EventKind::Output | EventKind::Untyped => EventMeaning::Output,
            EventKind::Incomplete => EventMeaning::Incomplete { usage: self.response().1 },
            EventKind::Failed => self.failed(asked),
            // What the end is worth stands in the status, whatever the type says.
            EventKind::Completed | EventKind::Done => match self.response() {
                (Some(status), _) if status == "failed" || status == "cancelled" => self.failed(asked),
                (Some(status), usage) if status == "incomplete" => EventMeaning::Incomplete { usage },
                (_, usage) => EventMeaning::Completed { usage },
            },
        }
    }

    fn failed(&self, asked: Asked) -> EventMeaning {
        let event = self.value();
        EventMeaning::Failed {
            failure: classify_event(&event, asked.answered_at),
            usage: from_event_headers(&event, asked),
        }
    }

    /// Status and usage of the response inside.
    fn response(&self) -> (Option<String>, Option<Box<RawValue>>) {
        #[derive(Deserialize)]
        struct Terminal<'a> {
            #[serde(borrow, default)]
            response: Option<ResponseHead<'a>>,
        }
        let head = serde_json::from_slice::<Terminal<'_>>(&self.json).ok().and_then(|event| event.response);
        head.map_or((None, None), |head| (head.status, head.usage.map(RawValue::to_owned)))
    }

    /// What is nested too deep, or holds a lone surrogate, tells nothing but its type.
    fn value(&self) -> Value {
        serde_json::from_slice(&self.json).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct ResponseHead<'a> {
    #[serde(default)]
    object: Option<String>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(default)]
    status: Option<String>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

/// A name that can stand between quotation marks as it is.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

impl EventKind {
    fn is_terminal(self) -> bool {
        matches!(self, EventKind::Completed | EventKind::Incomplete | EventKind::Failed | EventKind::Done)
    }

    /// The type is nearly always the first member; then nothing of a large event is read a second time.
    fn of(json: &str) -> EventKind {
        #[derive(Deserialize)]
        struct Typed {
            #[serde(default)]
            r#type: String,
        }
        let first = json.strip_prefix(r#"{"type":""#).and_then(|rest| rest.split_once('"'));
        match first {
            Some((kind, _)) if !kind.contains('\\') => EventKind::named(kind),
            _ => serde_json::from_str(json)
                .map_or(EventKind::Untyped, |typed: Typed| EventKind::named(&typed.r#type)),
        }
    }

    fn named(kind: &str) -> EventKind {
        match kind {
            "" => EventKind::Untyped,
            "codex.rate_limits" => EventKind::RateLimits,
            "response.created"
            | "response.in_progress"
            | "response.queued"
            | "response.metadata"
            | "keepalive" => EventKind::Preamble,
            "response.completed" => EventKind::Completed,
            "response.incomplete" => EventKind::Incomplete,
            "response.failed" | "response.cancelled" | "error" => EventKind::Failed,
            "response.done" => EventKind::Done,
            kind if kind.starts_with("codex.") || kind.starts_with("responsesapi.") => EventKind::Preamble,
            _ => EventKind::Output,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::pool::At;
    use crate::upstream::sse::{MAX_EVENT_BYTES, SseSplitter};

    const ASKED: Asked = Asked { requested_at: At(1_000), answered_at: At(2_000) };

    fn text(event: &Event) -> &str {
        str::from_utf8(event.json()).unwrap()
    }

    fn event(text: &str) -> Event {
        Event::read(Bytes::copy_from_slice(text.as_bytes()), b"").unwrap().unwrap()
    }

    /// The meaning in a word, and the usage or kind that comes with it.
    fn meaning(event: &Event) -> String {
        match event.meaning(ASKED) {
            EventMeaning::Preamble { usage } => format!("preamble {}", usage.is_some()),
            EventMeaning::Output => "output".to_owned(),
            EventMeaning::Completed { usage } => format!("completed {usage:?}"),
            EventMeaning::Incomplete { usage } => format!("incomplete {usage:?}"),
            EventMeaning::Failed { failure, .. } => format!("failed {}", failure.kind.name()),
        }
    }

    #[test]
    fn types_tell_preamble_from_output() {
        let check = |text: &str, expected: &str| assert_eq!(meaning(&event(text)), expected, "{text}");
        for kind in
            ["response.created", "response.in_progress", "response.queued", "response.metadata", "keepalive"]
        {
            check(&format!(r#"{{"type":"{kind}"}}"#), "preamble false");
        }
        check(r#"{"type":"codex.response.metadata","headers":{}}"#, "preamble false");
        check(r#"{"type":"responsesapi.websocket_timing"}"#, "preamble false");
        check(
            r#"{"type":"codex.rate_limits","rate_limits":{"limit_reached":true,"primary":{"used_percent":100,"window_minutes":300}}}"#,
            "preamble true",
        );
        for kind in ["response.output_item.added", "response.output_text.delta", "response.new_thing", ""] {
            check(&format!(r#"{{"type":"{kind}"}}"#), "output");
        }
        check("{}", "output");
        check(r#"{"a":{"type":"error"}}"#, "output");
    }

    #[test]
    fn terminal_events_carry_their_usage() {
        let check = |text: &str, expected: &str| assert_eq!(meaning(&event(text)), expected, "{text}");
        check(
            r#"{"type":"response.completed","response":{"status":"completed","output":["\ud800"],"usage":{"total_tokens": 1.0}}}"#,
            r#"completed Some(RawValue({"total_tokens": 1.0}))"#,
        );
        check(r#"{"type":"response.completed","response":{"usage":null}}"#, "completed None");
        check(r#"{"type":"response.completed"}"#, "completed None");
        check(r#"{"response":{"usage":1},"type":"response.incomplete"}"#, "incomplete Some(RawValue(1))");
        check(r#"{"type":"response.done","response":{"status":"completed"}}"#, "completed None");
        check(r#"{"type":"response.done","response":{"status":"incomplete"}}"#, "incomplete None");
        check(
            r#"{"type":"response.done","response":{"status":"failed","error":{"code":"usage_limit_reached"}}}"#,
            "failed usage_limit",
        );
        check(
            r#"{"type":"error","error":{"type":"usage_limit_reached"},"status_code":429}"#,
            "failed usage_limit",
        );
        check(r#"{"type":"response.failed","response":{"error":null}}"#, "failed server_error");
        check(r#"{"type":"response.cancelled","response":{"status":"cancelled"}}"#, "failed server_error");
    }

    #[test]
    fn data_is_kept_byte_for_byte_on_one_line() {
        let check = |data: &[u8], expected: Result<Option<(&str, EventKind)>, NotJson>| {
            let event = Event::read(Bytes::copy_from_slice(data), b"");
            let event = event.as_ref().map(|event| event.as_ref().map(|event| (text(event), event.kind)));
            assert_eq!(event.map_err(|error| *error), expected);
        };
        check(
            br#"{"b":1.50e+02, "type" : "error","a":"\ud800\u0041"}"#,
            Ok(Some((r#"{"b":1.50e+02, "type" : "error","a":"\ud800\u0041"}"#, EventKind::Failed))),
        );
        check(b"{\"type\":\n\"x\"}\r", Ok(Some((r#"{"type": "x"}"#, EventKind::Output))));
        check(b" {\"type\":\"x\"} ", Ok(Some((r#"{"type":"x"}"#, EventKind::Output))));
        check(br#"{"type":"e\u0072ror"}"#, Ok(Some((r#"{"type":"e\u0072ror"}"#, EventKind::Failed))));
        check(br#"{"type":7}"#, Ok(Some((r#"{"type":7}"#, EventKind::Untyped))));
        check(b"", Ok(None));
        check(b" ", Ok(None));
        check(b"[DONE]", Ok(None));
        check(b"{", Err(NotJson));
        check(b"{\"type\":\"x\"", Err(NotJson));
        check(b"{} {}", Err(NotJson));
        check(b"\"a\nb\"", Err(NotJson));
        for skipped in ["[\"x\"]", "null", "7", "true", "\"error\"", " -1.5 "] {
            check(skipped.as_bytes(), Ok(None));
        }
        check(b"{\"a\":\"\xff\"}", Err(NotJson));
        check(b"<html>", Err(NotJson));
    }

    #[test]
    fn whole_responses_that_ended_are_their_terminal_event() {
        let check = |body: &str, kind: EventKind, json: &str| {
            let event = Event::from_whole_body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
            assert_eq!((event.kind, text(&event)), (kind, json));
        };
        check(
            r#"{"id":"r","status":"completed"}"#,
            EventKind::Completed,
            r#"{"type":"response.completed","response":{"id":"r","status":"completed"}}"#,
        );
        check(
            "{\n \"status\": \"incomplete\",\"object\":\"response\"\n}\n",
            EventKind::Incomplete,
            r#"{"type":"response.incomplete","response":{  "status": "incomplete","object":"response" }}"#,
        );
        check(
            r#"{"id":"r","status":"failed","error":{"code":"x"}}"#,
            EventKind::Failed,
            r#"{"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"x"}}}"#,
        );
        check(r#"{"type":"error"}"#, EventKind::Failed, r#"{"type":"error"}"#);
        check(
            r#"{"type":"response.done","response":{}}"#,
            EventKind::Done,
            r#"{"type":"response.done","response":{}}"#,
        );
        for body in [
            "",
            "[DONE]",
            "{",
            "[]",
            "7",
            "{}",
            r#"{"detail":"Unauthorized"}"#,
            r#"{"status":"completed"}"#,
            r#"{"id":"r","status":"in_progress"}"#,
            r#"{"object":"response"}"#,
            r#"{"id":"r"}"#,
            r#"{"object":"portal","status":"completed"}"#,
            r#"{"error":{"code":"x"}}"#,
            r#"{"type":"response.created"}"#,
        ] {
            assert!(Event::from_whole_body(Bytes::from(body)).is_none(), "{body}");
        }
    }

    #[test]
    fn events_without_a_type_are_named_by_their_field() {
        let check = |name: &str, data: &str, kind: EventKind, json: &str| {
            let event =
                Event::read(Bytes::copy_from_slice(data.as_bytes()), name.as_bytes()).unwrap().unwrap();
            assert_eq!((event.kind, text(&event)), (kind, json));
        };
        check(
            "error",
            r#"{"error":{"code":"x"}}"#,
            EventKind::Failed,
            r#"{"type":"error","error":{"code":"x"}}"#,
        );
        check("error", "{}", EventKind::Failed, r#"{"type":"error"}"#);
        check(
            "response.failed",
            "{\n\"response\":{}}",
            EventKind::Failed,
            r#"{"type":"response.failed", "response":{}}"#,
        );
        check("response.created", r#"{"type":"error"}"#, EventKind::Failed, r#"{"type":"error"}"#);
        check("error", r#"{"type":7}"#, EventKind::Untyped, r#"{"type":7}"#);
        check("a\"b", r#"{"x":1}"#, EventKind::Untyped, r#"{"x":1}"#);
        check("", r#"{"x":1}"#, EventKind::Untyped, r#"{"x":1}"#);
    }

    #[test]
    fn completed_events_mean_what_their_status_says() {
        let check = |text: &str, expected: &str| assert_eq!(meaning(&event(text)), expected, "{text}");
        check(
            r#"{"type":"response.completed","response":{"status":"incomplete","usage":1}}"#,
            "incomplete Some(RawValue(1))",
        );
        check(
            r#"{"type":"response.completed","response":{"status":"failed","error":{"code":"server_is_overloaded"}}}"#,
            "failed overloaded",
        );
        check(r#"{"type":"response.completed","response":{"status":"cancelled"}}"#, "failed server_error");
        check(r#"{"type":"response.completed","response":{"status":"completed"}}"#, "completed None");
        check(r#"{"type":"response.completed","response":{"status":null}}"#, "completed None");
    }

    #[test]
    fn recorded_streams_begin_with_preamble_and_end_complete() {
        let read = |file: &str| {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/upstream/");
            std::fs::read_to_string(format!("{folder}{file}")).unwrap()
        };
        let check = |data: Vec<Bytes>, expected: (usize, usize, usize)| {
            let (mut preamble, mut output, mut completed) = (0, 0, 0);
            for data in data {
                let event = Event::read(data.clone(), b"").unwrap().unwrap();
                assert_eq!(event.json(), data);
                match event.meaning(ASKED) {
                    EventMeaning::Preamble { usage: None } => preamble += 1,
                    EventMeaning::Output => output += 1,
                    EventMeaning::Completed { .. } => completed += 1,
                    other => panic!("{other:?} of {event:?}"),
                }
            }
            assert_eq!((preamble, output, completed), expected);
        };
        let lines =
            |file: &str| read(file).lines().map(|line| Bytes::from(line.to_owned())).collect::<Vec<_>>();
        check(lines("responses-api/openai-phase.1.chunks.txt"), (2, 14, 1));
        check(lines("responses-api/openai-reasoning-encrypted-content.1.chunks.txt"), (8, 98, 4));
        let mut splitter = SseSplitter::new(MAX_EVENT_BYTES);
        splitter.feed(Bytes::from(read("openai-codex/cli_responses_fixture.sse")));
        let mut data: Vec<_> = std::iter::from_fn(|| splitter.next_event().unwrap()).collect();
        data.extend(splitter.finish().unwrap());
        check(data, (1, 1, 1));
    }
}
