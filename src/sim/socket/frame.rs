//! A `response.create` frame, and the frames that refuse one.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::history::History;
use crate::pool::At;
use crate::sim::answer::{Answer, date_resets};

/// The content of a frame after the conversation that it continues.
#[derive(Debug)]
pub(super) struct Create {
    /// The whole request, as the body over HTTP would be.
    pub(super) body: String,
    /// Its items, when `input` is a list.
    pub(super) input: Vec<Box<RawValue>>,
    pub(super) continued: bool,
    /// `generate: false`: only an empty response is sent.
    pub(super) warms: bool,
}

/// The members in their order.
struct Members(Vec<(String, Box<RawValue>)>);

impl Create {
    /// # Errors
    ///
    /// Why upstream refuses it.
    pub(super) fn read(frame: &str, history: &History) -> Result<Create, Answer> {
        let detail = |text: &str| Answer::json(400, json!({ "detail": text }));
        let Members(members) =
            serde_json::from_str(frame).map_err(|_| detail("The frame is no JSON object"))?;
        let member = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, value)| value.get());
        if member("type") != Some("\"response.create\"") {
            return Err(detail("The frame is no response.create"));
        }
        if member("stream_id").is_some() {
            return Err(detail("Unsupported parameter: stream_id"));
        }
        let previous = member("previous_response_id").filter(|id| *id != "null");
        let before = match previous.map(|id| serde_json::from_str::<String>(id).unwrap_or_default()) {
            Some(id) => history.items_of(&id).ok_or_else(|| not_found(&id))?,
            None => &[],
        };
        let input = member("input").unwrap_or("[]");
        let own = serde_json::from_str::<Vec<Box<RawValue>>>(input).ok();
        let warms = member("generate") == Some("false");
        let whole: Vec<Box<RawValue>> = before.iter().cloned().chain(own.iter().flatten().cloned()).collect();
        let spelled = match (&own, previous) {
            (Some(_), Some(_)) => {
                let items: Vec<&str> = whole.iter().map(|item| item.get()).collect();
                format!("[{}]", items.join(","))
            }
            _ => input.to_owned(),
        };
        let rest: Vec<String> = members
            .iter()
            .filter(|(name, _)| !["type", "previous_response_id", "generate"].contains(&name.as_str()))
            .map(|(name, value)| {
                let value = if name == "input" { &spelled } else { value.get() };
                format!("{}:{value}", Value::from(name.as_str()))
            })
            .collect();
        let body = format!("{{{}}}", rest.join(","));
        Ok(Create { body, input: whole, continued: previous.is_some(), warms })
    }
}

fn not_found(id: &str) -> Answer {
    Answer::json(
        400,
        json!({ "error": {
            "type": "invalid_request_error",
            "code": "previous_response_not_found",
            "message": format!("Previous response with id '{id}' not found."),
            "param": "previous_response_id",
        } }),
    )
}

/// An answer in the form that upstream sends on a socket.
pub(super) fn error_frame(answer: &Answer, now: At) -> String {
    let mut frame = json!({ "type": "error", "status": answer.status });
    match &answer.body {
        Value::Object(body) => body.iter().for_each(|(name, value)| frame[name] = value.clone()),
        Value::String(text) => frame["error"] = json!({ "message": text }),
        _ => {}
    }
    frame["status"] = answer.status.into();
    if !answer.headers.is_empty() {
        frame["headers"] = json!(answer.headers);
    }
    date_resets(&mut frame, now);
    frame.to_string()
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
