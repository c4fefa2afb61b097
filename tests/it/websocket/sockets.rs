//! Sockets between turns and beside each other, with the real binary.

use std::collections::HashMap;

use multicodex::protocol::{
    AccountParams, AccountsDisable, AccountsEnable, Collected, NotContinued, TransportUsed,
};
use multicodex::sim::{
    Behaviour, LoggedRequest, Pace, RequestEnd, Route, Rule, SimAccount, SimConfig, SimHandle, StreamPlan,
};
use serde_json::Value;

use super::Chat;
use super::chat::{turns, ways};
use crate::env::{TestEnv, eventually};

#[tokio::test]
async fn idle_sockets_answer_pings() {
    let config = SimConfig { socket_ping_ms: Some(20), ..SimConfig::default() };
    let env = TestEnv::with_config(config, [SimAccount::named("ada")]);
    let sidecar = env.sidecar().await;
    let mut chat = Chat::new("s");
    chat.turn(&sidecar).await.expect("an answer");
    // A socket that answers no ping is closed after three.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(env.sim().open_sockets(), 1);
    assert!(chat.turn(&sidecar).await.expect("an answer").continued);
    sidecar.end().await;
}

#[tokio::test]
async fn closes_between_turns_cost_nothing_but_a_whole_turn() {
    for code in [None, Some(1000), Some(1011)] {
        let env = TestEnv::new([SimAccount::named("ada")]);
        let sidecar = env.sidecar().await;
        let mut chat = Chat::new("s");
        chat.turn(&sidecar).await.expect("an answer");
        env.sim().close_sockets(code);
        eventually("the socket is closed", async || env.sim().open_sockets() == 0).await;
        let end = chat.turn(&sidecar).await.expect("an answer");
        assert_eq!((end.attempts, end.transport, end.continued), (1, TransportUsed::WebSocket, false));
        assert_eq!(end.not_continued, Some(NotContinued::NewSocket));
        sidecar.end().await;
    }
}

#[tokio::test]
async fn a_time_limit_between_turns_is_not_seen() {
    let config = SimConfig { socket_limit_ms: Some(50), ..SimConfig::default() };
    let env = TestEnv::with_config(config, [SimAccount::named("ada")]);
    let sidecar = env.sidecar().await;
    let mut chat = Chat::new("s");
    for _ in 0..3 {
        let end = chat.turn(&sidecar).await.expect("an answer");
        assert_eq!((end.attempts, end.transport), (1, TransportUsed::WebSocket));
        eventually("the socket is closed", async || env.sim().open_sockets() == 0).await;
    }
    sidecar.end().await;
}

#[tokio::test]
async fn accounts_that_leave_the_rotation_lose_their_idle_sockets() {
    let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
    let sidecar = env.sidecar().await;
    let mut chat = Chat::new("s");
    let first = chat.turn(&sidecar).await.expect("an answer").account;
    assert_eq!(env.sim().open_sockets(), 1);
    let params = AccountParams { account: first.clone() };
    sidecar.client.request::<AccountsDisable>(&params).await.expect("disabled");
    eventually("its socket is closed", async || env.sim().open_sockets() == 0).await;
    let end = chat.turn(&sidecar).await.expect("an answer");
    assert_ne!(end.account, first);
    assert_eq!(end.not_continued, Some(NotContinued::AccountChanged));
    assert!(chat.turn(&sidecar).await.expect("an answer").continued);
    sidecar.client.request::<AccountsEnable>(&params).await.expect("enabled");
    sidecar.end().await;
}

#[tokio::test]
async fn a_limit_within_a_session_moves_it_whole_to_the_next_account() {
    let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
    let sidecar = env.sidecar().await;
    let mut chat = Chat::new("s");
    let mut sent = Vec::new();
    for nth in 0..6 {
        if nth == 3 {
            env.sim().add_rule(Rule::next(1, Behaviour::usage_limit()));
        }
        sent.push(chat.body.clone());
        let end = chat.turn(&sidecar).await.expect("an answer");
        let expected = match nth {
            0 => (1, false, Some(NotContinued::FirstTurn)),
            3 => (2, false, Some(NotContinued::AccountChanged)),
            _ => (1, true, None),
        };
        assert_eq!((end.attempts, end.continued, end.not_continued), expected, "turn {nth}");
    }
    check_conversations(env.sim(), &sent);
    sidecar.end().await;
}

#[tokio::test]
async fn a_second_completion_of_a_busy_session_goes_by_sse() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let sidecar = env.sidecar().await;
    let mut chat = Chat::new("s");
    chat.turn(&sidecar).await.expect("an answer");
    let slow = StreamPlan { pace: Pace { first_ms: 400, each_ms: 0 }, ..StreamPlan::default() };
    env.sim().add_rule(Rule::next(1, Behaviour::Stream(slow)));
    let mut other = Chat::new("s");
    other.body = chat.body.clone();
    let second = async {
        eventually("the first has begun", async || turns(env.sim()).len() == 2).await;
        other.turn(&sidecar).await.expect("an answer")
    };
    let (first, second) = tokio::join!(chat.turn(&sidecar), second);
    assert!(first.expect("an answer").continued);
    assert_eq!((second.transport, second.continued), (TransportUsed::Sse, false));
    sidecar.end().await;
}

