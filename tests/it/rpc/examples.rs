//! `schema/examples/*.jsonl`: whole sessions, a line `{"send": …}` or `{"receive": …}` for each message. They are
//! replayed against the real binary, and what is received is held to the schema. Times and what hangs on them differ
//! from run to run and are not compared.

use std::fs;
use std::path::Path;

use jsonschema::Validator;
use multicodex::protocol::openrpc;
use multicodex::sim::{Behaviour, SimAccount};
use serde_json::{Value, json};

use crate::env::TestEnv;

const RECORD: &str = "RECORD_EXAMPLES=1 cargo test --test it examples";

/// Members whose value is a time, a duration, or derived from one, and the token counts of made-up answers.
const VARYING: &[&str] = &["x-request-id", "revision", "created_at", "resets_at"];

#[test]
fn a_completion_moves_to_the_next_account() {
    let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
    env.sim().set_behaviour("ada", Behaviour::usage_limit());
    replay(
        "rotation.jsonl",
        &env,
        &[
            json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "client": {"name": "example", "version": "1.0"}, "optOutNotifications": ["accounts/changed", "status/changed"]}}),
            json!({"jsonrpc": "2.0", "id": 2, "method": "complete", "params": {
            "request": {"model": "gpt-6.1-sol", "input": [{"role": "user", "content": "Hello"}]},
            "sessionId": "s-1"}}),
            json!({"jsonrpc": "2.0", "id": 3, "method": "accounts"}),
        ],
    );
}

#[test]
fn no_account_is_left() {
    let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
    for name in ["ada", "bob"] {
        env.sim().set_behaviour(name, Behaviour::usage_limit());
    }
    replay(
        "no_available_account.jsonl",
        &env,
        &[
            json!({"jsonrpc": "2.0", "id": 1, "method": "complete", "params": {"request": {"model": "m", "input": []}}}),
            json!({"jsonrpc": "2.0", "id": 2, "method": "complete/collect", "params": {"request": {"model": "m", "input": []}}}),
            json!({"jsonrpc": "2.0", "id": 3, "method": "reset", "params": {"scope": "quota"}}),
        ],
    );
}

#[test]
fn accounts_are_managed() {
    let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
    replay(
        "accounts.jsonl",
        &env,
        &[
            json!({"jsonrpc": "2.0", "id": "a", "method": "accounts"}),
            json!({"jsonrpc": "2.0", "id": "b", "method": "accounts/use", "params": {"account": "BOB@example.com"}}),
            json!({"jsonrpc": "2.0", "id": "c", "method": "accounts/label", "params": {"account": "bob@example.com", "label": "work"}}),
            json!({"jsonrpc": "2.0", "id": "d", "method": "accounts/disable", "params": {"account": "ada@example.com"}}),
            json!({"jsonrpc": "2.0", "id": "e", "method": "accounts/remove", "params": {"account": "nobody"}}),
            json!({"jsonrpc": "2.0", "id": "f", "method": "accounts/label", "params": {"account": "work"}}),
            json!({"jsonrpc": "2.0", "id": "g", "method": "reset", "params": {"scope": "all"}}),
        ],
    );
}

fn replay(name: &str, env: &TestEnv, sends: &[Value]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/examples").join(name);
    let lines = session(env, sends);
    if std::env::var_os("RECORD_EXAMPLES").is_some() {
        fs::write(&path, format!("{}\n", lines.join("\n"))).expect("schema/examples is writable");
    }
    let lines = parsed(lines.iter().map(String::as_str));
    let schemas = Schemas::new();
    for line in &lines {
        schemas.check(line, sends);
    }
    let text = fs::read_to_string(&path).unwrap_or_default();
    let committed = parsed(text.lines());
    assert_eq!(
        comparable(&committed),
        comparable(&lines),
        "{name} differs from a session; record it anew: {RECORD}"
    );
}

/// Each request, and everything that comes until it is done with.
fn session(env: &TestEnv, sends: &[Value]) -> Vec<String> {
    let mut peer = env.raw_client();
    let mut lines = Vec::new();
    for send in sends {
        peer.send(send);
        lines.push(format!("{{\"send\":{send}}}"));
        let streams = send["method"] == "complete";
        loop {
            let text = env.at_home(peer.expect_text().trim_end());
            let message: Value = serde_json::from_str(&text).expect("a message");
            let terminal = ["done", "error", "cancelled"]
                .map(Value::from)
                .contains(&message["params"]["result"]["type"]);
            let answer = message.get("id").is_some();
            lines.push(format!("{{\"receive\":{text}}}"));
            if terminal || (answer && !streams) {
                break;
            }
        }
    }
    lines
}

fn parsed<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Value> {
    lines.map(|line| serde_json::from_str(line).expect("a line of an example is JSON")).collect()
}

fn comparable(lines: &[Value]) -> Vec<Value> {
    let mut lines = lines.to_vec();
    lines.iter_mut().for_each(|line| blur("", line));
    lines
}

fn blur(name: &str, value: &mut Value) {
    let is_time =
        name.ends_with("At") || name.ends_with("Ms") || matches!(name, "until" | "since" | "cooldownUntil");
    match value {
        _ if is_time || VARYING.contains(&name) || name.contains("-reset-") => *value = json!("…"),
        // Words with times in them, upstream's own and ours.
        Value::String(text) if matches!(name, "body" | "message") => {
            *text = text.chars().filter(|c| !c.is_ascii_digit()).collect()
        }
        Value::Object(members) => members.iter_mut().for_each(|(name, value)| blur(name, value)),
        Value::Array(items) => items.iter_mut().for_each(|item| blur(name, item)),
        _ => {}
    }
}

struct Schemas(Value);

impl Schemas {
    fn new() -> Self {
        Schemas(openrpc::bundle())
    }

    /// What is sent and received is as the schema says.
    fn check(&self, line: &Value, sends: &[Value]) {
        let (sent, message) = match line.get("send") {
            Some(message) => (true, message),
            None => (false, &line["receive"]),
        };
        let request = sends.iter().find(|send| send["id"] == message["id"]);
        let method = request.and_then(|request| request["method"].as_str()).unwrap_or_default();
        if sent {
            // A request that is meant to fail has params that do not fit.
            if method != "accounts/label" || message["params"].get("label").is_some() {
                self.fits(
                    &self.0["x-methods"][method]["params"],
                    message.get("params").unwrap_or(&json!({})),
                );
            }
        } else if let Some(result) = message.get("result") {
            self.fits(&self.0["x-methods"][method]["result"], result);
        } else if let Some(error) = message.get("error") {
            self.fits(&json!({"$ref": "#/$defs/ErrorData"}), &error["data"]);
        } else if message["method"] == "complete" {
            self.fits(&json!({"$ref": "#/$defs/Notice"}), &message["params"]["result"]);
        } else {
            let name = message["method"].as_str().unwrap_or_default();
            let notifications = &self.0["x-notifications"];
            self.fits(&notifications[name], &message["params"]);
        }
    }

    fn fits(&self, schema: &Value, value: &Value) {
        assert!(schema.is_object(), "there is no schema for {value}");
        let mut whole = self.0.clone();
        whole["$ref"] = schema["$ref"].clone();
        if schema.get("$ref").is_none() {
            whole = schema.clone();
        }
        let validator: Validator = jsonschema::draft202012::new(&whole).expect("a schema");
        let errors: Vec<String> = validator.iter_errors(value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{value}\ndoes not fit {schema}:\n{}", errors.join("\n"));
    }
}
