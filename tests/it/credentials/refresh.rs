//! Refreshing with the real binary: no refresh token is ever sent twice, and only a closed list of answers costs a
//! login.

use std::time::Duration;

use futures_util::future::join_all;
use multicodex::protocol::{AccountState, RefreshAnswer, Refreshed};
use multicodex::sim::{Answer, Behaviour, Break, Issue, Route, Rule, SimAccount};
use serde_json::json;

use crate::env::{Sidecar, TestEnv, email, eventually, expired, expiring};

const NAMES: [&str; 5] = ["ada", "bob", "cleo", "dan", "eve"];

fn row(name: &str) -> Behaviour {
    Behaviour::row(name).expect("a row of the simulator")
}

fn reason(account: &multicodex::protocol::Account) -> Option<&str> {
    account.reason.as_ref().map(|reason| reason.kind.as_str())
}

#[tokio::test]
async fn eight_sidecars_refresh_five_expired_tokens_five_times() {
    let spacing = Duration::from_millis(40);
    let env = TestEnv::new(NAMES.map(expired));
    let sidecars = join_all((0..8).map(|_| async {
        let mut command = env.async_command(&["serve"]);
        command.env("MULTICODEX_TEST_REDEEM_SPACING_MS", spacing.as_millis().to_string());
        Sidecar::start(command).await
    }))
    .await;
    let demands = sidecars.iter().flat_map(|sidecar| NAMES.map(|name| (sidecar, name)));
    let answers = join_all(demands.map(|(sidecar, name)| async move {
        let answer = sidecar.token(name).await.expect("a token");
        (name, answer.access_token)
    }))
    .await;
    assert_eq!(answers.len(), 40);
    let file = env.read_accounts();
    for (name, token) in answers {
        let entries = file["accounts"].as_array().expect("a list");
        let entry = entries.iter().find(|entry| entry["email"] == json!(email(name))).expect("an entry");
        assert_eq!(entry["accessToken"], json!(token), "{name}");
    }
    assert_eq!(NAMES.map(|name| env.sim().refreshes(name)), [1; 5]);
    assert_eq!(env.sim().reused(), 0);
    let sent: Vec<i64> = env
        .sim()
        .log()
        .iter()
        .filter(|entry| entry.route == Some(Route::Token))
        .map(|entry| entry.at_ms)
        .collect();
    for pair in sent.windows(2) {
        assert!(pair[1] - pair[0] >= 40, "the lane rests between refreshes: {sent:?}");
    }
}

/// What one behaviour of the token endpoint does to an account with an expired token and to one with a valid token.
async fn transient(behaviour: Behaviour, cause: &str) {
    let env = TestEnv::new([expired("ada"), expiring("bob")]);
    env.sim().add_rule(Rule::always(behaviour.clone()).on(Route::Token));
    let sidecar = env.sidecar().await;
    for _ in 0..2 {
        let refused = sidecar.token("ada").await.expect_err("no token can be had");
        assert_eq!((refused.code, refused.data["cause"].as_str()), (-32015, Some(cause)), "{behaviour:?}");
        let old = sidecar.token("bob").await.expect("the old one lives");
        assert_eq!(json!(old.access_token), env.read_accounts()["accounts"][1]["accessToken"]);
    }
    for account in sidecar.accounts().await {
        assert_eq!(account.state, AccountState::Ready, "{behaviour:?}: {account:?}");
    }
    // The second time nothing is sent: it is too early, or the outcome of the first one is unknown. After a lost answer
    // no other account's token is sent either.
    let bob = usize::from(cause != "outcome_unknown");
    assert_eq!((env.sim().refreshes("ada"), env.sim().refreshes("bob")), (1, bob), "{behaviour:?}");
    assert_eq!(env.sim().reused(), 0);
    let answer = sidecar.refresh(None, false).await;
    assert_eq!(answer.needs_login, 0, "{answer:?}");
}

