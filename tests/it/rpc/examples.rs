//! `schema/examples/*.jsonl`: whole sessions, with a line `{"send": …}` or `{"receive": …}` for each message. They are
//! replayed against the real binary, and received messages are checked against the schema. Times and values derived
//! from them differ in each run and are not compared.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use jsonschema::Validator;
use multicodex::protocol::openrpc;
use multicodex::sim::{Behaviour, SimAccount};
use serde_json::{Value, json};
use url::Url;

use crate::env::{Framing, RawClient, TestEnv};
use crate::login::{self, redirect};
use crate::reset_credits::dry_account;

const RECORD: &str = "RECORD_EXAMPLES=1 cargo test --test it examples";

/// Members whose value is a time, a duration, or derived from one, and the token counts of generated answers.
const VARYING: &[&str] = &[
    "x-request-id",
    "revision",
    "created_at",
    "resets_at",
    "at",
    "day",
    "url",
    "input",
    "userCode",
    "requestId",
];

#[test]
fn a_completion_moves_to_the_next_account() {
    let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
    // Of two accounts that nothing is known of, the one with the smaller id is first: bob's.
    env.sim().set_behaviour("bob", Behaviour::usage_limit());
    let mut session = Session::start(&env);
    let quiet = json!(["accounts/changed", "status/changed"]);
    session.call(
        "initialize",
        json!({"client": {"name": "example", "version": "1.0"}, "optOutNotifications": quiet}),
    );
    session.call(
        "complete",
        json!({
        "request": {"model": "gpt-6.1-sol", "input": [{"role": "user", "content": "Hello"}]},
        "sessionId": "s-1"}),
    );
    session.call("accounts", Value::Null);
    session.call("history", json!({"limit": 2}));
    session.call("shutdown", Value::Null);
    session.compare_with("rotation.jsonl");
}

#[test]
fn no_account_is_left() {
    let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
    for name in ["ada", "bob"] {
        env.sim().set_behaviour(name, Behaviour::usage_limit());
    }
    let mut session = Session::start(&env);
    session.call("complete", json!({"request": {"model": "m", "input": []}}));
    session.call("complete/collect", json!({"request": {"model": "m", "input": []}}));
    session.call("reset", json!({"scope": "quota"}));
    session.compare_with("no_available_account.jsonl");
}

#[test]
fn completion_is_collected_and_another_is_cancelled() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let request =
        json!({"request": {"model": "gpt-6.1-sol", "input": [{"role": "user", "content": "Hello"}]}});
    let mut session = Session::start(&env);
    session.call("complete/collect", request.clone());
    env.sim().set_behaviour("ada", Behaviour::Hang);
    let subscription = session.send("complete", request);
    let id = session.until_answer(subscription);
    session.call("complete/cancel", json!({"subscription": id["result"]}));
    session.until(|message| message["params"]["result"]["type"] == "cancelled");
    session.compare_with("completion.jsonl");
}

#[test]
fn accounts_are_managed() {
    let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
    let mut session = Session::start(&env);
    session.call("accounts", Value::Null);
    session.call("accounts/use", json!({"account": "BOB@example.com"}));
    session.call("accounts/label", json!({"account": "bob@example.com", "label": "work"}));
    session.call("accounts/disable", json!({"account": "ada@example.com"}));
    session.call("accounts/enable", json!({"account": "ada@example.com"}));
    session.call("accounts/remove", json!({"account": "eve"}));
    session.call("accounts/label", json!({"account": "work"}));
    session.call("accounts/remove", json!({"account": "ada@example.com"}));
    session.call("reset", json!({"scope": "all"}));
    session.compare_with("accounts.jsonl");
}

#[test]
fn a_reset_credit_is_looked_at_and_redeemed() {
    let mut ada = dry_account("ada", &["credit-1"]);
    ada.usage.reset_credits[0].expires_in_seconds = Some(29 * 86_400 + 43_200);
    let env = TestEnv::new([ada]);
    let mut session = Session::start(&env);
    let account = "ada@example.com";
    let dry_run = session.call("accounts/resetCredit", json!({"account": account, "dryRun": true}));
    assert_eq!(dry_run["result"]["credit"]["id"], "credit-1");
    session.call("accounts/resetCredit", json!({"account": account}));
    session.call("accounts/resetCredit", json!({"account": account}));
    session.compare_with("reset_credits.jsonl");
}

