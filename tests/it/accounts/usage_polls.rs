//! Usage that real sidecars read without a request, side by side, at shortened intervals.

use std::time::Duration;

use multicodex::protocol::{AccountState, UsageSource, Warning, WarningKind};
use multicodex::sim::{Behaviour, Route, Rule, SimAccount};
use serde_json::Value;
use tokio::time::Instant;

use crate::env::{Sidecar, TestEnv, eventually};

const NAMES: [&str; 3] = ["ada", "bob", "cleo"];

async fn polling(env: &TestEnv, interval: Duration) -> Sidecar {
    let mut command = env.async_command(&["serve"]);
    command.env("MULTICODEX_TEST_USAGE_INTERVAL_MS", interval.as_millis().to_string());
    Sidecar::start(command).await
}

/// Runs a completion. Returns the id of the account that served it.
async fn complete(sidecar: &Sidecar) -> String {
    let params =
        serde_json::from_str(r#"{"request": {"model": "gpt-6.1-sol", "input": []}}"#).expect("params");
    let mut notices = sidecar.client.complete(&params).await.expect("a subscription");
    loop {
        let notice = notices.next().await.expect("a notice").expect("it reads");
        let notice: Value = serde_json::from_str(notice.get()).expect("JSON");
        assert_ne!(notice["type"], "error", "{notice}");
        if notice["type"] == "done" {
            return notice["account"].as_str().expect("an id").to_owned();
        }
    }
}

fn asked(env: &TestEnv, name: &str) -> usize {
    env.sim().requests(name, Route::Usage)
}

#[tokio::test]
async fn eight_sidecars_ask_no_more_often_than_one_may() {
    let interval = Duration::from_secs(3);
    let env = TestEnv::new(NAMES.map(SimAccount::named));
    let started = Instant::now();
    let mut sidecars = Vec::new();
    for _ in 0..8 {
        sidecars.push(polling(&env, interval).await);
    }
    let deadline = started + Duration::from_secs(60);
    while NAMES.iter().any(|name| asked(&env, name) < 4) {
        assert!(Instant::now() < deadline, "{:?}", NAMES.map(|name| asked(&env, name)));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let counts = NAMES.map(|name| asked(&env, name));
    // One sidecar reads at once, and then at most once in each interval; a tenth more would be allowed.
    let most = 1 + started.elapsed().as_millis() / interval.as_millis();
    for count in counts {
        assert!((count as u128) <= most, "{counts:?} requests, {most} allowed");
    }
    // Each of them shows what one of them read.
    for sidecar in &sidecars {
        eventually("all accounts are known everywhere", async || {
            sidecar.accounts().await.iter().all(|account| {
                account.usage.as_ref().is_some_and(|usage| usage.seen.source == UsageSource::UsageEndpoint)
            })
        })
        .await;
    }
    for sidecar in sidecars {
        sidecar.end().await;
    }
}

#[tokio::test]
async fn the_place_of_a_sidecar_that_was_killed_while_it_asked_is_taken() {
    let interval = Duration::from_secs(1);
    let env = TestEnv::new([SimAccount::named("ada")]);
    env.sim().add_rule(Rule::next(1, Behaviour::Hang).of("ada").on(Route::Usage));
    let first = polling(&env, interval).await;
    eventually("the first asks", async || asked(&env, "ada") == 1).await;
    let second = polling(&env, interval).await;
    drop(first);
    eventually("the second asks in its place", async || asked(&env, "ada") >= 2).await;
    eventually("and has the answer", async || second.account("ada").await.usage.is_some()).await;
    second.end().await;
}

#[tokio::test]
async fn a_cooled_account_is_probed_and_comes_back_early_without_a_completion_spent_on_it() {
    let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
    env.sim().add_rule(Rule::next(1, Behaviour::usage_limit()));
    let sidecar = polling(&env, Duration::from_secs(2)).await;
    let before = multicodex::clock::now();
    let served = complete(&sidecar).await;
    let cooled = async || {
        let accounts = sidecar.accounts().await;
        accounts.into_iter().find(|account| account.id != served).expect("the other account")
    };
    assert_eq!(cooled().await.state, AccountState::Cooling);
    let deadline = Instant::now() + Duration::from_secs(40);
    while cooled().await.state != AccountState::Ready {
        assert!(Instant::now() < deadline, "still cooling: {:?}", cooled().await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let usage = cooled().await.usage.expect("it was read");
    assert_eq!(usage.seen.source, UsageSource::UsageEndpoint);
    assert!(usage.seen.fetched_at >= before.millis() + 10_000, "read too soon after the refusal to count");
    assert_eq!(env.sim().posts("ada") + env.sim().posts("bob"), 2);
    sidecar.end().await;
}

#[tokio::test]
async fn an_endpoint_that_refuses_good_tokens_costs_one_refresh_and_marks_nobody() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let refused = Behaviour::row("token_invalidated").expect("a row");
    env.sim().add_rule(Rule::always(refused).of("ada").on(Route::Usage));
    // Pauses of 0.2, 0.4, 0.8 s.
    let sidecar = polling(&env, Duration::from_secs(1)).await;
    eventually("it is asked again and again", async || asked(&env, "ada") >= 5).await;
    assert_eq!(env.sim().refreshes("ada"), 1);
    assert_eq!(sidecar.account("ada").await.state, AccountState::Ready);
    complete(&sidecar).await;
    sidecar.end().await;
}

#[tokio::test]
async fn usage_that_cannot_be_read_is_told_once_until_it_can_and_then_anew() {
    let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
    let fail = |name: &str, times: u32| {
        let failing = Behaviour::row("server_error").expect("a row");
        env.sim().add_rule(Rule::next(times, failing).of(name).on(Route::Usage));
    };
    let sidecar = polling(&env, Duration::from_secs(1)).await;
    let mut warnings = sidecar.client.notifications("warning").await.expect("a subscription");
    fail("ada", 4);
    let ada = sidecar.account("ada").await.id;
    let mut next = async || -> Warning {
        let next = tokio::time::timeout(Duration::from_secs(30), warnings.next());
        let warning = next.await.expect("a warning").expect("the connection lives").expect("a warning");
        serde_json::from_value(warning).expect("a warning")
    };
    let warning = next().await;
    assert_eq!(
        (warning.kind, warning.account.as_deref(), warning.message.as_str()),
        (
            WarningKind::UsageUnavailable,
            Some(ada.as_str()),
            "the usage of ada@example.com cannot be read: server_error"
        )
    );
    eventually("it can be read again", async || {
        sidecar
            .account("ada")
            .await
            .usage
            .is_some_and(|usage| usage.seen.source == UsageSource::UsageEndpoint)
    })
    .await;
    // There was no warning meanwhile: the next one belongs to the next time. It is one warning for all accounts.
    fail("ada", 100);
    fail("bob", 100);
    let mut told = vec![next().await];
    while told.last().is_some_and(|warning| warning.account.is_some()) {
        told.push(next().await);
    }
    assert!(told.len() <= 2, "one account may have been the first: {told:?}");
    assert_eq!(
        told.last().map(|warning| warning.message.as_str()),
        Some("usage cannot be read: server_error")
    );
    complete(&sidecar).await;
    assert_eq!(sidecar.account("ada").await.state, AccountState::Ready);
}
