//! The events of a response as JSON texts, in upstream's order (schema/upstream.md, streams): generated or recorded.

use serde_json::{Value, json};

use super::stream_plan::Spoken;

/// The account and the request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Asked {
    pub(super) id: String,
    pub(super) account: String,
    pub(super) model: String,
    /// The text of the last user message.
    pub(super) question: String,
    pub(super) input_tokens: usize,
    /// What was removed from the input, as the terminal event lists it.
    pub(super) removed: Vec<Value>,
    /// Whether the conversation is to be compacted.
    pub(super) compacts: bool,
    /// Unix seconds.
    pub(super) at: i64,
}

/// Recorded from the public API, which has the same events; see tests/data/upstream/SOURCES.md.
const PHASE: &str = include_str!("recorded/phase.jsonl");
const TOOL: &str = include_str!("recorded/tool.jsonl");

pub(super) fn events(spoken: &Spoken, asked: &Asked) -> Vec<String> {
    match spoken {
        Spoken::Model if asked.compacts => compaction(asked),
        Spoken::Model => message(asked, words(&answer_to(asked))),
        Spoken::Deltas { count, size } => message(asked, (0..*count).map(|n| filler(n, *size)).collect()),
        Spoken::Recorded(name) => recorded(name).lines().map(str::to_owned).collect(),
        Spoken::Events(events) => events.clone(),
    }
}

/// Events that a client may hold back: the account can still be replaced after them.
pub(super) fn is_preamble(event: &str) -> bool {
    let kind = kind(event).unwrap_or_default();
    matches!(
        kind.as_str(),
        "response.created" | "response.in_progress" | "response.queued" | "response.metadata" | "keepalive"
    ) || kind.starts_with("codex.")
}

/// Writes an event as upstream does: its type is first.
pub(super) fn spelled(mut event: Value) -> String {
    let Some(kind) = event.as_object_mut().and_then(|members| members.remove("type")) else {
        return event.to_string();
    };
    let rest = event.to_string();
    match &rest[1..] {
        "}" => format!("{{\"type\":{kind}}}"),
        rest => format!("{{\"type\":{kind},{rest}"),
    }
}

/// Returns the `type` member, when this is a JSON object with one.
pub(super) fn kind(event: &str) -> Option<String> {
    let event: Value = serde_json::from_str(event).ok()?;
    event.get("type")?.as_str().map(str::to_owned)
}

/// `response.failed` or `response.incomplete`, with `error` or `incomplete_details` in it.
pub(super) fn unsuccessful(asked: &Asked, status: &str, sequence: usize, member: &str, why: Value) -> Value {
    let mut response = response(asked, status);
    response[member] = why;
    json!({ "type": format!("response.{status}"), "sequence_number": sequence, "response": response })
}

/// Returns the final `response` object of a message, also the answer to a request without a stream.
pub(super) fn completed(asked: &Asked, text: &str, deltas: usize) -> Value {
    let mut response = response(asked, "completed");
    response["output"] = json!([item(asked, "completed", &[text])]);
    response["usage"] = json!({
        "input_tokens": asked.input_tokens,
        "input_tokens_details": { "cached_tokens": 0 },
        "output_tokens": deltas,
        "output_tokens_details": { "reasoning_tokens": 0 },
        "total_tokens": asked.input_tokens + deltas,
    });
    response
}

/// The last events of a long answer repeat only part of its text, because otherwise they would be larger than all
/// events before them.
const REPEATED: usize = 64 * 1024;

fn message(asked: &Asked, deltas: Vec<String>) -> Vec<String> {
    let mut text = String::new();
    for delta in &deltas {
        if text.len() + delta.len() > REPEATED {
            break;
        }
        text.push_str(delta);
    }
    let item_id = format!("msg_{}", asked.id);
    let part = |text: &str| json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] });
    let at = json!({ "item_id": item_id, "output_index": 0, "content_index": 0 });
    let mut script = vec![
        json!({ "type": "response.created", "response": response(asked, "in_progress") }),
        json!({ "type": "response.in_progress", "response": response(asked, "in_progress") }),
        json!({ "type": "response.output_item.added", "output_index": 0, "item": item(asked, "in_progress", &[]) }),
        with(&at, json!({ "type": "response.content_part.added", "part": part("") })),
    ];
    script.extend(deltas.iter().map(|delta| {
        with(&at, json!({ "type": "response.output_text.delta", "delta": delta, "logprobs": [] }))
    }));
    script.extend([
        with(&at, json!({ "type": "response.output_text.done", "text": text, "logprobs": [] })),
        with(&at, json!({ "type": "response.content_part.done", "part": part(&text) })),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": item(asked, "completed", &[&text]) }),
        json!({ "type": "response.completed", "response": completed(asked, &text, deltas.len()) }),
    ]);
    numbered(script)
}