#[tokio::test]
async fn no_trouble_of_the_token_endpoint_costs_a_login() {
    let html = || Answer { body: "<html>Just a moment...</html>".into(), ..Answer::json(200, json!(null)) };
    for (behaviour, cause) in [
        (Behaviour::Answer(Answer::json(500, json!({}))), "token_unavailable"),
        (Behaviour::Answer(Answer::json(429, json!({"error": "slow_down"}))), "token_unavailable"),
        (Behaviour::Answer(Answer::json(400, json!({"error": "invalid_request"}))), "token_unavailable"),
        (Behaviour::Answer(html()), "outcome_unknown"),
        (
            Behaviour::Issue(Issue {
                omit: vec!["access_token".into(), "refresh_token".into()],
                ..Issue::default()
            }),
            "outcome_unknown",
        ),
        (Behaviour::Cut, "outcome_unknown"),
        (Behaviour::Reset, "outcome_unknown"),
        (Behaviour::Lost(Break::Cut), "outcome_unknown"),
    ] {
        transient(behaviour, cause).await;
    }
}

#[tokio::test]
async fn a_token_endpoint_that_is_down_costs_no_login() {
    let env = TestEnv::new([expired("ada"), expiring("bob")]);
    let mut command = env.async_command(&["serve"]);
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|bound| bound.local_addr())
        .expect("a port")
        .port();
    command.env("MULTICODEX_AUTH_URL", format!("http://127.0.0.1:{port}"));
    let sidecar = Sidecar::start(command).await;
    let refused = sidecar.token("ada").await.expect_err("no token can be had");
    assert_eq!((refused.code, &refused.data["retryable"]), (-32015, &json!(true)));
    sidecar.token("bob").await.expect("the old one lives");
    sidecar.end().await;
    // Nothing was sent, so nothing is uncertain: another sidecar refreshes when its pause is over.
    eventually("the rest is over", async || {
        let sidecar = env.sidecar().await;
        sidecar.token("ada").await.is_ok() && sidecar.account("ada").await.reason.is_none()
    })
    .await;
    assert_eq!(env.sim().reused(), 0);
}

#[tokio::test]
async fn a_slow_token_endpoint_holds_nobody_up_whose_token_lives() {
    let env = TestEnv::new([expiring("ada")]);
    env.sim().add_rule(Rule::next(1, Behaviour::Normal).on(Route::Token).delayed(4000));
    let sidecar = env.sidecar().await;
    let started = tokio::time::Instant::now();
    let old = sidecar.token("ada").await.expect("the old one lives");
    assert!(started.elapsed() < Duration::from_millis(3500), "{:?}", started.elapsed());
    assert_eq!(json!(old.access_token), env.read_accounts()["accounts"][0]["accessToken"]);
    // The refresh goes on without its caller, and is stored.
    eventually("the new token is stored", async || {
        json!(old.access_token) != env.read_accounts()["accounts"][0]["accessToken"]
    })
    .await;
    let new = sidecar.token("ada").await.expect("a token");
    assert_ne!(old.access_token, new.access_token);
    assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (1, 0));
}

