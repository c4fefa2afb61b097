//! The released Codex CLI, without its own login, with `multicodex run -- codex` and with the permanent gateway.

use std::fs;
use std::path::Path;

use multicodex::sim::{Behaviour, RequestEnd, Route, Rule, SimAccount, Spoken, StreamPlan};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::programs::{Ended, PATIENCE, codex_home, command, end, installed, program};
use crate::env::{TestEnv, eventually};
use crate::gateway::running::{RunningGateway, signal, two_accounts};

const EXEC: [&str; 5] = ["run", "--", "codex", "exec", "--skip-git-repo-check"];

async fn exec(env: &TestEnv, bin: &Path, more: &[&str]) -> Ended {
    end(command(env, bin, &[&EXEC[..], more].concat())).await
}

/// Returns the bodies of all completions so far.
fn bodies(env: &TestEnv) -> Vec<Value> {
    let log = env.sim().log().into_iter().filter(|logged| logged.route == Some(Route::Responses));
    log.map(|logged| serde_json::from_str(&logged.body).expect("JSON")).collect()
}

fn events(events: &[Value]) -> Behaviour {
    let end = json!({"type": "response.completed", "response": {
        "id": "r", "status": "completed", "output": [],
        "usage": {"input_tokens": 9000, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 1,
                  "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 9001}}});
    let start = json!({"type": "response.created", "response": {"id": "r"}});
    let all = [&start].into_iter().chain(events).chain([&end]).map(Value::to_string).collect();
    Behaviour::Stream(StreamPlan { spoken: Spoken::Events(all), ..StreamPlan::default() })
}

fn item(item: Value) -> Value {
    json!({"type": "response.output_item.done", "output_index": 0, "item": item})
}

#[tokio::test]
async fn codex_answers_a_prompt_without_a_login_and_changes_no_file_of_its_user() {
    let Some(bin) = installed() else { return };
    let env = two_accounts();
    let config = codex_home(&env).join("config.toml");
    fs::create_dir_all(codex_home(&env)).expect("a directory");
    fs::write(&config, "model = \"gpt-6.1-sol\"\n").expect("written");
    // The account that is asked first is at its limit, which the client does not see.
    env.sim().add_rule(Rule::next(1, Behaviour::usage_limit()));
    let ended = exec(&env, bin, &["Hello"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("You asked: “Hello”."), "{ended:?}");
    assert!(!ended.stderr.contains("ERROR"), "{ended:?}");
    assert_eq!(fs::read_to_string(&config).expect("the file"), "model = \"gpt-6.1-sol\"\n");
    assert!(!codex_home(&env).join("auth.json").exists());
    let mut posts = [env.sim().posts("ada"), env.sim().posts("bob")];
    posts.sort_unstable();
    assert_eq!(posts, [1, 1]);
    let sent = env.sim().log().pop().expect("requests").headers;
    assert_eq!(sent["originator"], "codex_exec");
}

#[tokio::test]
async fn codex_runs_a_tool_and_goes_on_with_another_account() {
    let Some(bin) = installed() else { return };
    let env = two_accounts();
    let call = json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "exec_command",
        "arguments": r#"{"cmd":"echo from-the-$((40 + 2))"}"#});
    env.sim().add_rule(Rule::next(1, events(&[item(call)])));
    env.sim().add_rule(Rule::next(1, Behaviour::usage_limit()));
    let ended = exec(&env, bin, &["Use a tool"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let bodies = bodies(&env);
    assert_eq!(bodies.len(), 3, "a call, a limit, the rest: {bodies:?}");
    assert_eq!(bodies[1], bodies[2]);
    let input = bodies[2]["input"].as_array().expect("items");
    let output = input.iter().find(|item| item["type"] == "function_call_output").expect("an output");
    assert!(output.to_string().contains("from-the-42"), "{output}");
    assert!(ended.stdout.contains("You asked: “Use a tool”."), "{ended:?}");
}

#[tokio::test]
async fn codex_stops_after_one_request_when_all_are_out_and_shows_until_when() {
    let Some(bin) = installed() else { return };
    let env = two_accounts();
    env.sim().add_rule(Rule::always(Behaviour::usage_limit_for(7200)));
    let log = env.agent_dir().join("gateway.log");
    let mut command = command(&env, bin, &[&EXEC[..], &["Hello"]].concat());
    command.env("MULTICODEX_LOG", "multicodex::gateway=debug").env("MULTICODEX_LOG_FILE", &log);
    let ended = end(command).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("Try again at"), "{ended:?}");
    assert!(!ended.stderr.contains("pgrade"), "no advice to buy more: {ended:?}");
    let log = fs::read_to_string(log).expect("a log");
    let posts = log.lines().filter(|line| line.contains("POST") && line.contains("/responses")).count();
    assert_eq!(posts, 1, "{log}");
    assert_eq!((env.sim().posts("ada"), env.sim().posts("bob")), (1, 1));
}

#[tokio::test]
async fn codex_shows_what_to_do_when_there_is_no_account() {
    let Some(bin) = installed() else { return };
    let env = TestEnv::new([]);
    let ended = exec(&env, bin, &["Hello"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("there are no accounts yet; add one with `login`"), "{ended:?}");
}

#[tokio::test]
async fn codex_compacts_over_the_gateway() {
    let Some(bin) = installed() else { return };
    let env = TestEnv::new([SimAccount::named("ada")]);
    let call = json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "exec_command",
        "arguments": r#"{"cmd":"true"}"#});
    let compaction = json!({"type": "compaction", "id": "cmp_1", "encrypted_content": "opaque-summary"});
    env.sim().add_rule(Rule::next(1, events(&[item(call)])));
    env.sim().add_rule(Rule::next(1, events(&[item(compaction)])));
    let ended = exec(&env, bin, &["-c", "model_auto_compact_token_limit=5000", "Hello"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let bodies = bodies(&env);
    let last = |body: &Value| body["input"].as_array().and_then(|input| input.last()).cloned();
    assert_eq!(last(&bodies[1]).expect("an item")["type"], "compaction_trigger", "{:?}", last(&bodies[1]));
    assert!(bodies[2]["input"].to_string().contains("opaque-summary"), "{}", bodies[2]);
    assert_eq!(bodies.len(), 3);
}

#[tokio::test]
async fn codex_resumes_a_conversation_in_another_run() {
    let Some(bin) = installed() else { return };
    let env = TestEnv::new([SimAccount::named("ada")]);
    assert_eq!(exec(&env, bin, &["First"]).await.code, Some(0));
    let ended = exec(&env, bin, &["resume", "--last", "Second"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let bodies = bodies(&env);
    let input = bodies[1]["input"].to_string();
    assert!(input.contains("First") && input.contains("Second"), "{input}");
    assert_eq!(bodies[0]["prompt_cache_key"], bodies[1]["prompt_cache_key"]);
}

#[tokio::test]
async fn codex_that_is_interrupted_ends_its_request_upstream() {
    let Some(bin) = installed() else { return };
    let env = TestEnv::new([SimAccount::named("ada")]);
    env.sim().set_behaviour("ada", Behaviour::row("hang_after_output").expect("a row"));
    let child = command(&env, bin, &[&EXEC[..], &["Hello"]].concat()).spawn().expect("it starts");
    eventually("upstream answers", async || env.sim().posts("ada") == 1).await;
    signal(child.id().expect("it runs"), Signal::INT);
    let ended = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
    ended.expect("it ends").expect("a child");
    eventually("upstream sees the end of it", async || {
        let log = env.sim().log();
        let completion = log.iter().find(|logged| logged.route == Some(Route::Responses));
        completion.expect("a request").end == RequestEnd::Aborted
    })
    .await;
}

#[tokio::test]
async fn codex_is_set_up_by_the_snippet_and_goes_on_when_a_killed_gateway_is_back() {
    let Some(bin) = installed() else { return };
    let env = TestEnv::new([SimAccount::named("ada")]);
    let gateway = RunningGateway::start(&env);
    let snippet = end(command(&env, bin, &["gateway", "config", "codex"])).await;
    fs::write(codex_home(&env).join("config.toml"), snippet.stdout).expect("written");
    env.sim().set_behaviour("ada", Behaviour::row("hang_after_output").expect("a row"));
    let child = program(&env, bin, "codex").args(["exec", "--skip-git-repo-check", "Hello"]).spawn();
    let child = child.expect("it starts");
    eventually("upstream answers", async || env.sim().posts("ada") == 1).await;
    let port = gateway.address().rsplit(':').next().expect("a port").to_owned();
    drop(gateway);
    env.sim().reset();
    let again = RunningGateway::spawn(env.command(&["gateway", "--port", &port]), &env);
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
    let output = output.expect("it ends").expect("a child");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && stdout.contains("You asked: “Hello”."), "{output:?}");
    assert!(again.end().success());
}
