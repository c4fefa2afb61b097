//! Events through the sidecar: byte for byte, whatever their content, and without being collected when the client does
//! not read.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdout, Stdio};
use std::time::Duration;

use multicodex::sim::{Behaviour, SimAccount, Spoken, StreamPlan};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::env::RawClient;
use crate::env::TestEnv;

const COMPLETED: &str =
    r#"{"type":"response.completed","response":{"id":"r","status":"completed","output":[]}}"#;

/// The protocol's budget for one stalled stream.
const STALLED_MIB: f64 = 64.0;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    params: Params<'a>,
}

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    result: Notice<'a>,
}

#[derive(Deserialize)]
struct Notice<'a> {
    r#type: &'a str,
    #[serde(borrow, default)]
    event: Option<&'a RawValue>,
}

#[test]
fn recorded_events_arrive_byte_for_byte() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let mut peer = env.raw_client();
    let mut checked = 0;
    let data = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/upstream/responses-api"));
    for file in data.expect("test data").flatten() {
        let name = file.file_name().into_string().expect("a plain name");
        if !name.ends_with(".chunks.txt") || name.contains("error") {
            continue;
        }
        let text = fs::read_to_string(file.path()).expect("test data");
        // A file may hold several responses; each ends with its own terminal event.
        for response in
            text.lines().collect::<Vec<_>>().split_inclusive(|line| line.contains("\"response.completed\""))
        {
            let events: Vec<String> = response.iter().map(ToString::to_string).collect();
            assert_eq!(streamed(&env, &mut peer, &events), events, "{name}");
            checked += events.len();
        }
    }
    assert!(checked > 50, "only {checked} recorded events were found");
}

#[test]
fn odd_spellings_arrive_byte_for_byte() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let mut peer = env.raw_client();
    let mut events = vec![
        r#"{"type":"response.output_text.delta","delta":"\ud800 alone"}"#.to_owned(),
        "{ \"type\" : \"response.output_text.delta\" ,\t\"n\":[1E400,-0,1.0e+2,123456789012345678901234567890] }".to_owned(),
        r#"{"z":1,"a":2,"z":3,"type":"response.output_text.delta","\u0061":"\/\u2028"}"#.to_owned(),
        "{\"type\":\"response.output_text.delta\",\"delta\":\"\u{2028}\u{2029}\u{fffd}\u{1f600}\u{7f}\"}".to_owned(),
    ];
    let mut runner = TestRunner::deterministic();
    for _ in 0..200 {
        let value = odd_json().new_tree(&mut runner).expect("a value").current();
        events.push(format!("{{\"type\":\"response.output_text.delta\",\"odd\":{value}}}"));
    }
    events.push(COMPLETED.to_owned());
    assert_eq!(streamed(&env, &mut peer, &events), events);
}

#[test]
fn a_client_that_stops_reading_costs_no_memory_and_loses_nothing() {
    const EVENTS: usize = 25_000;
    const SIZE: usize = 4096;
    let env = TestEnv::new([SimAccount::named("ada")]);
    let text = "x".repeat(SIZE);
    let mut events: Vec<String> = (1..=EVENTS)
        .map(|n| format!(r#"{{"type":"response.output_text.delta","sequence_number":{n},"delta":"{text}"}}"#))
        .collect();
    events.push(COMPLETED.to_owned());
    let plan = StreamPlan { spoken: Spoken::Events(events), rendered_once: true, ..StreamPlan::default() };
    env.sim().set_behaviour("ada", Behaviour::Stream(plan));
    let mut child =
        env.command(&["serve"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary");
    let mut stdin = child.stdin.take().expect("piped");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    writeln!(stdin, r#"{{"id":1,"method":"complete","params":{{"request":{{"model":"m","input":[]}}}}}}"#)
        .expect("a reader");
    read_until(&mut stdout, |line| line.contains("output_text.delta"));

    let resident = settled_resident_mib(child.id());
    assert!(resident < STALLED_MIB, "{resident} MiB are held for a client that does not read");

    let mut last = 1;
    read_until(&mut stdout, |line| {
        if line.contains("output_text.delta") {
            let sequence = sequence_number(line);
            assert_eq!(sequence, last + 1, "no event is lost and none out of order");
            last = sequence;
        }
        line.contains(r#""type":"done""#)
    });
    assert_eq!(last, EVENTS);
    drop(stdin);
    assert!(child.wait().expect("a child").success());
}

/// Sends the events as one completion, and returns those that the client received, unchanged.
fn streamed(env: &TestEnv, peer: &mut RawClient, events: &[String]) -> Vec<String> {
    let plan = StreamPlan { spoken: Spoken::Events(events.to_vec()), ..StreamPlan::default() };
    env.sim().set_behaviour("ada", Behaviour::Stream(plan));
    let id = peer.request("complete", json!({"request": {"model": "m", "input": []}}));
    peer.expect_response(id).expect("an id");
    let mut got = Vec::new();
    loop {
        let text = peer.expect_text();
        let message: Message<'_> = serde_json::from_str(&text).expect("a notice");
        match (message.params.result.r#type, message.params.result.event) {
            ("event", Some(event)) => got.push(event.get().to_owned()),
            ("accepted", None) => {}
            ("done", None) => return got,
            _ => panic!("unexpected: {text}"),
        }
    }
}

/// JSON as no serialiser writes it: escapes of all kinds, lone surrogates, numbers that fit no type, white space.
fn odd_json() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?",
        Just("-0.0".to_owned()),
    ];
    let text = r#"([ -!#-\[\]-~é\u{2028}\u{10ffff}]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}){0,12}"#
        .prop_map(|text| format!("\"{text}\""));
    let leaf = prop_oneof![Just("null".to_owned()), Just("true".to_owned()), number, text];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let space = "[ \t]{0,2}";
        let list = (prop::collection::vec(inner.clone(), 0..4), space)
            .prop_map(|(items, space)| format!("[{space}{}{space}]", items.join(&format!("{space},"))));
        let object = (prop::collection::vec(inner, 0..4), space).prop_map(|(items, space)| {
            let members: Vec<String> =
                items.iter().map(|item| format!("\"k\"{space}:{space}{item}")).collect();
            format!("{{{space}{}}}", members.join(","))
        });
        prop_oneof![list, object]
    })
}

fn read_until(stdout: &mut BufReader<ChildStdout>, mut wanted: impl FnMut(&str) -> bool) {
    let mut line = String::new();
    loop {
        line.clear();
        assert_ne!(stdout.read_line(&mut line).expect("UTF-8"), 0, "the sidecar ended");
        assert!(!line.contains(r#""result":{"type":"error""#), "{line}");
        if wanted(&line) {
            return;
        }
    }
}

fn sequence_number(line: &str) -> usize {
    let (_, rest) = line.split_once("\"sequence_number\":").expect("events are numbered");
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().expect("a number")
}

/// Returns the resident memory once it has stopped growing, i.e. when everything between here and upstream is full.
fn settled_resident_mib(pid: u32) -> f64 {
    let mut last = resident_mib(pid);
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(200));
        let now = resident_mib(pid);
        if (now - last).abs() < 0.05 {
            return now;
        }
        last = now;
    }
    panic!("memory still grows: {last} MiB");
}

fn resident_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    let kib: f64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a figure");
    kib / 1024.0
}
