//! One upstream event: its raw JSON, its type, and what it means for its attempt. Events are forwarded unchanged; only
//! terminal and usage events are parsed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use memchr::memchr2;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::classify::classify_event;
use super::input_transformations::reasoning_dropped;
use super::usage_reading::{Asked, from_event, from_event_headers};
use super::without_reasoning::{ReasoningHash, reasoning_hash};
use crate::pool::{Failure, ReasoningDropped, UsageReading};

/// Cheap to clone. It is a slice of the chunk in which it arrived, and keeps that chunk in memory.
#[derive(Clone, Debug)]
pub struct Event {
    /// Valid JSON text, byte for byte, except that line ends between its tokens are spaces, so that the text always
    /// fits on one line.
    json: Bytes,
    kind: EventKind,
}

/// The meaning of its `type`, as far as it is needed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EventKind {
    /// No `type`, or none that is a string.
    Untyped,
    RateLimits,
    Preamble,
    Output,
    /// `response.output_item.done`: output as well.
    ItemDone,
    Completed,
    Incomplete,
    Failed,
    Done,
}

/// What an event means. The preamble is defined in schema/protocol.md, flow 2.
#[derive(Debug)]
pub enum EventMeaning {
    /// Held back until output comes. Has a reading when it was `codex.rate_limits`.
    Preamble { usage: Option<UsageReading> },
    /// From here on nothing is repeated.
    Output,
    /// The response completed.
    Completed(ResponseReceipt),
    /// Upstream cut the response short (`max_output_tokens`, `content_filter`).
    Incomplete(ResponseReceipt),
    /// The response failed; nothing comes after it. Its frame may have headers with a usage reading.
    Failed { failure: Failure, usage: Option<UsageReading> },
}

/// What a finished response says about its cost.
#[derive(Debug, Default)]
pub struct ResponseReceipt {
    /// The response's own token count, unchanged.
    pub usage: Option<Box<RawValue>>,
    pub reasoning_dropped: ReasoningDropped,
}

/// The data is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotJson;

impl Event {
    /// `name` is the `event` field that came with the data. Data without a `type` gets its type from it, because the
    /// field does not reach the client.
    ///
    /// Returns `None` for data that is not an event: empty data, `[DONE]`, and JSON that is not an object, which is
    /// logged.
    pub(super) fn read(data: Bytes, name: &[u8]) -> Result<Option<Event>, NotJson> {
        let text = str::from_utf8(&data).map_err(|_| NotJson)?.trim();
        if text.is_empty() || text == "[DONE]" {
            return Ok(None);
        }
        serde_json::from_str::<&RawValue>(text).map_err(|_| NotJson)?;
        if !text.starts_with('{') {
            tracing::warn!(bytes = text.len(), "an event of upstream is not a JSON object and is skipped");
            return Ok(None);
        }
        let kind = EventKind::of(text);
        if kind == EventKind::Untyped
            && let Some(event) = Event::named(text, name)
        {
            return Ok(Some(event));
        }
        // In valid JSON a line end is between tokens, never in a string.
        let json = match memchr2(b'\n', b'\r', text.as_bytes()) {
            None if text.len() == data.len() => data,
            None => data.slice_ref(text.as_bytes()),
            Some(_) => text.replace(['\n', '\r'], " ").into(),
        };
        Ok(Some(Event { json, kind }))
    }

    /// Returns the event with the name of its SSE field, when it has no member `type`.
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

    /// Returns the terminal event for a whole response that was sent instead of a stream. `None` when the JSON is not a
    /// finished response: `{"detail": …}`, `{}`, one that is still in progress.
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

    /// Returns the text that clients get.
    pub fn json(&self) -> &[u8] {
        &self.json
    }

    /// Returns whether nothing comes after it, by its type.
    pub fn is_terminal(&self) -> bool {
        self.kind.is_terminal()
    }