#[test]
fn tokens_and_settings_are_shown() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let pi = env.sim().add_account(SimAccount::named("bob"));
    let mut session = Session::start(&env);
    session.call("refresh", json!({"account": "ada@example.com"}));
    session.call("accounts/token", json!({"account": "ada@example.com"}));
    session.call("status", Value::Null);
    session.call("footer", Value::Null);
    session.call("footer/set", json!({"usageMode": "used", "showReset": false}));
    session.call("rotation", json!({"model": "gpt-6.1-sol"}));
    session.call("rotation/set", json!({"strategy": "least-used", "waitForResetMs": 1_800_000}));
    session.call("rotation/set", json!({"reservePercent": 200}));
    session.call("verify", Value::Null);
    session.call("command", json!({"line": "use ada@example.com"}));
    session.call("command/suggest", json!({"line": "foo"}));
    session.call("paths", Value::Null);
    env.log_pi_in(&pi);
    session.call("accounts/import", json!({"from": "pi"}));
    session.compare_with("settings.jsonl");
}

#[test]
fn logins_are_finished_in_each_way() {
    let env = TestEnv::new([]);
    for name in ["ada", "bob"] {
        env.sim().add_account(SimAccount::named(name));
    }
    env.sim().set_device_interval(1);
    let mut session = Session::start(&env);
    let started = session.call("login", json!({}));
    let pasted = redirect(&env, &started["result"], "ada");
    let id = &started["result"]["loginId"];
    session.call("login/submit", json!({"loginId": id, "input": pasted}));
    let started = session.call("login", json!({"flow": "device", "label": "work"}));
    let code = started["result"]["userCode"].as_str().expect("a code");
    assert!(env.sim().grant_device(code, "bob"));
    session.call("login/wait", json!({"loginId": started["result"]["loginId"]}));
    let started = session.call("reauth", json!({"account": "work"}));
    session.call("login/cancel", json!({"loginId": started["result"]["loginId"]}));
    session.call("login/wait", json!({"loginId": started["result"]["loginId"]}));
    session.compare_with("login.jsonl");
}

#[test]
fn a_gateway_is_started_and_stopped() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let mut session = Session::start(&env);
    let pid = session.peer.pid().to_string();
    session.replacements.push((env!("CARGO_BIN_EXE_multicodex").to_owned(), "/usr/local/bin/multicodex"));
    session.replacements.push((format!("\"{pid}\""), "\"4711\""));
    session.call("gateway/start", json!({}));
    session.call("gateway/stop", Value::Null);
    session.compare_with("gateway.jsonl");
}

/// A session that is recorded line by line, as a client would see it in `/home/ada`.
struct Session<'a> {
    env: &'a TestEnv,
    peer: RawClient,
    lines: Vec<String>,
    last_id: u64,
    methods: HashMap<u64, String>,
    /// Values that differ in each run or must not be shown, and their replacements.
    replacements: Vec<(String, &'static str)>,
}

impl<'a> Session<'a> {
    fn start(env: &'a TestEnv) -> Self {
        let peer = RawClient::spawn(login::command(env), Framing::Lines);
        Session {
            env,
            peer,
            lines: Vec::new(),
            last_id: 0,
            methods: HashMap::new(),
            replacements: vec![
                (env.auth_url(), "https://auth.openai.com"),
                (env.agent_dir().to_string_lossy().into_owned(), "/home/ada/.pi/agent"),
            ],
        }
    }

