//! The result of each way to lose a socket, or to get none.

use multicodex::protocol::{
    NotContinued, Reset, ResetParams, ResetScope, RotationChange, SetRotation, Strategy, Transport,
    TransportUsed,
};
use multicodex::sim::{After, Answer, Behaviour, FaultKind, Route, Rule, SimAccount, StreamPlan};
use serde_json::{Value, json};

use super::Chat;
use super::chat::{turns, ways};
use crate::env::{Sidecar, TestEnv};

fn row(name: &str) -> Behaviour {
    Behaviour::row(name).unwrap_or_else(|| panic!("there is no row {name}"))
}

async fn two_accounts() -> (TestEnv, Sidecar, String) {
    let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
    let sidecar = env.sidecar().await;
    let ada = sidecar.account("ada").await.id;
    (env, sidecar, ada)
}

/// A session whose first turn `ada` answered.
async fn begun(env: &TestEnv, sidecar: &Sidecar, ada: &str) -> Chat {
    let mut chat = Chat::new("s");
    chat.account = Some(ada.to_owned());
    let end = chat.turn(sidecar).await.expect("an answer");
    assert_eq!((end.account.as_str(), end.transport), (ada, TransportUsed::WebSocket));
    chat.account = None;
    env.sim().reset();
    chat
}

/// A complete refusal of the upgrade means the same as over HTTP: another account takes over.
#[tokio::test]
async fn refused_upgrades_mean_what_the_http_answer_means() {
    for (name, reason) in [
        ("usage_limit", Some("usage_limit")),
        ("account_deactivated", Some("deactivated")),
        ("deactivated_workspace", Some("deactivated")),
        // Of this model only.
        ("workspace_denied", None),
        ("server_error", Some("server_error")),
        ("overloaded", Some("overloaded")),
    ] {
        let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
        let sidecar = env.sidecar().await;
        // The session "t" begins with the account that "s" has, as it does not when accounts take turns.
        let change = RotationChange { strategy: Some(Strategy::ResetFirst), ..RotationChange::default() };
        sidecar.client.request::<SetRotation>(&change).await.expect("set");
        let mut chat = Chat::new("s");
        let first = chat.turn(&sidecar).await.expect("an answer").account;
        let accounts = sidecar.accounts().await;
        let name_of = |id: &str| {
            let account = accounts.iter().find(|account| account.id == id).expect("it is there");
            account.label.split('@').next().expect("a name").to_owned()
        };
        let first = name_of(&first);
        env.sim().add_rule(Rule::always(row(name)).of(&first).on(Route::Socket));
        let mut other = Chat::new("t");
        other.account = None;
        let answer = other.turn(&sidecar).await.expect("another account answers");
        assert_ne!(name_of(&answer.account), first, "{name}");
        assert_eq!((answer.attempts, answer.transport), (2, TransportUsed::WebSocket), "{name}");
        assert_eq!(env.sim().requests(&first, Route::Socket), 2, "{name}: one for each session");
        let known = sidecar.account(&first).await.reason.map(|reason| reason.kind);
        assert_eq!(known.as_deref(), reason, "{name}");
        sidecar.end().await;
    }
}

#[tokio::test]
async fn what_breaks_upgrades_leads_to_sse_at_once_and_for_a_while() {
    let page = |status: u16| Behaviour::Answer(Answer::json(status, json!("<html>no</html>")));
    let json = |status: u16| Behaviour::Answer(Answer::json(status, json!({ "detail": "no" })));
    for (what, behaviour) in [
        ("404", json(404)),
        ("405", json(405)),
        ("426", json(426)),
        ("400", json(400)),
        ("200", json(200)),
        ("302", row("redirect")),
        ("a page with 502", page(502)),
        ("cut", Behaviour::Cut),
        ("reset", Behaviour::Reset),
    ] {
        let env = TestEnv::new([SimAccount::named("ada")]);
        let sidecar = env.sidecar().await;
        env.sim().add_rule(Rule::always(behaviour).on(Route::Socket));
        let mut chat = Chat::new("s");
        for turn in 1..=2 {
            let end = chat.turn(&sidecar).await.expect("an answer");
            assert_eq!((end.attempts, end.transport), (1, TransportUsed::Sse), "{what}, turn {turn}");
        }
        assert_eq!(
            env.sim().requests("ada", Route::Socket),
            1,
            "{what}: tried once, and not again for a while"
        );
        chat.transport = Some(Transport::WebSocket);
        let refused = chat.turn(&sidecar).await.expect_err("nothing else will do");
        assert_eq!(refused.data["cause"], "network", "{what}");
        assert_eq!(env.sim().requests("ada", Route::Socket), 2, "{what}: asked for by name it is tried");
        assert_eq!(sidecar.account("ada").await.reason, None, "{what}: no account is at fault");
        sidecar.end().await;
    }
}