#[tokio::test]
async fn each_terminal_code_marks_exactly_its_own_account() {
    let codes = [
        ("refresh_token_expired", row("refresh_token_expired"), AccountState::NeedsLogin),
        ("refresh_token_reused", row("refresh_token_reused"), AccountState::NeedsLogin),
        ("refresh_token_invalidated", row("refresh_token_invalidated"), AccountState::NeedsLogin),
        ("invalid_grant", row("invalid_grant"), AccountState::NeedsLogin),
        ("app_session_terminated", row("app_session_terminated"), AccountState::NeedsLogin),
        ("something_new", refusal(401, "something_new"), AccountState::NeedsLogin),
        ("account_deactivated", refusal(403, "account_deactivated"), AccountState::Deactivated),
        ("account_suspended", refusal(403, "account_suspended"), AccountState::Deactivated),
        ("account_deleted", refusal(403, "account_deleted"), AccountState::Deactivated),
    ];
    let names: Vec<String> = (0..=codes.len()).map(|n| format!("user{n}")).collect();
    let env = TestEnv::new(names.iter().map(|name| expired(name)));
    for (name, (_, behaviour, _)) in names.iter().zip(&codes) {
        env.sim().add_rule(Rule::always(behaviour.clone()).of(name).on(Route::Token));
    }
    let sidecar = env.sidecar().await;
    let answer = sidecar.refresh(None, false).await;
    assert_eq!(answer.needs_login, 6);
    let other = env.sidecar().await;
    for (name, (code, _, state)) in names.iter().zip(&codes) {
        let account = sidecar.account(name).await;
        assert_eq!(account.state, *state, "{name}");
        assert!(
            account.reason.is_some_and(|reason| reason.message.contains(code) && reason.since > 0),
            "{code}"
        );
        // No sidecar tries it again, neither this one nor another.
        for sidecar in [&sidecar, &other] {
            sidecar.token(name).await.expect_err("refused for good");
            assert_eq!(sidecar.account(name).await.state, *state, "{name}");
        }
        assert_eq!(env.sim().refreshes(name), 1, "{name}");
    }
    let last = &names[codes.len()];
    assert_eq!(sidecar.account(last).await.state, AccountState::Ready);
    sidecar.token(last).await.expect("a token");
    let results: Vec<(bool, Option<String>)> = answer
        .results
        .into_iter()
        .map(|result| (result.ok, result.error.and_then(|error| error.code)))
        .collect();
    let expected = codes.iter().map(|(code, ..)| (false, Some((*code).to_owned()))).chain([(true, None)]);
    assert_eq!(results, expected.collect::<Vec<_>>());
}

fn refusal(status: u16, code: &str) -> Behaviour {
    Behaviour::Answer(Answer::json(status, json!({"error": {"code": code, "message": "m"}})))
}

#[tokio::test]
async fn a_lost_answer_is_told_and_only_the_user_tries_again() {
    let env = TestEnv::new([expired("ada")]);
    env.sim().add_rule(Rule::next(1, Behaviour::Cut).on(Route::Token));
    let first = env.sidecar().await;
    first.token("ada").await.expect_err("the answer is lost");
    assert_eq!(reason(&first.account("ada").await), Some("outcome_unknown"));
    // Neither another sidecar nor the next one tries by itself.
    drop(first);
    let next = env.sidecar().await;
    let account = next.account("ada").await;
    assert_eq!((account.state, reason(&account)), (AccountState::Ready, Some("outcome_unknown")));
    let refused = next.token("ada").await.expect_err("not sent");
    assert_eq!(refused.data["cause"], "outcome_unknown");
    assert_eq!(errors(&next.refresh(Some("ada"), false).await), ["outcome_unknown"]);
    assert_eq!(env.sim().refreshes("ada"), 1);
    assert_eq!(errors(&next.refresh(Some("ada"), true).await), Vec::<String>::new());
    assert_eq!(next.account("ada").await.reason, None);
    assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (2, 0));
}

fn errors(answer: &RefreshAnswer) -> Vec<String> {
    answer.results.iter().filter_map(|result| result.error.as_ref()?.cause.clone()).collect()
}

#[tokio::test]
async fn a_consumed_token_that_comes_back_is_not_sent() {
    let env = TestEnv::new([expired("ada")]);
    let old = env.read_accounts().to_string();
    let sidecar = env.sidecar().await;
    sidecar.token("ada").await.expect("a token");
    sidecar.end().await;
    env.replace_accounts(&old);
    let sidecar = env.sidecar().await;
    for force in [false, true] {
        assert_eq!(errors(&sidecar.refresh(Some("ada"), force).await), ["login_required"]);
    }
    assert_eq!(sidecar.account("ada").await.state, AccountState::NeedsLogin);
    assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (1, 0));
}

#[tokio::test]
async fn a_running_sidecar_outlives_an_old_copy_of_the_file() {
    let env = TestEnv::new([expired("ada")]);
    let old = env.read_accounts().to_string();
    let sidecar = env.sidecar().await;
    sidecar.token("ada").await.expect("a token");
    env.replace_accounts(&old);
    assert!(sidecar.refresh(Some("ada"), true).await.results[0].ok);
    assert_ne!(env.read_accounts().to_string(), old);
    assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (2, 0));
}

