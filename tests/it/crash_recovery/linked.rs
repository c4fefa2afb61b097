//! SIGKILL around the refresh of the token that pi shares: before it is sent, after, between the two files, and at any
//! moment. What the dead sidecar leaves behind, including pi's lock, blocks others only for a limited time.

use std::fs;
use std::time::Duration;

use multicodex::protocol::AccountState;
use multicodex::sim::{Behaviour, Route, Rule, SimAccount};
use multicodex::store::LockGuard;
use serde_json::{Value, json};

use super::{Kills, wait_for_the_end};
use crate::env::{Sidecar, TestEnv, email, eventually, expired};

/// Bob in the accounts file, and pi logged in as ada, whose token is slow to refresh and has expired.
async fn with_pi(ada: SimAccount, renewed_after_ms: u64) -> TestEnv {
    let env = TestEnv::new([SimAccount::named("bob")]);
    env.log_pi_in(&env.sim().add_account(ada));
    let slow = Rule::always(Behaviour::Normal).on(Route::Token).delayed(renewed_after_ms);
    env.sim().add_rule(slow);
    env
}

/// Lets the sidecar refresh ada's token, and kills it when `when` returns.
async fn kill(env: &TestEnv, sidecar: Sidecar, when: impl Future<Output = ()>) {
    tokio::select! {
        answer = sidecar.token("ada") => panic!("the kill came too late: {answer:?}"),
        () = when => {}
    }
    drop(sidecar);
    age_lock(env);
}

/// Makes pi's lock, if the dead process left it, old enough to be stale.
fn age_lock(env: &TestEnv) {
    let lock = env.auth_file().with_file_name("auth.json.lock");
    #[expect(clippy::disallowed_methods, reason = "a time on disk, which another program reads")]
    let then = std::time::SystemTime::now() - Duration::from_secs(31);
    if let Ok(lock) = fs::File::open(lock) {
        lock.set_times(fs::FileTimes::new().set_modified(then)).expect("the time of a directory can be set");
    }
}

fn own(env: &TestEnv) -> Value {
    env.read_accounts()["accounts"][1].clone()
}

#[track_caller]
fn check_files(env: &TestEnv, round: &str) {
    let (accounts, pi) = (env.read_accounts(), env.file_of_pi());
    let labels: Vec<_> =
        accounts["accounts"].as_array().expect("a list").iter().map(|a| &a["email"]).collect();
    assert_eq!(labels, [&json!(email("bob")), &json!(email("ada"))], "{round}");
    assert_eq!(accounts["accounts"][1]["importSource"], "pi-openai-codex", "{round}");
    assert_eq!((&pi["anthropic"]["key"], &pi["openai-codex"]["unknown"]), (&json!("kept"), &json!([1.5])));
    assert_eq!(env.sim().reused(), 0, "{round}");
}

#[tokio::test]
async fn killed_before_it_is_sent_the_token_is_as_good_as_before() {
    let env = with_pi(expired("ada"), 0).await;
    let sidecar = env.sidecar().await;
    let lane = LockGuard::acquire(&env.guard_dir().join("redeem.lock"), Duration::ZERO).expect("free");
    let lock = env.auth_file().with_file_name("auth.json.lock");
    kill(&env, sidecar, eventually("pi's lock is held", async || lock.exists())).await;
    drop(lane);
    check_files(&env, "killed");
    assert_eq!(env.sim().refreshes("ada"), 0);
    let sidecar = env.sidecar().await;
    let token = sidecar.token("ada").await.expect("nothing is lost").access_token;
    assert_eq!((env.login_of_pi()["access"].clone(), env.sim().refreshes("ada")), (json!(token), 1));
    check_files(&env, "renewed");
    sidecar.end().await;
}