    /// Returns the value of its `type`, when that is a plain word.
    pub fn name(&self) -> Option<Cow<'_, str>> {
        type_of(str::from_utf8(&self.json).ok()?).filter(|name| is_plain_name(name))
    }

    /// Returns the event in its own memory, so that its chunk can be freed while it is kept.
    #[must_use]
    pub fn detached(&self) -> Event {
        Event { json: Bytes::copy_from_slice(&self.json), kind: self.kind }
    }

    /// Returns the hash of the encrypted reasoning that this event completes.
    pub fn reasoning(&self) -> Option<ReasoningHash> {
        #[derive(Deserialize)]
        struct ItemDone<'a> {
            #[serde(borrow)]
            item: &'a RawValue,
        }
        if self.kind != EventKind::ItemDone {
            return None;
        }
        let done: ItemDone<'_> = serde_json::from_slice(&self.json).ok()?;
        reasoning_hash(done.item.get())
    }

    /// Returns whether the response failed.
    pub(super) fn is_failure(&self) -> bool {
        self.kind == EventKind::Failed
    }

    /// Returns whether it can only come after `response.created`.
    pub(super) fn needs_a_response(&self) -> bool {
        !matches!(self.kind, EventKind::Preamble | EventKind::RateLimits | EventKind::Failed)
    }

    pub fn meaning(&self, asked: Asked) -> EventMeaning {
        match self.kind {
            EventKind::RateLimits => EventMeaning::Preamble { usage: from_event(&self.value(), asked) },
            EventKind::Preamble => EventMeaning::Preamble { usage: None },
            EventKind::Output | EventKind::ItemDone | EventKind::Untyped => EventMeaning::Output,
            EventKind::Incomplete => EventMeaning::Incomplete(self.response().1),
            EventKind::Failed => self.failed(asked),
            // The status decides how the response ended, whatever the type says.
            EventKind::Completed | EventKind::Done => match self.response() {
                (Some(status), _) if status == "failed" || status == "cancelled" => self.failed(asked),
                (Some(status), receipt) if status == "incomplete" => EventMeaning::Incomplete(receipt),
                (_, receipt) => EventMeaning::Completed(receipt),
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

    /// Returns the status and the receipt of the response inside.
    fn response(&self) -> (Option<String>, ResponseReceipt) {
        #[derive(Deserialize)]
        struct Terminal<'a> {
            #[serde(borrow, default)]
            response: Option<ResponseHead<'a>>,
        }
        let head = serde_json::from_slice::<Terminal<'_>>(&self.json).ok().and_then(|event| event.response);
        let Some(head) = head else { return (None, ResponseReceipt::default()) };
        let receipt = ResponseReceipt {
            usage: head.usage.map(RawValue::to_owned),
            reasoning_dropped: head.input_transformations.map(reasoning_dropped).unwrap_or_default(),
        };
        (head.status, receipt)
    }

    /// Null when the JSON is nested too deeply or holds a lone surrogate; then only the type is known.
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
    #[serde(borrow, default)]
    input_transformations: Option<&'a RawValue>,
}

/// Returns whether a name can be put between quotation marks as it is.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// The type is nearly always the first member, so a large event is not read twice.
fn type_of(json: &str) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Typed<'a> {
        #[serde(borrow)]
        r#type: Cow<'a, str>,
    }
    let first = json.strip_prefix(r#"{"type":""#).and_then(|rest| rest.split_once('"'));
    match first {
        Some((kind, _)) if !kind.contains('\\') => Some(Cow::Borrowed(kind)),
        _ => serde_json::from_str::<Typed<'_>>(json).ok().map(|typed| typed.r#type),
    }
}

impl EventKind {
    fn is_terminal(self) -> bool {
        matches!(self, EventKind::Completed | EventKind::Incomplete | EventKind::Failed | EventKind::Done)
    }

    fn of(json: &str) -> EventKind {
        type_of(json).map_or(EventKind::Untyped, |kind| EventKind::named(&kind))
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
            "response.output_item.done" => EventKind::ItemDone,
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
mod tests;
