//! `multicodex complete`: the answer on stdout, everything else on stderr, and an exit code for each outcome.

use std::io::Write;
use std::process::Stdio;

use multicodex::sim::{Behaviour, Route, Rule, SimAccount};
use serde_json::{Value, json};

use crate::env::{TestEnv, email, expired};

fn run(env: &TestEnv, arguments: &[&str]) -> (i32, String, String) {
    run_with(env, arguments, "")
}

fn run_with(env: &TestEnv, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut command = env.command(&[&["complete"], arguments].concat());
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    // A command that reads nothing may have ended already.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("a code"), text(output.stdout), text(output.stderr))
}

/// The account that is tried first meets its limit.
fn env_that_rotates() -> TestEnv {
    let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
    env.sim().add_rule(Rule::next(1, Behaviour::usage_limit()).on(Route::Responses));
    env
}

#[test]
fn the_answer_is_on_stdout_and_what_happened_on_stderr() {
    let env = env_that_rotates();
    let (code, answer, notices) = run(&env, &["Why?"]);
    assert_eq!(code, 0, "{notices}");
    assert!(answer.ends_with('\n') && answer.trim().len() > 3, "{answer:?}");
    let lines: Vec<&str> = notices.lines().collect();
    assert_eq!(lines.len(), 2, "{notices}");
    let (from, to) = if env.sim().posts("ada") == 1 && lines[0].starts_with("ada") {
        ("ada@example.com", "bob@example.com")
    } else {
        ("bob@example.com", "ada@example.com")
    };
    assert!(lines[0].starts_with(&format!("{from}: ")) && lines[0].contains("(usage_limit)"), "{notices}");
    assert!(lines[0].ends_with(&format!("; moving to {to}")), "{notices}");
    assert!(lines[1].starts_with(&format!("answered by {to} in ")), "{notices}");
    assert!(lines[1].ends_with(" s, 2 attempts"), "{notices}");
    // It is in the history like any other.
    let history = env.command(&["history", "--json"]).output().expect("it runs");
    let history: Value = serde_json::from_slice(&history.stdout).expect("JSON");
    assert_eq!(history["attempts"].as_array().map(Vec::len), Some(2), "{history}");
}

#[test]
fn the_prompt_may_come_from_stdin_and_the_body_from_a_file() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let (_, from_argument, _) = run(&env, &["Why?"]);
    let (code, from_stdin, _) = run_with(&env, &["-"], "Why?");
    assert_eq!((code, from_stdin), (0, from_argument.clone()));
    let body = json!({"model": "gpt-6.1-sol", "input": [{"role": "user", "content": "Why?"}]}).to_string();
    let file = env.agent_dir().join("body.json");
    std::fs::write(&file, &body).expect("written");
    let (code, from_file, _) = run(&env, &["--request", file.to_str().expect("UTF-8")]);
    assert_eq!((code, from_file), (0, from_argument.clone()));
    let (code, from_stdin, _) = run_with(&env, &["--request", "-"], &body);
    assert_eq!((code, from_stdin), (0, from_argument));
}

#[test]
fn json_is_the_collected_response() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let (code, printed, notices) = run(&env, &["Why?", "--json"]);
    let collected: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!((code, notices.as_str()), (0, ""));
    assert_eq!(collected["response"]["status"], "completed");
    assert_eq!(collected["attempts"], 1);
}

#[test]
fn events_are_the_notices_of_the_protocol() {
    let env = env_that_rotates();
    let (code, printed, notices) = run(&env, &["Why?", "--events"]);
    let kinds: Vec<String> = printed
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).expect("JSON")["type"].as_str().expect("a type").to_owned()
        })
        .collect();
    assert_eq!((code, notices.as_str()), (0, ""));
    assert_eq!(kinds.first().map(String::as_str), Some("rotated"));
    assert_eq!(kinds.last().map(String::as_str), Some("done"));
    assert_eq!(kinds.iter().filter(|kind| *kind == "accepted").count(), 1, "{kinds:?}");
    assert!(kinds.iter().filter(|kind| *kind == "event").count() > 3, "{kinds:?}");
}

#[test]
fn the_exit_code_tells_the_outcome_however_it_is_shown() {
    let check = |env: &TestEnv, arguments: &[&str], expected: i32| {
        for form in [&[][..], &["--json"], &["--events"]] {
            let (code, said, notices) = run(env, &[arguments, form].concat());
            assert_eq!(code, expected, "{arguments:?} {form:?}: {said}{notices}");
        }
    };
    let incomplete = TestEnv::new([SimAccount::named("ada")]);
    incomplete.sim().set_behaviour("ada", Behaviour::row("incomplete").expect("a row"));
    check(&incomplete, &["Why?"], 3);
    let refused = TestEnv::new([SimAccount::named("ada")]);
    refused.sim().set_behaviour("ada", Behaviour::row("context_length").expect("a row"));
    check(&refused, &["Why?"], 1);
    let limited = TestEnv::new([SimAccount::named("ada")]);
    limited.sim().set_behaviour("ada", Behaviour::usage_limit());
    check(&limited, &["Why?"], 4);
    let named = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
    named.sim().set_behaviour("bob", Behaviour::usage_limit());
    check(&named, &["Why?", "--account", &email("bob")], 4);
    let logged_out = TestEnv::new([expired("ada")]);
    let behaviour = Behaviour::row("invalid_grant").expect("a row");
    logged_out.sim().add_rule(Rule::always(behaviour).on(Route::Token));
    check(&logged_out, &["Why?"], 5);
    let env = TestEnv::new([SimAccount::named("ada")]);
    check(&env, &["Why?", "--account", "carol"], 1);
}

#[test]
fn a_mistake_costs_no_request() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let file = env.agent_dir().join("body.json");
    std::fs::write(&file, "{\"model\": ").expect("written");
    let file = file.to_str().expect("UTF-8");
    for arguments in [
        &[][..],
        &["  "],
        &["-"],
        &["Why?", "--request", file],
        &["--request", file],
        &["--request", "/nowhere/body.json"],
        &["Why?", "--json", "--events"],
    ] {
        let (code, said, mistake) = run(&env, arguments);
        assert_eq!((code, said.as_str()), (2, ""), "{arguments:?}: {mistake}");
        assert!(mistake.starts_with("multicodex: ") && mistake.lines().count() == 1, "{mistake}");
    }
    assert_eq!(env.sim().posts("ada"), 0);
}
