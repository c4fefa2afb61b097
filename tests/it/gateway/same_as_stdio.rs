//! Whatever upstream does, the gateway has the same effect on the accounts as stdio, and sends the same events.

use multicodex::protocol::CompleteParams;
use multicodex::sim::{Behaviour, ROWS, SimAccount};
use serde_json::{Value, json};

use super::running::{RunningGateway, events, prompt};
use crate::env::{RawClient, TestEnv};

/// The result of a completion: the events, whether it was answered, and the accounts that were asked.
#[derive(Debug, PartialEq)]
struct Outcome {
    events: Vec<Value>,
    answered: bool,
    asked: Vec<(String, Option<u16>)>,
    standing: Vec<(Value, bool)>,
}

/// With one account or two: the first meets the row, the second answers.
fn env(row: &str, accounts: usize) -> TestEnv {
    let env = TestEnv::new(["ada", "bob"].into_iter().take(accounts).map(SimAccount::named));
    env.sim().set_behaviour("ada", Behaviour::row(row).expect("a row"));
    env
}

fn asked(env: &TestEnv) -> Vec<(String, Option<u16>)> {
    let log = env.sim().log().into_iter().filter(|logged| logged.path.ends_with("/codex/responses"));
    log.map(|logged| (logged.account.expect("an account"), logged.status)).collect()
}

/// The states of the accounts. A state of a minute at most may already be over on a busy machine.
fn standing(accounts: &Value) -> Vec<(Value, bool)> {
    let soon = multicodex::clock::now().millis() + 61_000;
    let of_one = |account: &Value| {
        let is_over_soon = account["cooldownUntil"].as_i64().is_some_and(|until| until < soon);
        let state = if is_over_soon { json!("ready") } else { account["state"].clone() };
        (state, account.get("backoffUntil").is_some())
    };
    accounts.as_array().expect("a list").iter().map(of_one).collect()
}

/// Response ids are numbered, and dates pass.
fn without_ids(event: &str) -> Value {
    let mut event: Value = serde_json::from_str(event).expect("JSON");
    if let Some(response) = event.get_mut("response").and_then(Value::as_object_mut) {
        response.retain(|name, _| !["id", "created_at"].contains(&name.as_str()));
    }
    for error in ["/response/error", "/error"] {
        if let Some(error) = event.pointer_mut(error).and_then(Value::as_object_mut) {
            error.remove("resets_at");
        }
    }
    event
}

fn over_stdio(row: &str, accounts: usize) -> Outcome {
    let env = env(row, accounts);
    let mut client =
        RawClient::initialized(env.command(&["serve"]), &["accounts/changed", "status/changed", "warning"]);
    let request = prompt("Hello", true);
    let params = json!({"request": request, "headers": {"session-id": "s"}});
    serde_json::from_value::<CompleteParams>(params.clone()).expect("params");
    client.call("complete", params).expect("a subscription");
    let mut said = Vec::new();
    let answered = loop {
        let notice = client.expect_notification("complete")["result"].take();
        match notice["type"].as_str() {
            Some("event") => said.push(without_ids(&notice["event"].to_string())),
            Some("done") => break true,
            Some("error") => break false,
            _ => {}
        }
    };
    let accounts = client.call("accounts", json!({})).expect("accounts");
    Outcome { events: said, answered, asked: asked(&env), standing: standing(&accounts["accounts"]) }
}

async fn over_the_gateway(row: &str, accounts: usize) -> Outcome {
    let env = env(row, accounts);
    let gateway = RunningGateway::start(&env);
    let mut response = gateway.stream("Hello").header("session-id", "s").send().await.expect("an answer");
    let (status, mut text, mut whole) = (response.status(), Vec::new(), true);
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => text.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(_) => {
                whole = false;
                break;
            }
        }
    }
    let text = String::from_utf8(text).expect("text");
    let said: Vec<Value> = match status.as_u16() {
        200 => events(&text).iter().map(|event| without_ids(event)).collect(),
        _ => Vec::new(),
    };
    let last = said.last().map(|event| event["type"].clone()).unwrap_or_default();
    let answered = whole && ["response.completed", "response.incomplete"].iter().any(|end| last == **end);
    let usage = super::Answer::of(gateway.get("/v1/usage")).await.json();
    // A refusal that came as an event before output is reported by an event; stdio has it in its error.
    let refused_at_once = !answered && said.len() == 1;
    Outcome {
        events: if refused_at_once { Vec::new() } else { said },
        answered,
        asked: asked(&env),
        standing: standing(&usage["accounts"]),
    }
}

#[tokio::test]
async fn every_row_of_the_simulator_means_the_same_over_http() {
    let mut checked = 0;
    for row in ROWS {
        // These take as long as upstream's limits, and have their own tests.
        let waits =
            ["hang", "comments", "pause", "slow", "silence"].iter().any(|word| row.name.contains(word));
        let concerns_completions = matches!(
            Behaviour::row(row.name),
            Some(Behaviour::Answer(_) | Behaviour::Stream(_) | Behaviour::Cut | Behaviour::Reset)
        );
        if waits || !concerns_completions {
            continue;
        }
        for accounts in [1, 2] {
            let name = row.name;
            let stdio =
                tokio::task::spawn_blocking(move || over_stdio(name, accounts)).await.expect("it ran");
            assert_eq!(over_the_gateway(name, accounts).await, stdio, "{name} with {accounts}");
            checked += 1;
        }
    }
    assert!(checked > 80, "{checked}");
}