#[tokio::test]
async fn an_upstream_that_is_away_says_nothing_about_websockets() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let sidecar = env.sidecar().await;
    env.sim().add_rule(Rule::next(1, Behaviour::Cut).on(Route::Socket));
    env.sim().add_rule(Rule::next(2, Behaviour::Cut).on(Route::Responses));
    let mut chat = Chat::new("s");
    chat.turn(&sidecar).await.expect_err("upstream is away");
    env.sim().reset();
    reset(&sidecar).await;
    let end = chat.turn(&sidecar).await.expect("an answer");
    assert_eq!(end.transport, TransportUsed::WebSocket);
    sidecar.end().await;
}

#[tokio::test]
async fn an_unknown_previous_response_is_sent_whole_once_and_unseen() {
    let (env, sidecar, ada) = two_accounts().await;
    let mut chat = begun(&env, &sidecar, &ada).await;
    env.sim().add_rule(Rule::next(1, row("previous_response_not_found")).of("ada"));
    let end = chat.turn(&sidecar).await.expect("an answer");
    assert_eq!(
        (end.account.as_str(), end.attempts, end.continued, end.not_continued),
        (ada.as_str(), 1, false, Some(NotContinued::Refused))
    );
    assert_eq!(ways(env.sim()), [Some((1, true)), Some((2, false))]);
    let end = chat.turn(&sidecar).await.expect("an answer");
    assert!(end.continued);

    // The second time in one completion it counts as upstream's answer.
    env.sim().reset();
    env.sim().add_rule(Rule::next(2, row("previous_response_not_found")).of("ada"));
    let refused = chat.turn(&sidecar).await.expect_err("upstream's word");
    assert_eq!(refused.data["code"], "previous_response_not_found");
    let body: Value = serde_json::from_str(refused.data["body"].as_str().expect("a body")).expect("JSON");
    assert_eq!(body["error"]["code"], "previous_response_not_found");
    assert_eq!(body.as_object().map(|body| body.len()), Some(1), "the answer inside the frame: {body}");
    sidecar.end().await;
}

#[tokio::test]
async fn sockets_at_their_limit_are_replaced_once_and_then_sse_is_used() {
    for (name, route) in
        [("websocket_connection_limit", Route::Responses), ("websocket_policy", Route::Socket)]
    {
        let env = TestEnv::new([SimAccount::named("ada")]);
        let sidecar = env.sidecar().await;
        env.sim().add_rule(Rule::next(1, row(name)).on(route));
        let mut chat = Chat::new("s");
        let end = chat.turn(&sidecar).await.expect("an answer");
        assert_eq!((end.attempts, end.transport), (1, TransportUsed::WebSocket), "{name}");
        assert_eq!(end.not_continued, Some(NotContinued::Refused), "{name}");
        let mut chat = Chat::new("t");
        env.sim().add_rule(Rule::next(2, row(name)).on(route));
        let end = chat.turn(&sidecar).await.expect("an answer");
        assert_eq!((end.attempts, end.transport), (1, TransportUsed::Sse), "{name}");
        assert_eq!(sidecar.account("ada").await.reason, None, "{name}");
        sidecar.end().await;
    }
}

#[tokio::test]
async fn frames_that_upstream_finds_too_large_go_by_sse() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let sidecar = env.sidecar().await;
    env.sim().add_rule(Rule::nth(1, row("websocket_too_big")));
    let mut chat = Chat::new("s");
    let end = chat.turn(&sidecar).await.expect("an answer");
    assert_eq!((end.attempts, end.transport), (1, TransportUsed::Sse));
    let end = chat.turn(&sidecar).await.expect("an answer");
    assert_eq!(end.transport, TransportUsed::WebSocket);
    env.sim().reset();
    env.sim().add_rule(Rule::nth(1, row("websocket_too_big")));
    chat.transport = Some(Transport::WebSocket);
    let refused = chat.turn(&sidecar).await.expect_err("nothing else will do");
    assert_eq!(refused.data["cause"], "request_rejected");
    assert_eq!(sidecar.account("ada").await.reason, None);

    // A request that is known to be too large is not tried.
    env.sim().reset();
    chat.body["input"][0]["content"][0]["text"] = "x".repeat(15 << 20).into();
    let refused = chat.turn(&sidecar).await.expect_err("nothing else will do");
    assert_eq!(refused.data["cause"], "request_rejected");
    assert_eq!(ways(env.sim()), []);
    chat.transport = Some(Transport::Auto);
    let end = chat.turn(&sidecar).await.expect("an answer");
    assert_eq!(end.transport, TransportUsed::Sse);
    sidecar.end().await;
}

#[tokio::test]
async fn fresh_sockets_lost_before_output_fail_their_attempt() {
    for name in ["websocket_error", "websocket_restart", "cut_after_preamble", "cut", "reset"] {
        let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
        let sidecar = env.sidecar().await;
        let behaviour = match name {
            "cut" => Behaviour::Cut,
            "reset" => Behaviour::Reset,
            name => row(name),
        };
        env.sim().add_rule(Rule::next(1, behaviour));
        let mut chat = Chat::new("s");
        let end = chat.turn(&sidecar).await.expect("an answer");
        assert_eq!((end.attempts, end.transport), (2, TransportUsed::WebSocket), "{name}");
        let seen: Vec<_> = turns(env.sim()).iter().filter_map(|turn| turn.account.clone()).collect();
        assert!(seen.len() == 2 && seen[0] != seen[1], "{name}: {seen:?}");
        sidecar.end().await;
    }
}

