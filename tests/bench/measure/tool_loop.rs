//! A tool loop through a link of 20 ms and 20 Mbit/s: each turn adds a call and its result to 200 kB of conversation. Over a
//! WebSocket a turn sends what is new; over SSE it sends everything, compressed.

use std::fmt::Write;
use std::time::Duration;

use multicodex::sim::{Behaviour, LinkSpeed, SlowLink, Spoken, StreamPlan};
use serde_json::json;

use crate::effort::{Effort, Fault};
use crate::env::BenchEnv;
use crate::report::{Report, Times, Unit, names};
use crate::sidecar::Sidecar;

const LINK: LinkSpeed = LinkSpeed { delay: Duration::from_millis(20), bits_per_second: 20_000_000 };
const CONTEXT_BYTES: usize = 200_000;
const TURNS: usize = 30;
const SOCKETS: usize = 32;

pub fn measure(env: &BenchEnv, effort: Effort, report: &mut Report) -> Result<(), Fault> {
    env.behave(Behaviour::Stream(StreamPlan { spoken: Spoken::Events(call()), ..StreamPlan::default() }));
    let turns = effort.pick(TURNS, 6);
    let mut over_socket = tool_loop(env, "auto", turns)?;
    let mut over_sse = tool_loop(env, "sse", turns)?;
    report.add_times(
        names::TOOL_LOOP_DELTA.to_owned(),
        over_socket.deltas.percentile(50),
        Some(over_sse.deltas.percentile(50)),
    );
    report.add(
        names::TOOL_LOOP_BYTES.to_owned(),
        Unit::Bytes,
        over_socket.bytes as f64 / (turns - 1) as f64,
        Some(over_sse.bytes as f64 / (turns - 1) as f64),
    );

    let (by_sse, by_socket) = (resident(env, "sse")?, resident(env, "auto")?);
    let name = format!("resident after {SOCKETS} turns with {SOCKETS} idle WebSockets / over SSE");
    report.add(name, Unit::Mebibytes, by_socket, Some(by_sse));
    Ok(())
}

struct Looped {
    /// Of all turns but the first, which opens the connection.
    deltas: Times,
    /// Sent after the first turn.
    bytes: u64,
}

fn tool_loop(env: &BenchEnv, transport: &str, turns: usize) -> Result<Looped, Fault> {
    let target = env.backend.auth_url.trim_start_matches("http://").parse()?;
    let link = SlowLink::start(target, LINK)?;
    let mut sidecar = Sidecar::spawn(env.command_to(&format!("http://{}/backend-api", link.address())))?;
    sidecar.initialize()?;
    let mut input = context();
    let mut looped = Looped { deltas: Times::default(), bytes: 0 };
    let mut before = 0;
    for turn in 0..turns {
        let streamed = sidecar.complete_at_once(1, &asked(&input, "loop", transport))?;
        if turn == 0 {
            before = link.sent_bytes();
        } else {
            looped.deltas.extend(streamed.iter().map(|one| one.first_delta));
        }
        write!(
            input,
            r#",{},{{"type":"function_call_output","call_id":"call","output":"result {turn}: {}"}}"#,
            item(),
            "line ".repeat(40)
        )?;
    }
    looped.bytes = link.sent_bytes() - before;
    Ok(looped)
}

/// Resident memory after one turn of each of 32 sessions.
fn resident(env: &BenchEnv, transport: &str) -> Result<f64, Fault> {
    let mut sidecar = Sidecar::spawn(env.command())?;
    sidecar.initialize()?;
    for session in 0..SOCKETS {
        sidecar.complete_at_once(
            1,
            &asked(r#"{"role":"user","content":"Hello"}"#, &session.to_string(), transport),
        )?;
    }
    sidecar.resident_mib()
}

/// The params of a completion behind `"request":`.
fn asked(input: &str, session: &str, transport: &str) -> String {
    format!(
        r#"{{"model":"gpt-6.1-sol","input":[{input}]}},"sessionId":"{session}","transport":"{transport}""#
    )
}

/// Text that compresses about as well as code does.
fn context() -> String {
    let mut text = String::with_capacity(CONTEXT_BYTES + 64);
    let mut state: u64 = 13;
    while text.len() < CONTEXT_BYTES {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let word = state >> 33;
        // Writing to a string does not fail.
        let _ = write!(text, "let value_{} = read({}); ", word % 997, word % 65_537);
    }
    json!({ "type": "message", "role": "user", "content": [{ "type": "input_text", "text": text }] })
        .to_string()
}

fn item() -> String {
    json!({ "type": "function_call", "call_id": "call", "name": "read", "arguments": "{\"path\":\"file\"}" })
        .to_string()
}

/// The events of a turn that calls a tool.
fn call() -> Vec<String> {
    let item = item();
    vec![
        r#"{"type":"response.created","response":{"id":"resp"}}"#.to_owned(),
        format!(r#"{{"type":"response.output_item.added","output_index":0,"item":{item}}}"#),
        r#"{"type":"response.output_text.delta","output_index":0,"delta":"x"}"#.to_owned(),
        format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{item}}}"#),
        r#"{"type":"response.completed","response":{"id":"resp","status":"completed","output":[]}}"#
            .to_owned(),
    ]
}