fn numbered(script: impl IntoIterator<Item = Value>) -> Vec<String> {
    let number = |(sequence, event)| spelled(with(&json!({ "sequence_number": sequence }), event));
    script.into_iter().enumerate().map(number).collect()
}

/// Exactly one item, in place of an answer. `output` is empty in the terminal event, as this backend has it.
fn compaction(asked: &Asked) -> Vec<String> {
    let id = format!("cmp_{}", asked.id);
    let item =
        json!({ "type": "compaction", "id": id, "encrypted_content": format!("compacted-{}", asked.id) });
    let mut ended = completed(asked, "", 1);
    ended["output"] = json!([]);
    let script = [
        json!({ "type": "response.created", "response": response(asked, "in_progress") }),
        json!({ "type": "response.output_item.added", "output_index": 0, "item": item }),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": item }),
        json!({ "type": "response.completed", "response": ended }),
    ];
    numbered(script)
}

fn response(asked: &Asked, status: &str) -> Value {
    let mut response = json!({
        "id": format!("resp_{}", asked.id),
        "object": "response",
        "created_at": asked.at,
        "status": status,
        "error": null,
        "incomplete_details": null,
        "model": asked.model,
        "output": [],
        "store": false,
        "usage": null,
    });
    if status != "in_progress" && !asked.removed.is_empty() {
        response["input_transformations"] = json!(asked.removed);
    }
    response
}

fn item(asked: &Asked, status: &str, texts: &[&str]) -> Value {
    let content: Vec<Value> = texts
        .iter()
        .map(|text| json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] }))
        .collect();
    json!({
        "id": format!("msg_{}", asked.id), "type": "message", "status": status, "role": "assistant", "content": content,
    })
}

fn with(members: &Value, mut event: Value) -> Value {
    if let (Some(event), Some(members)) = (event.as_object_mut(), members.as_object()) {
        event.extend(members.clone());
    }
    event
}

fn recorded(name: &str) -> &'static str {
    if name == "tool" { TOOL } else { PHASE }
}

fn answer_to(asked: &Asked) -> String {
    let question = asked.question.to_lowercase();
    let answer = if question.contains("sidecar") {
        "A sidecar is a small process that runs beside your program and does one job for it. Yours keeps several \
         accounts signed in, picks the best one for each request, and moves on to the next when one meets its limit."
            .to_owned()
    } else if question.is_empty() {
        "Hello.".to_owned()
    } else {
        format!("You asked: “{}”.", asked.question)
    };
    format!("{answer} (Simulated, with the account {}.)", asked.account)
}

/// Returns every word with the space after it, as models emit them.
fn words(text: &str) -> Vec<String> {
    text.split_inclusive(' ').map(str::to_owned).collect()
}

fn filler(n: usize, size: usize) -> String {
    let word = format!("{n} ");
    word.chars().cycle().take(size).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn asked() -> Asked {
        Asked { id: "1".to_owned(), model: "gpt-6.1-sol".to_owned(), input_tokens: 7, ..Asked::default() }
    }

    #[test]
    fn a_message_has_the_events_of_upstream_in_their_order() {
        let events = events(&Spoken::Deltas { count: 2, size: 3 }, &asked());
        let kinds: Vec<String> = events.iter().map(|event| kind(event).unwrap()).collect();
        assert_eq!(
            kinds,
            [
                "response.created",
                "response.in_progress",
                "response.output_item.added",
                "response.content_part.added",
                "response.output_text.delta",
                "response.output_text.delta",
                "response.output_text.done",
                "response.content_part.done",
                "response.output_item.done",
                "response.completed",
            ]
        );
        let last: Value = serde_json::from_str(&events[9]).unwrap();
        assert_eq!(last["sequence_number"], 9);
        assert_eq!(last["response"]["output"][0]["content"][0]["text"], "0 01 1");
        assert_eq!(last["response"]["usage"]["total_tokens"], 9);
    }

    #[test]
    fn recordings_end_with_their_terminal_event() {
        for name in ["phase", "tool"] {
            let events = events(&Spoken::Recorded(name.to_owned()), &asked());
            assert!(is_preamble(&events[0]) && !is_preamble(&events[2]), "{name}");
            assert_eq!(kind(events.last().unwrap()).unwrap(), "response.completed", "{name}");
        }
    }

    #[test]
    fn the_model_answers_the_question() {
        let asked = Asked { question: "Why?".to_owned(), account: "ada".to_owned(), ..asked() };
        assert_eq!(
            words(&answer_to(&asked)).concat(),
            "You asked: “Why?”. (Simulated, with the account ada.)"
        );
    }
}
