//! Completions that no account can answer, in HTTP.

use multicodex::sim::{Behaviour, Rule, SimAccount};
use serde_json::{Value, json};

use super::running::{Answer, RunningGateway, prompt, two_accounts};
use crate::env::TestEnv;

#[tokio::test]
async fn one_account_at_its_limit_is_not_noticed() {
    let env = two_accounts();
    let gateway = RunningGateway::start(&env);
    // For the account that is asked first.
    env.sim().add_rule(Rule::next(1, Behaviour::usage_limit()));
    for streams in [true, false] {
        for _ in 0..2 {
            let body = prompt("Hello", streams).to_string();
            assert_eq!(Answer::of(gateway.post("/v1/responses", body)).await.status, 200);
        }
    }
    let mut posts = [env.sim().posts("ada"), env.sim().posts("bob")];
    posts.sort_unstable();
    assert_eq!(posts, [1, 4]);
}

#[tokio::test]
async fn all_at_their_limit_is_a_429_that_says_until_when() {
    let env = two_accounts();
    let gateway = RunningGateway::start(&env);
    env.sim().add_rule(Rule::always(Behaviour::usage_limit_for(7200)).of("ada"));
    env.sim().add_rule(Rule::always(Behaviour::usage_limit_for(3600)).of("bob"));
    let now = u64::try_from(multicodex::clock::now().millis() / 1000).expect("after 1970");
    for streams in [true, false, true] {
        let answer = Answer::of(gateway.post("/v1/responses", prompt("Hello", streams).to_string())).await;
        assert_eq!(answer.status, 429);
        let error = answer.error();
        assert_eq!(error["type"], "usage_limit_reached");
        let seconds = error["resets_in_seconds"].as_u64().expect("a number");
        assert!((3500..=3601).contains(&seconds), "{error}");
        let at = error["resets_at"].as_u64().expect("a number");
        assert!((now + 3599..now + 3700).contains(&at), "{error}");
        assert_eq!(answer.header("retry-after"), Some(seconds.to_string().as_str()));
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        // Otherwise pi asks again.
        assert!(error["message"].as_str().expect("text").contains("quota exceeded"), "{error}");
        // Otherwise Codex suggests an upgrade.
        assert_eq!(error.get("plan_type"), None);
    }
    assert_eq!((env.sim().posts("ada"), env.sim().posts("bob")), (1, 1));
}

#[tokio::test]
async fn a_login_that_is_needed_is_a_400_that_says_what_to_do() {
    let env = TestEnv::new([]);
    let gateway = RunningGateway::start(&env);
    let answer = Answer::of(gateway.stream("Hello")).await;
    assert_eq!((answer.status.as_u16(), answer.header("x-should-retry")), (400, Some("false")));
    assert_eq!(answer.error()["code"], "no_available_account");
    assert_eq!(answer.error()["message"], "there are no accounts yet; add one with `login`");
    drop(gateway);

    let env = two_accounts();
    let gateway = RunningGateway::start(&env);
    for name in ["ada", "bob"] {
        env.sim().set_behaviour(name, Behaviour::row("token_invalidated").expect("a row"));
    }
    for _ in 0..2 {
        let answer = Answer::of(gateway.stream("Hello")).await;
        assert_eq!(answer.status, 400, "never 401: {}", answer.text);
        assert_eq!(answer.error()["code"], "login_required");
        assert!(answer.error()["message"].as_str().expect("text").contains("log one of them in again"));
    }
}

#[tokio::test]
async fn a_refused_request_keeps_upstreams_status_and_words() {
    let env = two_accounts();
    let gateway = RunningGateway::start(&env);
    for (row, status, code) in [
        ("context_length", 400, "context_length_exceeded"),
        ("too_large", 413, "context_too_large"),
        ("policy", 400, "cyber_policy"),
        ("previous_response_not_found", 400, "previous_response_not_found"),
        ("invalid_encrypted_content", 400, "invalid_encrypted_content"),
    ] {
        env.sim().reset();
        for name in ["ada", "bob"] {
            env.sim().set_behaviour(name, Behaviour::row(row).expect("a row"));
        }
        for streams in [true, false] {
            let body = prompt("Hello", streams).to_string();
            let answer = Answer::of(gateway.post("/v1/responses", body)).await;
            assert_eq!(answer.status, status, "{row}");
            let Some(Behaviour::Answer(said)) = Behaviour::row(row) else { panic!("{row} is an answer") };
            assert_eq!((answer.json(), &answer.error()["code"]), (said.body, &json!(code)), "{row}");
        }
        assert_eq!(env.sim().posts("ada") + env.sim().posts("bob"), 2, "{row}: no other account is asked");
    }
}

#[tokio::test]
async fn an_event_that_refuses_a_request_is_the_clients_to_see() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let gateway = RunningGateway::start(&env);
    env.sim().set_behaviour("ada", Behaviour::row("stream_context_length").expect("a row"));
    let streamed = Answer::of(gateway.stream("Hello")).await;
    let said = streamed.events();
    let event: Value = serde_json::from_str(&said[0]).expect("JSON");
    assert_eq!((streamed.status.as_u16(), said.len()), (200, 1));
    assert_eq!(event["response"]["error"]["code"], "context_length_exceeded");
    let whole = Answer::of(gateway.post("/v1/responses", prompt("Hello", false).to_string())).await;
    assert_eq!((whole.status.as_u16(), &whole.error()["code"]), (400, &json!("context_length_exceeded")));
}

#[tokio::test]
async fn no_trouble_upstream_is_a_401_or_a_503() {
    // Clients repeat the request a dozen times after either, and a 401 would mean that the gateway's key is wrong.
    let rows = multicodex::sim::ROWS.iter().map(|row| row.name);
    let hangs = |name: &&str| name.contains("hang") || name.contains("comments") || name.contains("silen");
    for row in rows.filter(|name| !hangs(name)) {
        let Some(behaviour @ (Behaviour::Answer(_) | Behaviour::Cut | Behaviour::Reset)) =
            Behaviour::row(row)
        else {
            continue;
        };
        let env = TestEnv::new([SimAccount::named("ada")]);
        let gateway = RunningGateway::start(&env);
        env.sim().set_behaviour("ada", behaviour);
        for streams in [true, false] {
            let body = prompt("Hello", streams).to_string();
            let answer = Answer::of(gateway.post("/v1/responses", body)).await;
            assert!(![401, 407, 503].contains(&answer.status.as_u16()), "{row}: {}", answer.text);
            assert!(
                answer.status.as_u16() == 200 || answer.status.as_u16() >= 400,
                "{row}: {}",
                answer.status
            );
            assert!(!answer.text.trim_start().starts_with('<'), "{row}: no page: {}", answer.text);
        }
    }
}
