//! The history with several sidecars, a held lock, and its content.

use std::fs;
use std::time::Duration;

use multicodex::protocol::{AttemptOutcome, CompleteParams, History, HistoryAnswer, HistoryParams};
use multicodex::sim::SimAccount;
use multicodex::store::LockGuard;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::env::{Sidecar, TestEnv};

pub fn order(text: &str, session: &str) -> CompleteParams {
    let request: Box<RawValue> = to_raw_value(&json!({"model": "gpt-6.1-sol", "input": text})).expect("JSON");
    CompleteParams {
        request,
        session_id: Some(session.to_owned()),
        account: None,
        headers: None,
        deadline_ms: None,
        idle_timeout_ms: None,
        transport: None,
        allow_reserve: None,
    }
}

/// One completion until its end.
pub async fn complete(sidecar: &Sidecar, params: &CompleteParams) {
    let mut notices = sidecar.client.complete(params).await.expect("an id");
    loop {
        let notice = notices.next().await.expect("a notice").expect("JSON");
        let notice: Value = serde_json::from_str(notice.get()).expect("JSON");
        match notice["type"].as_str() {
            Some("done") => return,
            Some("accepted" | "event") => {}
            _ => panic!("{notice}"),
        }
    }
}

async fn history(sidecar: &Sidecar) -> HistoryAnswer {
    sidecar.client.request::<History>(&HistoryParams::default()).await.expect("a history")
}

#[tokio::test]
async fn a_completion_does_not_wait_for_the_history() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let sidecar = env.sidecar().await;
    fs::create_dir_all(env.state_dir()).expect("made");
    let lock = env.state_dir().join("history.jsonl.lock");
    let held = LockGuard::acquire(&lock, Duration::from_secs(20)).expect("free");
    for _ in 0..5 {
        complete(&sidecar, &order("Hello", "s")).await;
    }
    assert!(!env.state_dir().join("history.jsonl").exists());
    drop(held);
    let seen = history(&sidecar).await;
    assert_eq!(seen.attempts.len(), 5);
    assert!(seen.attempts.iter().all(|attempt| attempt.outcome == AttemptOutcome::Completed));
}

#[tokio::test]
async fn eight_sidecars_write_one_history_and_nothing_private_into_it() {
    let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
    let mut sidecars = Vec::new();
    for _ in 0..8 {
        sidecars.push(env.sidecar().await);
    }
    let params = order("a secret question", "a-private-session");
    let asked = sidecars.iter().map(|sidecar| async {
        for _ in 0..5 {
            complete(sidecar, &params).await;
        }
    });
    futures_util::future::join_all(asked).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    let seen = loop {
        let seen = history(&sidecars[0]).await;
        if seen.attempts.len() == 40 || Instant::now() > deadline {
            break seen;
        }
        sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(seen.attempts.len(), 40);
    let attempts: u64 = seen.accounts.iter().map(|of| of.tally.attempts).sum();
    let input: u64 = seen.accounts.iter().map(|of| of.tally.tokens.input).sum();
    assert_eq!(attempts, 40);
    assert!(input > 0);
    let text = fs::read_to_string(env.state_dir().join("history.jsonl")).expect("it is there");
    assert_eq!(text.lines().count(), 40);
    for private in ["secret", "private", "eyJ", "rt_sim_", "example.com"] {
        assert!(!text.contains(private), "{private}");
    }
}

#[tokio::test]
async fn a_sidecar_that_ends_writes_down_what_it_was_told_last() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let sidecar = env.sidecar().await;
    complete(&sidecar, &order("Hello", "s")).await;
    sidecar.end().await;
    let text = fs::read_to_string(env.state_dir().join("history.jsonl")).expect("it is there");
    assert_eq!(text.lines().count(), 1);
}