#[tokio::test]
async fn an_old_copy_of_the_file_is_replaced_at_once_and_outlived() {
    let env = TestEnv::new([expired("ada"), SimAccount::named("bob")]);
    let old = env.read_accounts().to_string();
    let sidecar = env.sidecar().await;
    sidecar.token("ada").await.expect("a token");
    let renewed = env.read_accounts()["accounts"][0]["refreshToken"].clone();
    // Old copies, each with another spelling, as programs write them.
    for spelling in ["", "\n", "\n\n"] {
        env.replace_accounts(&format!("{old}{spelling}"));
        eventually("what was refreshed is in the file again", async || {
            env.read_accounts()["accounts"][0]["refreshToken"] == renewed
        })
        .await;
    }
    sidecar.end().await;
    assert_eq!(env.read_accounts()["accounts"][0]["refreshToken"], renewed);
    let sidecar = env.sidecar().await;
    assert!(sidecar.refresh(Some("ada"), true).await.results[0].ok);
    assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (2, 0));
}

#[tokio::test]
async fn the_answer_for_another_identity_is_not_stored() {
    let env = TestEnv::new([expired("ada"), SimAccount::named("bob")]);
    let issue = Issue { identity_of: Some("bob".into()), ..Issue::default() };
    env.sim().add_rule(Rule::always(Behaviour::Issue(issue)).of("ada").on(Route::Token));
    let before = env.read_accounts();
    let sidecar = env.sidecar().await;
    let refused = sidecar.token("ada").await.expect_err("not hers");
    assert_eq!((refused.code, &refused.data["code"]), (-32012, &json!("identity_mismatch")));
    let account = sidecar.account("ada").await;
    assert_eq!((account.state, reason(&account)), (AccountState::NeedsLogin, Some("login_required")));
    assert_eq!(sidecar.account("bob").await.state, AccountState::Ready);
    assert_eq!(env.read_accounts()["accounts"][0]["accessToken"], before["accounts"][0]["accessToken"]);
    assert_eq!(errors(&sidecar.refresh(Some("ada"), true).await), ["login_required"]);
    assert_eq!(env.sim().refreshes("ada"), 1);
}

#[tokio::test]
async fn what_cannot_be_stored_is_not_refreshed() {
    let env = TestEnv::new([expired("ada")]);
    let good = env.read_accounts();
    let mut future = good.clone();
    future["version"] = json!(2);
    let sidecar = env.sidecar().await;
    for damaged in [future.to_string(), "{\"accounts\": [".to_owned()] {
        env.replace_accounts(&damaged);
        let refused = sidecar.token("ada").await.expect_err("not refreshed");
        assert_eq!((refused.code, &refused.data["kind"]), (-32016, &json!("storage")), "{refused:?}");
        assert_eq!(std::fs::read_to_string(env.accounts_file()).expect("text"), damaged);
    }
    assert_eq!(env.sim().refreshes("ada"), 0);
    env.replace_accounts(&good.to_string());
    sidecar.token("ada").await.expect("a token");
}

#[tokio::test]
async fn three_invalidations_stop_all_refreshing_on_the_host() {
    let env = TestEnv::new(NAMES.map(expired));
    env.sim().add_rule(Rule::always(row("refresh_token_invalidated")).on(Route::Token));
    let sidecar = env.sidecar().await;
    let mut warnings = sidecar.client.notifications("warning").await.expect("a subscription");
    let answer = sidecar.refresh(None, false).await;
    // The order is not promised: several are refreshed at the same time.
    let mut refused = errors(&answer);
    refused.sort();
    assert_eq!(
        refused,
        ["login_required", "login_required", "login_required", "token_unavailable", "token_unavailable"]
    );
    let is_spared = |result: &&Refreshed| {
        result.error.as_ref().is_some_and(|error| error.cause.as_deref() == Some("token_unavailable"))
    };
    let spared = answer.results.iter().find(is_spared).expect("a spared account");
    let retry_at = spared.error.as_ref().and_then(|error| error.retry_at).expect("when it goes on");
    assert_eq!(spared.account.state, AccountState::Ready);
    let name = NAMES.into_iter().find(|name| email(name) == spared.account.label);
    let other = env.sidecar().await;
    assert_eq!(errors(&other.refresh(name, true).await), ["token_unavailable"]);
    assert_eq!(NAMES.map(|name| env.sim().refreshes(name)).iter().sum::<usize>(), 3);
    let last =
        env.sim().log().iter().filter(|entry| entry.route == Some(Route::Token)).map(|e| e.at_ms).max();
    let pause = retry_at - last.expect("a refresh");
    assert!((599_000..603_000).contains(&pause), "{pause}");
    let paused = async {
        while let Some(warning) = warnings.next().await {
            if warning.expect("a warning")["kind"] == "redeem_paused" {
                return;
            }
        }
        panic!("the connection ended");
    };
    tokio::time::timeout(Duration::from_secs(10), paused).await.expect("a warning says so");
}

