//! What is passed between a client and upstream, byte for byte, and what is not.

use std::time::Duration;

use multicodex::sim::{Behaviour, RequestEnd, Rule, SimAccount, Spoken, StreamPlan};
use serde_json::{Value, json};

use super::running::{Answer, RunningGateway, events, prompt, two_accounts};
use crate::env::{TestEnv, eventually};

#[tokio::test]
async fn events_pass_byte_for_byte_under_their_names() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let gateway = RunningGateway::start(&env);
    let said = [
        r#"{"type":"response.created","response":{"id":"r1"},"x":1.50}"#,
        r#"{ "type" : "response.output_text.delta", "delta":"\ud800 ü" }"#,
        r#"{"delta":"b","type":"response.unheard_of","n":12345678901234567890123}"#,
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"compaction","encrypted_content":"e"}}"#,
        r#"{"type":"response.completed","response":{"id":"r1","status":"completed","output":[]}}"#,
    ];
    let plan = StreamPlan { spoken: Spoken::Events(said.map(str::to_owned).into()), ..StreamPlan::default() };
    env.sim().set_behaviour("ada", Behaviour::Stream(plan));
    let answer = Answer::of(gateway.stream("Hello")).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!(answer.events(), said);
    let whole = Answer::of(gateway.post("/v1/responses", prompt("Hello", false).to_string())).await;
    assert_eq!(
        whole.text,
        r#"{"id":"r1","status":"completed","output":[{"type":"compaction","encrypted_content":"e"}]}"#
    );
}