#[tokio::test]
async fn killed_before_the_answer_it_is_told_and_a_login_of_pi_puts_it_right() {
    let env = with_pi(expired("ada"), 60_000).await;
    let sidecar = env.sidecar().await;
    kill(&env, sidecar, eventually("the token is sent", async || env.sim().refreshes("ada") == 1)).await;
    wait_for_the_end(&env);
    check_files(&env, "killed");
    let sidecar = env.sidecar().await;
    let ada = sidecar.account("ada").await;
    assert_eq!(ada.reason.expect("it is told").kind, "outcome_unknown");
    let refused = sidecar.token("ada").await.expect_err("it may be consumed");
    assert_eq!(
        (refused.data["retryable"].clone(), env.sim().refreshes("ada")),
        (json!(false), 1),
        "{refused:?}"
    );
    env.log_pi_in(&env.sim().sign_in("ada").expect("known"));
    eventually("the new login is here", async || sidecar.account("ada").await.reason.is_none()).await;
    let token = sidecar.token("ada").await.expect("a good one").access_token;
    assert_eq!((env.login_of_pi()["access"].clone(), env.sim().refreshes("ada")), (json!(token), 1));
    check_files(&env, "logged in");
    sidecar.end().await;
}

#[tokio::test]
async fn killed_between_the_two_files_the_other_one_follows() {
    let env = with_pi(expired("ada"), 500).await;
    let sidecar = env.sidecar().await;
    let old = env.login_of_pi();
    let mut lock = None;
    let between = async {
        eventually("the token is sent", async || env.sim().refreshes("ada") == 1).await;
        let path = env.guard_dir().join("accounts.lock");
        lock = Some(LockGuard::acquire(&path, Duration::from_secs(5)).expect("it comes round"));
        eventually("pi has it", async || env.login_of_pi()["access"] != old["access"]).await;
    };
    kill(&env, sidecar, between).await;
    wait_for_the_end(&env);
    drop(lock);
    assert_eq!(own(&env)["accessToken"], old["access"], "it was killed between the two");
    check_files(&env, "killed");
    let sidecar = env.sidecar().await;
    let ada = sidecar.account("ada").await;
    assert_eq!((ada.state, ada.reason), (AccountState::Ready, None));
    assert_eq!(own(&env)["refreshToken"], env.login_of_pi()["refresh"]);
    let token = sidecar.token("ada").await.expect("it is as good as new").access_token;
    assert_eq!((env.login_of_pi()["access"].clone(), env.sim().refreshes("ada")), (json!(token), 1));
    check_files(&env, "merged");
    sidecar.end().await;
}

#[tokio::test]
async fn killed_at_any_moment_no_token_is_burned_and_both_files_stay_whole() {
    // A token that is refreshed before every use, so that every request refreshes.
    let env = with_pi(SimAccount { expires_in: 1, ..SimAccount::named("ada") }, 4).await;
    let (mut kills, mut told) = (Kills::new(), 0);
    while kills.go_on(env.sim().refreshes("ada"), told) {
        let round = kills.rounds;
        let sidecar = env.sidecar().await;
        age_lock(&env);
        let ada = sidecar.account("ada").await;
        assert_eq!((ada.state, ada.linked), (AccountState::Ready, true), "round {round}: {ada:?}");
        if ada.reason.is_some_and(|reason| reason.kind == "outcome_unknown") {
            told += 1;
            // What the user would do about it.
            env.log_pi_in(&env.sim().sign_in("ada").expect("known"));
        }
        kills
            .at_any_moment(async {
                // The first one may find a new login of pi. Nothing is forced, because that may send a token whose
                // outcome is unknown.
                let _ = sidecar.token("ada").await;
                sidecar.token("ada").await
            })
            .await;
        drop(sidecar);
        wait_for_the_end(&env);
        check_files(&env, &format!("round {round}"));
    }
    let sidecar = env.sidecar().await;
    age_lock(&env);
    let unknown = sidecar.account("ada").await.reason.is_some_and(|reason| reason.kind == "outcome_unknown");
    let token = sidecar.token("ada").await;
    assert!(unknown || token.is_ok(), "{token:?}");
    assert_eq!(env.sim().reused(), 0);
}
