//! `gateway`, `gateway key`, `gateway config`, `run` and the methods.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Output, Stdio};

use multicodex::sim::SimAccount;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::running::{Answer, RunningGateway, client, signal, two_accounts};
use crate::env::{Framing, RawClient, TestEnv};

fn run(env: &TestEnv, arguments: &[&str]) -> (i32, String, String) {
    said(&env.command(arguments).stdin(Stdio::null()).output().expect("it starts"))
}

fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    (output.status.code().expect("a code"), text(&output.stdout), text(&output.stderr))
}

fn record(env: &TestEnv, name: &str) -> Value {
    serde_json::from_slice(&fs::read(env.state_dir().join(name)).expect("a file")).expect("JSON")
}

#[test]
fn one_permanent_gateway_serves_a_state_dir_and_its_key_stays() {
    let env = TestEnv::new([]);
    let first = RunningGateway::start(&env);
    let file = env.state_dir().join("gateway.json");
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    let written = record(&env, "gateway.json");
    assert_eq!((&written["url"], &written["pid"]), (&json!(first.url), &json!(first.pid())));
    assert!(written["startedAt"].is_i64());
    let (code, told, _) = run(&env, &["gateway", "--port", "0"]);
    assert_eq!((code, told), (0, format!("multicodex gateway listens at {}\n", first.url)));
    let (code, key, _) = run(&env, &["gateway", "key"]);
    assert_eq!((code, key.trim()), (0, first.key.as_str()));
    let key = first.key.clone();
    assert!(first.end().success());
    assert_eq!(record(&env, "gateway.json"), json!({"key": key}));
    let (code, told, errors) = run(&env, &["gateway", "key"]);
    assert_eq!((code, told.as_str()), (1, ""));
    assert!(errors.contains("start it with `multicodex gateway`"), "{errors}");
    // A gateway that was killed left its record behind.
    let killed = RunningGateway::start(&env);
    assert_eq!(killed.key, key);
    drop(killed);
    assert!(record(&env, "gateway.json")["url"].is_string());
    assert_eq!(run(&env, &["gateway", "key"]).0, 1);
    assert_eq!(RunningGateway::start(&env).key, key);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let env = TestEnv::new([]);
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = other.local_addr().expect("bound").port().to_string();
    let (code, told, errors) = run(&env, &["gateway", "--port", &port]);
    assert_eq!((code, told.as_str()), (1, ""));
    assert!(errors.starts_with(&format!("multicodex: port {port} is taken")), "{errors}");
}

#[test]
fn a_key_is_not_given_to_what_listens_in_the_gateways_place() {
    let env = TestEnv::new([]);
    let gateway = RunningGateway::start(&env);
    let key = gateway.key.clone();
    drop(gateway);
    let stranger = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut file = record(&env, "gateway.json");
    file["url"] = json!(format!("http://{}", stranger.local_addr().expect("bound")));
    fs::write(env.state_dir().join("gateway.json"), file.to_string()).expect("writable");
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = stranger.accept().expect("a connection");
        let mut line = String::new();
        BufReader::new(stream.try_clone().expect("a socket")).read_line(&mut line).expect("a request");
        let body = r#"{"status":"ok","version":"0.1.0","proof":"00"}"#;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        std::io::Write::write_all(&mut stream, (head + body).as_bytes()).expect("it reads");
        line
    });
    let (code, told, errors) = run(&env, &["gateway", "key"]);
    assert_eq!((code, told.as_str()), (1, ""));
    assert!(errors.contains("does not have the key"), "{errors}");
    let asked = answering.join().expect("it was asked");
    assert!(asked.starts_with("GET /healthz?nonce=") && !asked.contains(&key), "{asked}");
}

#[tokio::test]
async fn a_rotated_key_replaces_the_old_one_at_once() {
    let env = two_accounts();
    let gateway = RunningGateway::start(&env);
    assert_eq!(Answer::of(gateway.get("/v1/models")).await.status, 200);
    let (code, new, _) = run(&env, &["gateway", "key", "--rotate"]);
    assert_eq!(code, 0);
    assert_ne!(new.trim(), gateway.key);
    assert_eq!(Answer::of(gateway.get("/v1/models")).await.status, 401);
    let renewed = gateway.bare(reqwest::Method::GET, "/v1/models").bearer_auth(new.trim());
    assert_eq!(Answer::of(renewed).await.status, 200);
    assert_eq!(run(&env, &["gateway", "key"]).1, new);
}

