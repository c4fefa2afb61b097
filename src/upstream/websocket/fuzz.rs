//! What must hold of any two requests with any events between them. `tests/fuzz` comes up with the bytes.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::super::event::Event;
use super::conversation::{Ended, Recording};
use super::outline::{Outline, delta_frame, full_frame};

/// The first line is a request, the last one the next request, and the lines between are the events of the answer. Where
/// the second request continues the first, upstream has the second one's conversation; other readers agree that it does.
pub fn continuation(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let lines: Vec<&str> = text.lines().collect();
    let [first, events @ .., second] = &lines[..] else { return };
    let (Some(before), Some(after)) = (Outline::read(first), Outline::read(second)) else { return };
    if let (Some(frame), Ok(Value::Object(mut body))) = (full_frame(second), serde_json::from_str(second)) {
        body.insert("type".to_owned(), "response.create".into());
        assert_eq!(serde_json::from_str::<Value>(&frame).ok(), Some(Value::Object(body)), "{frame}");
    }
    let mut recording = Recording::new(&before);
    let mut received = Vec::new();
    let mut ended = None;
    for line in events {
        let Ok(Some(event)) = Event::read(Bytes::copy_from_slice(line.as_bytes()), b"") else { continue };
        ended = recording.observe(&event);
        if ended.is_some() {
            break;
        }
        received.extend(received_item(&event));
    }
    let Some(Ended::Well(Some(conversation))) = ended else { return };
    let Ok(continuation) = conversation.continued_by(&after) else { return };
    received.sort_by_key(|(index, _)| *index);

    let frame = delta_frame(second, &after, &continuation.previous, continuation.from);
    let frame = frame.unwrap_or_else(|| panic!("a turn that continues has a frame: {second}"));
    assert!(frame.len() < second.len() + continuation.previous.len() * 6 + 64, "{frame}");
    // serde_json does not read lone surrogates.
    let (Ok(Value::Object(first)), Ok(Value::Object(second)), Ok(Value::Object(frame))) =
        (serde_json::from_str(first), serde_json::from_str(second), serde_json::from_str(&frame))
    else {
        return;
    };
    assert_eq!(same_in_each_turn(&first), same_in_each_turn(&second));
    assert_eq!(same_in_each_turn(&frame), same_in_each_turn(&second));
    let held = items(&first).into_iter().chain(received.into_iter().map(|(_, item)| plain(item)));
    let held: Vec<Value> = held.chain(items(&frame)).collect();
    assert_eq!(held, items(&second));
}

fn received_item(event: &Event) -> Option<(u64, Value)> {
    let mut event: Value = serde_json::from_slice(event.json()).ok()?;
    let is_done = event["type"] == "response.output_item.done";
    Some((event["output_index"].as_u64().filter(|_| is_done)?, event["item"].take()))
}

fn items(body: &Map<String, Value>) -> Vec<Value> {
    body.get("input").and_then(Value::as_array).into_iter().flatten().cloned().map(plain).collect()
}

fn same_in_each_turn(body: &Map<String, Value>) -> Map<String, Value> {
    let own = ["type", "input", "stream", "previous_response_id", "client_metadata"];
    let members = body.iter().filter(|(name, _)| !own.contains(&name.as_str()));
    members.map(|(name, value)| (name.clone(), numbers_as_floats(value.clone()))).collect()
}

/// An item without what does not count. Ids that count are compared by [`Outline`] alone.
fn plain(mut item: Value) -> Value {
    if let Some(members) = item.as_object_mut() {
        let added = ["id", "status", "phase", "internal_chat_message_metadata_passthrough"];
        members.retain(|name, value| !added.contains(&name.as_str()) && !value.is_null());
        for part in members.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(part) = part.as_object_mut() {
                part.retain(|name, value| {
                    !["annotations", "logprobs"].contains(&name.as_str()) && !value.is_null()
                });
            }
        }
        let arguments = members.get("arguments").and_then(Value::as_str).map(serde_json::from_str::<Value>);
        if let Some(Ok(arguments)) = arguments {
            members.insert("arguments".to_owned(), arguments);
        }
    }
    numbers_as_floats(item)
}

/// 1 and 1.0 are one value, which serde_json does not find.
fn numbers_as_floats(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, |number| (number + 0.0).into()),
        Value::Array(values) => values.into_iter().map(numbers_as_floats).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name, numbers_as_floats(value))).collect()
        }
        other => other,
    }
}