#[tokio::test]
async fn reused_sockets_lost_before_output_are_replaced_on_the_same_account() {
    for name in
        ["websocket_error", "websocket_restart", "websocket_policy", "cut_after_preamble", "cut", "reset"]
    {
        let (env, sidecar, ada) = two_accounts().await;
        let mut chat = begun(&env, &sidecar, &ada).await;
        let behaviour = match name {
            "cut" => Behaviour::Cut,
            "reset" => Behaviour::Reset,
            name => row(name),
        };
        env.sim().add_rule(Rule::next(1, behaviour).of("ada"));
        let end = chat.turn(&sidecar).await.expect("an answer");
        assert_eq!(
            (end.account.as_str(), end.attempts, end.continued, end.not_continued),
            (ada.as_str(), 1, false, Some(NotContinued::NewSocket)),
            "{name}"
        );
        assert_eq!(ways(env.sim()), [Some((1, true)), Some((2, false))], "{name}");
        sidecar.end().await;
    }
}

#[tokio::test]
async fn sockets_lost_after_output_end_the_completion_and_nothing_is_replayed() {
    for name in ["websocket_error_after_output", "cut_after_output", "reset_after_output", "no_terminal"] {
        let (env, sidecar, ada) = two_accounts().await;
        let mut chat = begun(&env, &sidecar, &ada).await;
        env.sim().add_rule(Rule::next(1, row(name)).of("ada"));
        let failed = chat.turn(&sidecar).await.expect_err("it broke off");
        assert_eq!(failed.data["cause"], "stream_interrupted", "{name}");
        assert_eq!(turns(env.sim()).len(), 1, "{name}");
        let end = chat.turn(&sidecar).await.expect("an answer");
        assert_eq!((end.account.as_str(), end.continued), (ada.as_str(), false), "{name}");
        assert_eq!(end.not_continued, Some(NotContinued::NewSocket), "{name}");
        sidecar.end().await;
    }
}

#[tokio::test]
async fn late_events_of_one_turn_never_reach_the_next() {
    let (env, sidecar, ada) = two_accounts().await;
    let mut chat = begun(&env, &sidecar, &ada).await;
    let late = r#"{"type":"response.output_text.delta","output_index":0,"delta":"STALE"}"#;
    let plan = StreamPlan::default().with_fault(After::Terminal, FaultKind::Insert(late.to_owned()));
    env.sim().add_rule(Rule::next(1, Behaviour::Stream(plan)).of("ada"));
    chat.turn(&sidecar).await.expect("an answer");
    let end = chat.turn(&sidecar).await.expect("an answer");
    assert!(!end.response.get().contains("STALE"), "{}", end.response.get());
    assert_eq!((end.account.as_str(), end.attempts), (ada.as_str(), 1));
    sidecar.end().await;
}

#[tokio::test]
async fn ends_other_than_completed_close_the_socket() {
    for name in ["incomplete", "stream_server_error_after_output"] {
        let (env, sidecar, ada) = two_accounts().await;
        let mut chat = begun(&env, &sidecar, &ada).await;
        env.sim().add_rule(Rule::next(1, row(name)).of("ada"));
        let _ = chat.turn(&sidecar).await;
        reset(&sidecar).await;
        chat.account = Some(ada);
        let end = chat.turn(&sidecar).await.expect("an answer");
        assert_eq!((end.continued, end.not_continued), (false, Some(NotContinued::NewSocket)), "{name}");
        sidecar.end().await;
    }
}

#[tokio::test]
async fn items_that_never_end_close_the_socket() {
    let (env, sidecar, ada) = two_accounts().await;
    let mut chat = begun(&env, &sidecar, &ada).await;
    let events = [
        json!({ "type": "response.created", "response": { "id": "r" } }),
        json!({ "type": "response.output_item.added", "output_index": 0, "item": { "type": "message" } }),
        json!({ "type": "response.completed", "response": { "id": "r", "status": "completed", "output": [] } }),
    ];
    let spoken = multicodex::sim::Spoken::Events(events.iter().map(Value::to_string).collect());
    let plan = StreamPlan { spoken, ..StreamPlan::default() };
    env.sim().add_rule(Rule::next(1, Behaviour::Stream(plan)).of("ada"));
    let end = chat.turn(&sidecar).await.expect("an answer");
    assert!(end.continued);
    let end = chat.turn(&sidecar).await.expect("an answer");
    assert_eq!((end.continued, end.not_continued), (false, Some(NotContinued::NewSocket)));
    sidecar.end().await;
}

/// Clears every back-off.
async fn reset(sidecar: &Sidecar) {
    let params = ResetParams { scope: ResetScope::All };
    sidecar.client.request::<Reset>(&params).await.expect("an answer");
}
