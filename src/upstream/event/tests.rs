#![expect(clippy::unwrap_used, reason = "tests")]

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
        EventMeaning::Completed(receipt) => format!("completed {:?}", receipt.usage),
        EventMeaning::Incomplete(receipt) => format!("incomplete {:?}", receipt.usage),
        EventMeaning::Failed { failure, .. } => format!("failed {}", failure.kind.name()),
    }
}

#[test]
fn an_event_has_the_name_of_its_type_when_that_is_a_plain_word() {
    let check = |text: &str, expected: Option<&str>| {
        assert_eq!(event(text).name().as_deref(), expected, "{text}");
    };
    check(r#"{"type":"response.created","x":1}"#, Some("response.created"));
    check(r#"{ "x": 1, "type" : "error" }"#, Some("error"));
    check(r#"{"type":"response\u002ecreated"}"#, Some("response.created"));
    check(r#"{"type":"a\nevent: b"}"#, None);
    check(r#"{"type":""}"#, None);
    check(r#"{"type":7}"#, None);
    check("{}", None);
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
        let event = Event::read(Bytes::copy_from_slice(data.as_bytes()), name.as_bytes()).unwrap().unwrap();
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
                EventMeaning::Completed(_) => completed += 1,
                other => panic!("{other:?} of {event:?}"),
            }
        }
        assert_eq!((preamble, output, completed), expected);
    };
    let lines = |file: &str| read(file).lines().map(|line| Bytes::from(line.to_owned())).collect::<Vec<_>>();
    check(lines("responses-api/openai-phase.1.chunks.txt"), (2, 14, 1));
    check(lines("responses-api/openai-reasoning-encrypted-content.1.chunks.txt"), (8, 98, 4));
    let mut splitter = SseSplitter::new(MAX_EVENT_BYTES);
    splitter.feed(Bytes::from(read("openai-codex/cli_responses_fixture.sse")));
    let mut data: Vec<_> = std::iter::from_fn(|| splitter.next_event().unwrap()).collect();
    data.extend(splitter.finish().unwrap());
    check(data, (1, 1, 1));
}
