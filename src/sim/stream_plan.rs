//! What an event stream contains, how fast it comes, in which bytes, and where it fails.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::behaviour::Break;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StreamPlan {
    pub spoken: Spoken,
    /// Added to the usual headers.
    pub headers: BTreeMap<String, String>,
    /// The account's `x-codex-*` headers.
    pub quota_headers: bool,
    /// A `codex.rate_limits` event first, with this `limit_reached`.
    pub limits_event: Option<bool>,
    /// Items of reasoning that the terminal event reports as removed from the input, for these reasons. Those that belong
    /// to another account or model are added.
    pub removed: Vec<String>,
    pub fault: Option<StreamFault>,
    pub pace: Pace,
    pub framing: Framing,
    /// The stream is rendered once and then sent in one piece, so that a benchmark does not measure the simulator. The
    /// pace, splits and faults that need time do not apply.
    pub rendered_once: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spoken {
    /// An answer to the last user message, word by word.
    #[default]
    Model,
    /// This many deltas of this many characters. The last events repeat at most 64 KiB of them.
    Deltas { count: usize, size: usize },
    /// `phase` (text in two messages) or `tool` (reasoning and a function call).
    Recorded(String),
    /// These events, sent byte for byte.
    Events(Vec<String>),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pace {
    /// Before the first event.
    pub first_ms: u64,
    /// Before each later one.
    pub each_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Framing {
    pub newline: Newline,
    /// `event:` before `data:`.
    pub event_line: bool,
    /// Splits each event's JSON over several `data:` lines.
    pub wrapped_data: bool,
    /// A comment before each event.
    pub comments: bool,
    /// A byte order mark at the start.
    pub bom: bool,
    /// `data: [DONE]` at the end.
    pub done_marker: bool,
    /// The blank line after the last event.
    pub last_blank_line: bool,
    /// Written in pieces of this many bytes.
    pub split_bytes: Option<usize>,
    /// `content-encoding: gzip`, flushed after each event.
    pub gzip: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Newline {
    #[default]
    Lf,
    Crlf,
    Cr,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamFault {
    pub after: After,
    pub what: FaultKind,
}

/// Where in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum After {
    /// Before the first event.
    Headers,
    /// Before the first event that carries output.
    Preamble,
    /// After so many events that carry output.
    Output(usize),
    /// After the last event.
    Terminal,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    Break(Break),
    /// The stream ends there as if it were complete.
    End,
    /// A `response.failed` event with this `error`, and the end.
    Failed(Value),
    /// This event, and the end.
    Event(Value),
    /// An `error` event with this `error`, then a `response.failed` event with it, and the end.
    ErrorThenFailed(Value),
    /// `response.incomplete` for this reason, and the end.
    Incomplete(String),
    /// This as the data of an event; then the stream goes on.
    Insert(String),
    /// On a WebSocket: it is closed with this code. Elsewhere the connection is closed.
    Close(u16),
    /// A silence, then the stream goes on.
    PauseMs(u64),
    /// A comment every so many milliseconds, and nothing else.
    OnlyCommentsEachMs(u64),
}

impl Default for StreamPlan {
    fn default() -> Self {
        StreamPlan {
            spoken: Spoken::default(),
            headers: BTreeMap::new(),
            quota_headers: true,
            limits_event: None,
            removed: Vec::new(),
            fault: None,
            pace: Pace::default(),
            framing: Framing::default(),
            rendered_once: false,
        }
    }
}

impl Default for Framing {
    fn default() -> Self {
        Framing {
            newline: Newline::Lf,
            event_line: true,
            wrapped_data: false,
            comments: false,
            bom: false,
            done_marker: false,
            last_blank_line: true,
            split_bytes: None,
            gzip: false,
        }
    }
}

impl StreamPlan {
    pub fn deltas(count: usize, size: usize) -> Self {
        StreamPlan { spoken: Spoken::Deltas { count, size }, ..StreamPlan::default() }
    }

    #[must_use]
    pub fn with_fault(mut self, after: After, what: FaultKind) -> Self {
        self.fault = Some(StreamFault { after, what });
        self
    }
}
