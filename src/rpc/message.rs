//! Parses one message: a request, a notification, or a reason to refuse it. Pure.
//!
//! It does not parse `params`, which stay the client's bytes.

use std::borrow::Cow;

use jsonrpsee::types::Id;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::error::Refusal;

/// A batch may hold this many entries. Each needs an answer, and a 64 MiB message could hold 30 million.
pub const MAX_BATCH_ENTRIES: usize = 16 * 1024;

#[derive(Debug)]
pub enum Message<'a> {
    Single(Entry<'a>),
    /// At least one entry.
    Batch(Vec<Entry<'a>>),
}

/// One entry of a batch, or a single message.
#[derive(Debug)]
pub enum Entry<'a> {
    Request(Call<'a>, Id<'a>),
    Notification(Call<'a>),
    /// A response to a request that was never sent: ignored.
    Response,
    /// Answered with the refusal, under this id.
    Refused(Refusal, Id<'a>),
}

#[derive(Debug)]
pub struct Call<'a> {
    pub method: Cow<'a, str>,
    /// An object or an array; an explicit `null` is the same as no params.
    pub params: Option<&'a RawValue>,
}

/// The members of a request, each present or not; `null` counts as present.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// Reads one message.
pub fn read(bytes: &[u8]) -> Message<'_> {
    let Ok(text) = std::str::from_utf8(bytes) else { return refused(Refusal::Parse) };
    match text.trim_ascii_start().as_bytes().first() {
        Some(b'[') => match serde_json::from_str(text) {
            Ok(Entries { overflow: true, .. }) => refused(Refusal::TooLarge),
            Ok(Entries { kept, .. }) if kept.is_empty() => {
                refused(Refusal::InvalidRequest("An empty batch is not a request"))
            }
            Ok(Entries { kept, .. }) => {
                Message::Batch(kept.into_iter().map(|entry| read_entry(entry.get())).collect())
            }
            Err(_) => refused(Refusal::Parse),
        },
        _ => Message::Single(read_entry(text)),
    }
}

fn refused(refusal: Refusal) -> Message<'static> {
    Message::Single(Entry::Refused(refusal, Id::Null))
}

fn read_entry(text: &str) -> Entry<'_> {
    let invalid = |reason, id| Entry::Refused(Refusal::InvalidRequest(reason), id);
    if !text.trim_ascii_start().starts_with('{') {
        return match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => invalid("A request must be an object", Id::Null),
            Err(_) => Entry::Refused(Refusal::Parse, Id::Null),
        };
    }
    let members: Members<'_> = match serde_json::from_str(text) {
        Ok(members) => members,
        // An object that has a member twice parses as JSON, but is ambiguous.
        Err(error) if error.is_data() && serde_json::from_str::<IgnoredAny>(text).is_ok() => {
            return invalid("A member of the request appears twice", Id::Null);
        }
        Err(_) => return Entry::Refused(Refusal::Parse, Id::Null),
    };
    if members.method.is_none() && (members.result.is_some() || members.error.is_some()) {
        return Entry::Response;
    }
    let id = match members.id.map(read_id) {
        Some(None) => return invalid("An id must be a string or a non-negative integer", Id::Null),
        Some(Some(id)) => Some(id),
        None => None,
    };
    let answer_to = || id.clone().unwrap_or(Id::Null);
    if members.jsonrpc.is_some_and(|version| version.get() != "\"2.0\"") {
        return invalid("jsonrpc must be \"2.0\"", answer_to());
    }
    let Some(method) = members.method.and_then(|method| read_string(method.get())) else {
        return invalid("A request needs a method, which must be a string", answer_to());
    };
    let params = match members.params.map(RawValue::get) {
        None | Some("null") => None,
        // The specification: params "MUST be provided as a Structured value".
        Some(text) if !text.starts_with(['{', '[']) => {
            return invalid("params must be an object or an array", answer_to());
        }
        Some(_) => members.params,
    };
    let call = Call { method, params };
    match id {
        Some(id) => Entry::Request(call, id),
        None => Entry::Notification(call),
    }
}

/// Returns the id if it can be returned exactly: a string, or an integer from 0 to 2^64 - 1 written without fraction,
/// exponent or sign.
pub fn read_id(raw: &RawValue) -> Option<Id<'_>> {
    let text = raw.get();
    match text.as_bytes().first()? {
        b'"' => read_string(text).map(Id::Str),
        b'0'..=b'9' => text.parse().ok().map(Id::Number),
        _ => None,
    }
}

fn read_string(text: &str) -> Option<Cow<'_, str>> {
    // A `Cow` alone is always deserialized as owned; most names and ids need no unescaping.
    match serde_json::from_str::<&str>(text) {
        Ok(borrowed) => Some(Cow::Borrowed(borrowed)),
        Err(_) => serde_json::from_str::<String>(text).ok().map(Cow::Owned),
    }
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Returns the entries of a batch, if their number is allowed.
struct Entries<'a> {
    kept: Vec<&'a RawValue>,
    overflow: bool,
}

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bounded;

        impl<'de> Visitor<'de> for Bounded {
            type Value = Entries<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a batch")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                let mut kept = Vec::new();
                while kept.len() < MAX_BATCH_ENTRIES {
                    match entries.next_element()? {
                        Some(entry) => kept.push(entry),
                        None => return Ok(Entries { kept, overflow: false }),
                    }
                }
                let mut overflow = false;
                while entries.next_element::<IgnoredAny>()?.is_some() {
                    overflow = true;
                }
                Ok(Entries { kept, overflow })
            }
        }

        deserializer.deserialize_seq(Bounded)
    }
}