#[test]
fn snippets_name_the_gateway_that_runs() {
    let env = TestEnv::new([]);
    for client in ["codex", "opencode", "zed", "pi", "sdk"] {
        let (code, text, _) = run(&env, &["gateway", "config", client]);
        assert!(code == 0 && text.contains("http://127.0.0.1:41455/v1"), "{text}");
    }
    let gateway = RunningGateway::start(&env);
    let (_, text, _) = run(&env, &["gateway", "config", "codex", "--state-dir", "/tmp/a b"]);
    assert!(text.contains(r#"args = ["gateway", "key", "--state-dir", "/tmp/a b"]"#), "{text}");
    let (_, text, _) = run(&env, &["gateway", "config", "sdk"]);
    assert!(text.contains(&gateway.url) && !text.contains(&gateway.key), "{text}");
}

/// Prints its arguments and variables, and sends a request to the gateway as they say.
const SCRIPT: &str = r#"
printf '%s\n' "$OPENAI_BASE_URL" "$MULTICODEX_GATEWAY_URL" "$OPENAI_API_KEY" "$@"
exit 7
"#;

#[test]
fn run_gives_a_command_a_gateway_and_ends_as_it_does() {
    let env = two_accounts();
    let (code, told, errors) = run(&env, &["run", "--", "sh", "-c", SCRIPT, "sh", "a b", "-c"]);
    assert_eq!((code, errors.as_str()), (7, ""));
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], format!("{}/v1", lines[1]));
    assert!(lines[1].starts_with("http://127.0.0.1:") && lines[2].starts_with("mcgw-"), "{told}");
    assert_eq!(lines[3..], ["a b", "-c"]);
    let left: Vec<String> = env.files().into_iter().filter(|name| name.starts_with("gateway-")).collect();
    assert!(left.is_empty(), "{left:?}");
    for (arguments, expected) in [
        (&["run", "--", "sh", "-c", "kill -KILL $$"][..], 137),
        (&["run", "true"], 0),
        (&["run", "--", "/no/such/program"], 127),
        (&["run", "--", "/"], 126),
        (&["run"], 2),
    ] {
        assert_eq!(run(&env, arguments).0, expected, "{arguments:?}");
    }
}

#[test]
fn what_run_would_do_can_be_seen_and_holds_no_key() {
    let env = TestEnv::new([]);
    let (code, told, _) = run(&env, &["run", "--print", "--", "opencode", "run", "a b"]);
    let url = "http://127.0.0.1:PORT";
    let expected = format!(
        "MULTICODEX_GATEWAY_URL={url} OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY=… opencode run 'a b'\n"
    );
    assert_eq!((code, told), (0, expected));
    let (_, told, _) = run(&env, &["run", "--print", "--", "codex", "exec", "hi"]);
    assert!(
        told.contains("codex -c 'model_provider=\"multicodex\"' -c") && told.ends_with("exec hi\n"),
        "{told}"
    );
    assert!(!told.contains("OPENAI_API_KEY") && !told.contains("mcgw-"), "{told}");
    assert!(!env.state_dir().exists(), "nothing was started");
}

#[test]
fn signals_reach_the_command_that_runs() {
    let env = TestEnv::new([]);
    for (name, sent) in [("TERM", Signal::TERM), ("INT", Signal::INT), ("HUP", Signal::HUP)] {
        let script = format!("trap 'echo got; exit 5' {name}; echo ready; while :; do sleep 0.01; done");
        let mut child = env
            .command(&["run", "--", "sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        assert_eq!(lines.next().expect("a line").expect("text"), "ready");
        signal(child.id(), sent);
        assert_eq!(lines.next().expect("a line").expect("text"), "got", "{name}");
        assert_eq!(child.wait().expect("an end").code(), Some(5), "{name}");
    }
}

#[tokio::test]
async fn a_client_of_stdio_can_start_a_gateway_and_stop_it() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let mut peer = RawClient::spawn(env.command(&["serve"]), Framing::Lines);
    assert_eq!(peer.call("gateway/stop", json!({})), Ok(json!({"stopped": false})));
    let started = peer.call("gateway/start", json!({})).expect("a gateway");
    assert_eq!(peer.call("gateway/start", json!({})).as_ref(), Ok(&started), "it is the same");
    let command: Vec<String> = serde_json::from_value(started["keyCommand"].clone()).expect("words");
    let key = std::process::Command::new(&command[0]).args(&command[1..]).output().expect("it starts");
    let (code, key, errors) = said(&key);
    assert_eq!((code, errors.as_str()), (0, ""));
    let url = started["url"].as_str().expect("an address").to_owned();
    let ask = || client().get(format!("{url}/v1/models")).bearer_auth(key.trim());
    assert_eq!(Answer::of(ask()).await.status, 200);
    assert_eq!(peer.call("gateway/stop", json!({})), Ok(json!({"stopped": true})));
    assert!(ask().send().await.is_err(), "nothing listens any more");
    let file = format!("gateway-{}.json", peer.pid());
    assert!(!env.state_dir().join(&file).exists());
    let refused = peer.call("gateway/start", json!({"port": 70000})).expect_err("no such port");
    assert_eq!((&refused["code"], &refused["data"]["path"]), (&json!(-32602), &json!("port")));
    // It ends with the sidecar.
    peer.call("gateway/start", json!({"port": 0})).expect("a gateway");
    assert!(env.state_dir().join(&file).exists());
    peer.close_stdin();
    assert!(peer.expect_exit().success());
    assert!(!env.state_dir().join(&file).exists());
}