#[tokio::test]
async fn accounts_that_nobody_uses_are_kept_alive_one_at_a_time() {
    let env = TestEnv::new([expired("ada"), expiring("bob"), SimAccount::named("cleo")]);
    let mut file = env.read_accounts();
    // Cools for an hour.
    file["accounts"][0]["quotaExhaustedUntil"] = json!(multicodex::clock::now().millis() + 3_600_000);
    env.replace_accounts(&file.to_string());
    let mut command = env.async_command(&["serve"]);
    command.env("MULTICODEX_TEST_UPKEEP_MS", "100");
    let sidecar = Sidecar::start(command).await;
    assert_eq!(sidecar.account("ada").await.state, AccountState::Cooling);
    eventually("both were renewed", async || {
        env.sim().refreshes("ada") == 1 && env.sim().refreshes("bob") == 1
    })
    .await;
    let sent: Vec<i64> = env.sim().log().iter().map(|entry| entry.at_ms).collect();
    assert!(sent.len() == 2 && sent[1] - sent[0] >= 90, "one per look: {sent:?}");
    assert_eq!((sidecar.account("ada").await.state, env.sim().reused()), (AccountState::Cooling, 0));
}

/// Containers share an agent directory and have separate state directories.
#[tokio::test]
async fn sidecars_with_other_state_directories_refresh_each_token_once() {
    let env = TestEnv::new(NAMES.map(expired));
    env.sim().add_rule(Rule::always(Behaviour::Normal).on(Route::Token).delayed(50));
    let mut sidecars = Vec::new();
    for nth in 0..4 {
        let mut command = env.async_command(&["serve"]);
        command.env("MULTICODEX_STATE_DIR", env.agent_dir().join(format!("state-{nth}")));
        sidecars.push(Sidecar::start(command).await);
    }
    let asked = sidecars.iter().flat_map(|sidecar| NAMES.map(|name| sidecar.token(name)));
    for token in futures_util::future::join_all(asked).await {
        token.expect("a token");
    }
    assert_eq!(NAMES.map(|name| env.sim().refreshes(name)), [1; 5]);
    assert_eq!(env.sim().reused(), 0);
}

/// A file that is a mount, as in containers, cannot be replaced: nothing is sent, and the message says what to do.
#[test]
fn a_mounted_accounts_file_is_found_out_before_a_token_is_sent() {
    let env = TestEnv::new(["ada", "bob"].map(expired));
    let mounted = |arguments: &[&std::ffi::OsStr]| {
        std::process::Command::new("mount").args(arguments).status().is_ok_and(|status| status.success())
    };
    let file = env.accounts_file();
    if !mounted(&["--bind".as_ref(), file.as_ref(), file.as_ref()]) {
        // Only root may mount, and not on every machine.
        return;
    }
    let output = env.command(&["refresh"]).output().expect("it runs");
    let verify = env.command(&["verify"]).output().expect("it runs");
    assert!(std::process::Command::new("umount").arg(&file).status().is_ok_and(|status| status.success()));
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("mount its directory instead of the file"), "{said}");
    assert_eq!((env.sim().refreshes("ada"), env.sim().refreshes("bob")), (0, 0));
    let found = String::from_utf8_lossy(&verify.stdout);
    assert!(verify.status.code() == Some(1) && found.contains("cannot be replaced"), "{found}");
    assert_eq!(env.command(&["refresh"]).output().expect("it runs").status.code(), Some(0));
}