#[tokio::test]
async fn a_cancelled_turn_closes_its_socket_and_leaves_the_account_alone() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let sidecar = env.sidecar().await;
    let mut chat = Chat::new("s");
    chat.turn(&sidecar).await.expect("an answer");
    let slow = StreamPlan { pace: Pace { first_ms: 0, each_ms: 200 }, ..StreamPlan::default() };
    env.sim().add_rule(Rule::next(1, Behaviour::Stream(slow)));
    let mut running = sidecar.client.complete(&chat.params()).await.expect("it begins");
    running.next().await.expect("a notice").expect("JSON");
    running.unsubscribe().await.expect("cancelled");
    eventually("upstream sees it", async || {
        turns(env.sim()).last().is_some_and(|turn| turn.end == RequestEnd::Aborted)
    })
    .await;
    eventually("the socket is closed", async || env.sim().open_sockets() == 0).await;
    assert_eq!(sidecar.account("ada").await.reason, None);
    let end = chat.turn(&sidecar).await.expect("an answer");
    assert_eq!((end.attempts, end.not_continued), (1, Some(NotContinued::NewSocket)));
    sidecar.end().await;
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_the_socket_with_it() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let sidecar = env.sidecar().await;
    let mut chat = Chat::new("s");
    chat.turn(&sidecar).await.expect("an answer");
    env.sim().add_rule(Rule::next(1, Behaviour::row("token_expired").expect("a row")));
    let end = chat.turn(&sidecar).await.expect("an answer");
    assert_eq!((end.attempts, end.not_continued), (1, Some(NotContinued::NewSocket)));
    assert_eq!(env.sim().refreshes("ada"), 1);
    assert_eq!(ways(env.sim()), [Some((1, false)), Some((1, true)), Some((2, false))]);
    sidecar.end().await;
}

/// Sessions in parallel while their sockets are closed at any moment: every turn is answered once, and upstream has the
/// client's conversation each time.
#[tokio::test]
async fn random_closes_lose_nothing_and_repeat_nothing() {
    const SESSIONS: usize = 32;
    const TURNS: usize = 30;
    let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
    let sidecar = env.sidecar().await;
    let closing = {
        let sim = env.sim().clone();
        tokio::spawn(async move {
            let mut random = fastrand::Rng::with_seed(13);
            loop {
                tokio::time::sleep(std::time::Duration::from_millis(random.u64(100..600))).await;
                sim.close_sockets([None, Some(1000), Some(1011), Some(1012)][random.usize(0..4)]);
            }
        })
    };
    let session = async |nth: usize| {
        let mut chat = Chat::new(&format!("session {nth}"));
        let mut sent = Vec::new();
        let mut continued = 0;
        for _ in 0..TURNS {
            chat.body["metadata"] = nth.to_string().into();
            sent.push(chat.body.clone());
            let end: Collected = chat.turn(&sidecar).await.expect("every turn is answered");
            continued += usize::from(end.continued);
        }
        (nth, sent, continued)
    };
    let sessions = futures_util::future::join_all((0..SESSIONS).map(session)).await;
    closing.abort();
    let mut by_session: HashMap<String, Vec<LoggedRequest>> = HashMap::new();
    for turn in turns(env.sim()).into_iter().filter(|turn| turn.end == RequestEnd::Answered) {
        let body: Value = serde_json::from_str(&turn.body).expect("JSON");
        by_session.entry(body["metadata"].as_str().expect("a session").to_owned()).or_default().push(turn);
    }
    let mut all_continued = 0;
    for (nth, sent, continued) in sessions {
        let answered = &by_session[&nth.to_string()];
        all_continued += continued;
        let mut answered = answered.iter().map(conversation);
        for body in &sent {
            // Upstream may have answered a turn, and the answer was lost, before it was sent again.
            assert!(answered.any(|held| held == without_ids(&body["input"])), "session {nth}");
        }
    }
    assert!(all_continued > SESSIONS * TURNS / 4, "{all_continued} were continued");
    assert!(env.sim().requests("ada", Route::Socket) + env.sim().requests("bob", Route::Socket) > SESSIONS);
    sidecar.end().await;
}

/// Upstream's conversation of every answered turn is the body that the client sent.
fn check_conversations(sim: &SimHandle, sent: &[Value]) {
    let answered: Vec<_> = turns(sim).into_iter().filter(|turn| turn.status == Some(200)).collect();
    assert_eq!(answered.len(), sent.len());
    for (turn, body) in answered.iter().zip(sent) {
        assert_eq!(conversation(turn), without_ids(&body["input"]));
    }
}

fn conversation(turn: &LoggedRequest) -> Vec<Value> {
    let body: Value = serde_json::from_str(&turn.body).expect("JSON");
    without_ids(&body["input"])
}

/// Items in a comparable form, made in another way than the sidecar does.
fn without_ids(input: &Value) -> Vec<Value> {
    let mut items = input.as_array().expect("items").clone();
    for item in items.iter_mut().filter_map(Value::as_object_mut) {
        item.retain(|name, value| !["id", "status"].contains(&name.as_str()) && !value.is_null());
        let parts = item.get_mut("content").and_then(Value::as_array_mut);
        for part in parts.into_iter().flatten().filter_map(Value::as_object_mut) {
            part.retain(|name, _| !["annotations", "logprobs"].contains(&name.as_str()));
        }
    }
    items
}
