//! Properties of any bytes that a client sends. `tests/fuzz` generates the bytes.

use jsonrpsee::types::Id;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::Refusal;
use super::framing::{Decoder, Frame, Framing, encode};
use super::message::{Entry, MAX_BATCH_ENTRIES, Message, read};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    Message(Vec<u8>),
    TooLarge,
    Truncated,
    Lost,
}

/// The first two bytes give the largest message and how the rest is cut. In each case the same messages come out, as a
/// naive reader finds them, and after writing them they are read again.
pub fn framing(data: &[u8]) {
    let [limit, cut, input @ ..] = data else { return };
    let max = usize::from(*limit) * 4;
    let (framing, whole) = decode([input], max);
    let (_, cut) = decode(input.chunks(usize::from(*cut) + 1), max);
    assert_eq!(whole, cut, "what is found depends on how the input was cut");
    if framing == Some(Framing::Lines) {
        assert_eq!(whole, lines(input, max));
    }
    let held: usize = whole.iter().map(|found| if let Found::Message(m) = found { m.len() } else { 0 }).sum();
    assert!(held <= input.len(), "more came out than went in");

    let Some(framing) = framing else { return };
    let texts = whole.iter().filter_map(|found| match found {
        Found::Message(message) => str::from_utf8(message).ok(),
        _ => None,
    });
    let texts: Vec<&str> = texts.filter(|text| text.starts_with(['{', '['])).collect();
    let mut written = Vec::new();
    for text in &texts {
        encode(framing, text, &mut written);
    }
    let expected = texts.iter().map(|text| match framing {
        Framing::Headers => Found::Message(text.as_bytes().to_vec()),
        Framing::Lines => Found::Message(text.replace('\r', " ").into_bytes()),
    });
    assert_eq!(decode([&written[..]], max).1, expected.collect::<Vec<_>>(), "not read as it was written");
}

fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, max: usize) -> (Option<Framing>, Vec<Found>) {
    let own = |frame: Frame<'_>| match frame {
        Frame::Message(message) => Found::Message(message.to_vec()),
        Frame::TooLarge => Found::TooLarge,
        Frame::Truncated => Found::Truncated,
        Frame::Lost => Found::Lost,
    };
    let mut decoder = Decoder::new(max);
    let mut found = Vec::new();
    for chunk in chunks {
        decoder.spare().extend_from_slice(chunk);
        while let Some(frame) = decoder.next_frame() {
            found.push(own(frame));
        }
    }
    found.extend(decoder.last_frame().map(own));
    (decoder.framing(), found)
}

/// Newline framing in a few lines, over the whole input at once.
fn lines(input: &[u8], max: usize) -> Vec<Found> {
    let start = input.iter().position(|byte| matches!(byte, b'{' | b'[')).unwrap_or(input.len());
    let mut lines: Vec<&[u8]> = input[start..].split(|byte| *byte == b'\n').collect();
    let last = lines.pop().unwrap_or_default();
    let ended = lines.into_iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let told = ended.chain([last]).filter(|line| line.len() > max || !line.trim_ascii().is_empty());
    told.map(|line| if line.len() > max { Found::TooLarge } else { Found::Message(line.to_vec()) }).collect()
}

/// A message is refused as not JSON exactly when it is not JSON; a batch has as many entries as its array; every
/// refusal is a complete answer with the id as it was spelled.
pub fn message(data: &[u8]) {
    let valid = str::from_utf8(data).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    match read(data) {
        Message::Single(Entry::Refused(Refusal::Parse, id)) => {
            // A name with half a surrogate pair is JSON by its grammar, but not text.
            assert!(!valid || data.windows(2).any(|two| two == b"\\u"), "refused, but it is JSON");
            assert_eq!(id, Id::Null);
        }
        Message::Single(entry) => {
            assert!(valid, "taken, but it is no JSON");
            check(&entry, data);
        }
        Message::Batch(entries) => {
            let raw: Vec<&RawValue> = serde_json::from_slice(data).unwrap_or_default();
            assert!(raw.len() == entries.len() && raw.len() <= MAX_BATCH_ENTRIES);
            entries.iter().zip(raw).for_each(|(entry, raw)| check(entry, raw.get().as_bytes()));
        }
    }
}

fn check(entry: &Entry<'_>, text: &[u8]) {
    let spelled = serde_json::from_slice::<Value>(text).ok().and_then(|value| value.get("id").cloned());
    let (id, call) = match entry {
        Entry::Request(call, id) => (id, Some(call)),
        Entry::Refused(refusal, id) => {
            let answer = refusal.answer(id);
            let answer: Value = serde_json::from_str(answer.get()).unwrap_or_default();
            assert!(answer["error"]["code"].is_i64() && answer["error"]["message"].is_string(), "{answer}");
            assert!(answer.get("result").is_none() && answer["jsonrpc"] == "2.0", "{answer}");
            assert_eq!(answer["id"], serde_json::to_value(id).unwrap_or_default());
            (id, None)
        }
        Entry::Notification(call) => (&Id::Null, Some(call)),
        Entry::Response => return,
    };
    if let Some(spelled) = spelled.filter(|_| *id != Id::Null) {
        assert_eq!(serde_json::to_value(id).ok(), Some(spelled), "not the id that came");
    }
    if let Some(params) = call.and_then(|call| call.params) {
        assert!(params.get().starts_with(['{', '[']), "{params}");
    }
}