#[tokio::test]
async fn requests_pass_byte_for_byte_and_callers_stay_unknown() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let gateway = RunningGateway::start(&env);
    let body = r#"{ "model":"gpt-6.1-sol","stream":true,"store":false,"input":[{"type":"compaction_trigger"}],"unheard_of":{"n":1.50},"client_metadata":{"session_id":"meta"}}"#;
    let request = gateway
        .post("/v1/responses", body)
        .header("originator", "codex_cli_rs")
        .header("user-agent", "codex/0.171.0")
        .header("version", "0.171.0")
        .header("session-id", "s-1")
        .header("thread-id", "t-1")
        .header("x-client-request-id", "r-1")
        .header("x-codex-turn-metadata", "{}")
        .header("x-openai-internal-codex-responses-lite", "true")
        .header("openai-beta", "responses=v9")
        // These name the caller.
        .header("chatgpt-account-id", "caller-canary")
        .header("cookie", "a=caller-canary")
        .header("x-openai-agent-assertion", "caller-canary")
        .header("x-api-key", "caller-canary");
    assert_eq!(Answer::of(request).await.status, 200);
    let sent = env.sim().log().pop().expect("a request");
    assert_eq!(sent.body, body);
    for (name, value) in [
        ("originator", "codex_cli_rs"),
        ("user-agent", "codex/0.171.0"),
        ("version", "0.171.0"),
        ("session-id", "s-1"),
        ("thread-id", "t-1"),
        ("x-client-request-id", "r-1"),
        ("x-codex-turn-metadata", "{}"),
        ("x-openai-internal-codex-responses-lite", "true"),
        ("openai-beta", "responses=v9"),
        ("chatgpt-account-id", "ws-ada"),
    ] {
        assert_eq!(sent.headers.get(name).map(String::as_str), Some(value), "{name}");
    }
    let all = format!("{:?}", sent.headers);
    assert!(!all.contains("canary") && !all.contains(&gateway.key), "{all}");
    // What upstream requires is added, and nothing else.
    Answer::of(gateway.post("/v1/responses", r#"{"model":"m","stream":true}"#).header("session-id", "s"))
        .await;
    assert_eq!(
        env.sim().log().pop().expect("a request").body,
        r#"{"model":"m","stream":true,"store":false}"#
    );
}

#[tokio::test]
async fn a_session_stays_with_its_account_whatever_it_is_called() {
    let env = two_accounts();
    let gateway = RunningGateway::start(&env);
    let served = |env: &TestEnv| env.sim().log().pop().expect("a request").account.expect("an account");
    let body = |extra: Value| {
        let mut body = prompt("Hello", true);
        body.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        body.to_string()
    };
    let none = json!({});
    for (number, (header, extra)) in [
        (Some("session-id"), &none),
        (Some("thread-id"), &none),
        (Some("session_id"), &none),
        (Some("x-session-affinity"), &none),
        (None, &json!({"client_metadata": {"session_id": "in-metadata"}})),
        (None, &json!({"prompt_cache_key": "a-key"})),
    ]
    .into_iter()
    .enumerate()
    {
        let ask = async || {
            let request = gateway.post("/v1/responses", body(extra.clone()));
            let request = header
                .into_iter()
                .fold(request, |request, header| request.header(header, format!("session-{number}")));
            assert_eq!(Answer::of(request).await.status, 200);
        };
        ask().await;
        let first = served(&env);
        for _ in 0..3 {
            ask().await;
            assert_eq!(served(&env), first, "{header:?} {extra}");
        }
    }
}

#[tokio::test]
async fn the_state_of_a_turn_does_not_go_to_another_account() {
    let env = two_accounts();
    let gateway = RunningGateway::start(&env);
    let ask = async || {
        let request = gateway.stream("Hello").header("session-id", "s").header("x-codex-turn-state", "t");
        assert_eq!(Answer::of(request).await.status, 200);
    };
    ask().await;
    let first = env.sim().log().pop().expect("a request");
    assert_eq!(first.headers["x-codex-turn-state"], "t");
    let first = first.account.expect("an account");
    // Within a completion, and for the next one.
    env.sim().add_rule(Rule::next(1, Behaviour::usage_limit()).of(&first));
    ask().await;
    let moved = env.sim().log().pop().expect("a request");
    assert_ne!(moved.account.as_deref(), Some(first.as_str()));
    assert_eq!(moved.headers.get("x-codex-turn-state"), None);
    ask().await;
    let settled = env.sim().log().pop().expect("a request");
    assert_eq!(settled.account, moved.account);
    assert_eq!(settled.headers["x-codex-turn-state"], "t");
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_request_and_costs_no_account() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let gateway = RunningGateway::start(&env);
    for row in ["hang_after_headers", "hang_after_preamble", "hang_after_output"] {
        env.sim().set_behaviour("ada", Behaviour::row(row).expect("a row"));
        for streams in [true, false] {
            let body = prompt("Hello", streams).to_string();
            let asked = gateway.post("/v1/responses", body).timeout(Duration::from_millis(300));
            let answered = asked.send().await;
            drop(answered);
            eventually("upstream sees the end of it", async || {
                env.sim().log().iter().all(|logged| logged.end == RequestEnd::Aborted)
            })
            .await;
        }
    }
    assert_eq!(env.sim().posts("ada"), 6);
    let account = &Answer::of(gateway.get("/v1/usage")).await.json()["accounts"][0];
    assert_eq!((&account["state"], &account["reason"]), (&json!("ready"), &Value::Null));
    let usage = Answer::of(gateway.get("/v1/usage")).await.json();
    assert_eq!(usage["accounts"][0].get("backoffUntil"), None);
}

#[tokio::test]
async fn after_output_upstreams_own_word_ends_the_answer_and_silence_cuts_it() {
    let env = two_accounts();
    let gateway = RunningGateway::start(&env);
    let both = |row: &str| {
        for name in ["ada", "bob"] {
            env.sim().set_behaviour(name, Behaviour::row(row).expect("a row"));
        }
    };
    both("stream_server_error_after_output");
    let said = Answer::of(gateway.stream("Hello")).await;
    let last: Value = serde_json::from_str(said.events().last().expect("events")).expect("JSON");
    assert_eq!((said.status.as_u16(), &last["type"]), (200, &json!("response.failed")));
    for row in ["cut_after_output", "reset_after_output", "no_terminal"] {
        both(row);
        let before = env.sim().log().len();
        let mut response = gateway.stream("Hello").send().await.expect("an answer");
        let mut text = Vec::new();
        let cut = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => text.extend_from_slice(&chunk),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        assert!(cut, "{row}: the client must see that the answer is not whole");
        let said = events(&String::from_utf8(text).expect("text"));
        assert!(said.iter().all(|event| !event.contains("response.failed")), "{row}: {said:?}");
        assert!(said.len() >= 3, "{row}: {said:?}");
        assert_eq!(env.sim().log().len(), before + 1, "{row}: nothing is replayed");
    }
}