    /// Sends a request and reads until its answer, or for `complete` until its terminal notice. Returns the answer,
    /// or that notice.
    fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params);
        let answer = self.until_answer(id);
        if method == "complete" {
            return self.until(|message| {
                ["done", "error", "cancelled"].map(Value::from).contains(&message["params"]["result"]["type"])
            });
        }
        answer
    }

    fn send(&mut self, method: &str, params: Value) -> u64 {
        self.last_id += 1;
        let mut message = json!({"jsonrpc": "2.0", "id": self.last_id, "method": method});
        if !params.is_null() {
            message["params"] = params;
        }
        self.methods.insert(self.last_id, method.to_owned());
        self.peer.send(&message);
        self.record("send", &message.to_string());
        self.last_id
    }

    fn until_answer(&mut self, id: u64) -> Value {
        self.until(|message| message["id"] == id)
    }

    fn until(&mut self, last: impl Fn(&Value) -> bool) -> Value {
        loop {
            let text = self.peer.expect_text();
            self.record("receive", text.trim_end());
            let message: Value = serde_json::from_str(&text).expect("a message");
            if last(&message) {
                return message;
            }
        }
    }

    fn record(&mut self, side: &str, text: &str) {
        let message: Value = serde_json::from_str(text).expect("a message");
        if let Some(token) = message["result"]["accessToken"].as_str() {
            self.replacements.push((token.to_owned(), "eyJ…"));
        }
        for address in [&message["result"]["url"], &message["params"]["input"]] {
            let Some(address) = address.as_str().and_then(|address| Url::parse(address).ok()) else {
                continue;
            };
            if let (Some(port), "/") = (address.port(), address.path()) {
                self.replacements.push((format!("127.0.0.1:{port}"), "127.0.0.1:41455"));
            }
            for (name, value) in address.query_pairs() {
                match name.as_ref() {
                    "state" | "code" | "code_challenge" => self.replacements.push((value.into_owned(), "…")),
                    "redirect_uri" => {
                        let port = Url::parse(&value).ok().and_then(|uri| uri.port()).expect("a port");
                        self.replacements.push((format!("127.0.0.1%3A{port}"), "127.0.0.1%3A1455"));
                        self.replacements.push((format!("127.0.0.1:{port}"), "127.0.0.1:1455"));
                    }
                    _ => {}
                }
            }
        }
        let shown =
            self.replacements.iter().fold(text.to_owned(), |text, (found, shown)| text.replace(found, shown));
        self.lines.push(format!("{{\"{side}\":{shown}}}"));
    }

    /// Compares the recorded lines with the schema and with the committed file.
    fn compare_with(self, name: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/examples").join(name);
        if std::env::var_os("RECORD_EXAMPLES").is_some() {
            fs::write(&path, format!("{}\n", self.lines.join("\n"))).expect("schema/examples is writable");
        }
        let lines = parsed(self.lines.iter().map(String::as_str));
        let schemas = Schemas::new();
        for line in &lines {
            schemas.check(line, &self.methods);
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let committed = parsed(text.lines());
        assert_eq!(
            comparable(&committed),
            comparable(&lines),
            "{name} differs from a session; record it again: {RECORD}"
        );
        self.env.sim_is_at_rest();
    }
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
        // Texts with times in them, from upstream and from us.
        Value::String(text) if matches!(name, "body" | "message" | "lines" | "text" | "hint" | "notes") => {
            *text = text.chars().filter(|c| !c.is_ascii_digit()).collect()
        }
        // How changes of files are noticed depends on the machine, and so does the worst of all checks.
        Value::Object(check) if check.get("id").is_some_and(|id| id == "watcher") => *value = json!("…"),
        Value::Object(members) if members.contains_key("checks") => {
            members.remove("status");
            members.iter_mut().for_each(|(name, value)| blur(name, value));
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

    /// Checks a message against the schema.
    fn check(&self, line: &Value, methods: &HashMap<u64, String>) {
        let (sent, message) = match line.get("send") {
            Some(message) => (true, message),
            None => (false, &line["receive"]),
        };
        let method = message["id"].as_u64().and_then(|id| methods.get(&id)).map_or("", String::as_str);
        if sent {
            // The params of a request that should fail do not match.
            let incomplete = method == "accounts/label" && message["params"].get("label").is_none();
            if method != "shutdown" && !incomplete {
                self.fits(
                    &self.0["x-methods"][method]["params"],
                    message.get("params").unwrap_or(&json!({})),
                );
            }
        } else if method == "shutdown" {
            assert_eq!(message["result"], Value::Null);
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
