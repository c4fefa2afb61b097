//! The account that belongs to pi, with the real binary: it is refreshed under pi's lock and written back, and what pi
//! does meanwhile counts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use futures_util::future::join_all;
use multicodex::protocol::{AccountState, AccountsImport, ImportParams};
use multicodex::sim::{Answer, Behaviour, Route, Rule, SimAccount, SimLogin};
use multicodex::store::{LockDirectory, LockGuard};
use serde_json::json;
use tokio::time::Instant;

use crate::credentials::proper_lockfile;
use crate::env::{Sidecar, TestEnv, eventually, expired, expiring};

/// Bob in the accounts file, and pi logged in as ada.
async fn with_pi(ada: SimAccount) -> TestEnv {
    let env = TestEnv::new([SimAccount::named("bob")]);
    env.log_pi_in(&env.sim().add_account(ada));
    env
}

#[tokio::test]
async fn a_refreshed_credential_is_written_back_to_pi_and_nothing_else_is_touched() {
    let env = with_pi(expired("ada")).await;
    let sidecar = env.sidecar().await;
    let before = env.file_of_pi();
    let token = sidecar.token("ada").await.expect("a token").access_token;
    let after = env.file_of_pi();
    assert_eq!(after["openai-codex"]["access"], json!(token));
    assert_ne!(after["openai-codex"]["refresh"], before["openai-codex"]["refresh"]);
    assert!(after["openai-codex"]["expires"].as_i64() > before["openai-codex"]["expires"].as_i64());
    for kept in ["type", "accountId", "unknown"] {
        assert_eq!(after["openai-codex"][kept], before["openai-codex"][kept]);
    }
    assert_eq!(after["anthropic"], before["anthropic"]);
    let mode = fs::metadata(env.auth_file()).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode, env.auth_file().with_file_name("auth.json.lock").exists()), (0o600, false));
    let entry = &env.read_accounts()["accounts"][1];
    assert_eq!((&entry["accessToken"], &entry["importSource"]), (&json!(token), &json!("pi-openai-codex")));
    // Our own write is not a change.
    let answer = sidecar.client.request::<AccountsImport>(&ImportParams::default()).await.expect("import");
    assert!(!answer.changed, "{answer:?}");
    assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (1, 0));
    sidecar.end().await;
}

#[tokio::test]
async fn what_pi_renewed_is_adopted_and_not_refreshed() {
    let env = with_pi(expired("ada")).await;
    let sidecar = env.sidecar().await;
    // This holds back the merge, so that only the reading under pi's lock can find the new login.
    let imports = env.state_dir().join("imports.json.lock");
    let blind = LockGuard::acquire(&imports, Duration::ZERO).expect("free");
    // pi holds its lock while it refreshes, and writes before it frees it.
    let held = LockDirectory::acquire(&env.auth_file(), Duration::ZERO).expect("free");
    let (asked, ()) = tokio::join!(sidecar.token("ada"), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        env.log_pi_in(&env.sim().sign_in("ada").expect("known"));
        drop(held);
    });
    let token = asked.expect("pi's token").access_token;
    assert_eq!(env.file_of_pi()["openai-codex"]["access"], json!(token));
    assert_eq!(env.sim().refreshes("ada"), 0);
    drop(blind);
    eventually("the accounts file follows", async || {
        env.read_accounts()["accounts"][1]["accessToken"] == token
    })
    .await;
    sidecar.end().await;
}

#[tokio::test]
async fn a_client_is_not_kept_waiting_for_pi_s_lock() {
    for (ada, answered) in [(expiring("ada"), true), (expired("ada"), false)] {
        let env = with_pi(ada).await;
        let sidecar = env.sidecar().await;
        let old = env.file_of_pi()["openai-codex"]["access"].clone();
        let held = LockDirectory::acquire(&env.auth_file(), Duration::ZERO).expect("free");
        let asked = Instant::now();
        let answer = sidecar.token("ada").await;
        let waited = asked.elapsed();
        assert!((1_900..4_000).contains(&waited.as_millis()), "{waited:?}");
        match answer {
            Ok(token) => assert_eq!((json!(token.access_token), answered), (old, true)),
            Err(refused) => {
                assert_eq!((refused.code, answered), (-32016, false), "{refused:?}");
                assert_eq!(refused.data["retryable"], true, "{refused:?}");
            }
        }
        assert_eq!(env.sim().refreshes("ada"), 0);
        // It does not delay other accounts.
        sidecar.token("bob").await.expect("bob has nothing to do with pi");
        drop(held);
        // The refresh goes on: pi's file gets the new token without another request.
        eventually("refreshed once the lock is free", async || env.sim().refreshes("ada") == 1).await;
        eventually("pi has the new token", async || {
            env.read_accounts()["accounts"][1]["accessToken"] == env.file_of_pi()["openai-codex"]["access"]
        })
        .await;
        sidecar.end().await;
    }
}

#[tokio::test]
async fn five_sidecars_refresh_pi_s_token_once() {
    let env = with_pi(expired("ada")).await;
    let sidecars = join_all((0..5).map(|_| env.sidecar())).await;
    let tokens = join_all(sidecars.iter().map(|sidecar| sidecar.token("ada"))).await;
    for token in tokens {
        let token = token.expect("a token").access_token;
        assert_eq!(env.file_of_pi()["openai-codex"]["access"], json!(token));
    }
    assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (1, 0));
}

#[tokio::test]
async fn another_login_that_pi_got_meanwhile_stays() {
    let env = with_pi(expired("ada")).await;
    let sidecar = env.sidecar().await;
    env.log_pi_in(&env.sim().add_account(SimAccount::named("cleo")));
    let token = sidecar.token("ada").await.expect("a token").access_token;
    assert_eq!(env.file_of_pi()["openai-codex"]["accountId"], "ws-cleo");
    eventually("ada is on its own and cleo is pi's", async || {
        let accounts = sidecar.accounts().await;
        accounts.iter().map(|account| account.linked).collect::<Vec<_>>() == [false, false, true]
    })
    .await;
    assert_eq!(env.read_accounts()["accounts"][1]["accessToken"], json!(token));
    sidecar.end().await;
}

#[tokio::test]
async fn a_token_whose_result_pi_could_not_get_is_not_sent() {
    let env = with_pi(expired("ada")).await;
    let sidecar = env.sidecar().await;
    fs::write(env.auth_file(), "{\"openai-codex\": {\"type\":").expect("written");
    let refused = sidecar.token("ada").await.expect_err("the file cannot be written");
    assert_eq!(refused.code, -32016, "{refused:?}");
    assert_eq!(env.sim().refreshes("ada"), 0);
    assert_eq!(sidecar.account("ada").await.state, AccountState::Ready);
    sidecar.end().await;
}

#[tokio::test]
async fn a_consumed_login_that_comes_back_is_not_taken_over_and_is_replaced() {
    let env = with_pi(expired("ada")).await;
    let sidecar = env.sidecar().await;
    let old = fs::read(env.auth_file()).expect("read");
    let token = sidecar.token("ada").await.expect("a token").access_token;
    // An old copy is put back. Its refresh token is consumed.
    fs::write(env.auth_file(), &old).expect("written");
    let answer = sidecar.client.request::<AccountsImport>(&ImportParams::default()).await.expect("import");
    let warning = answer.warning.expect("a warning");
    assert_eq!(serde_json::to_value(warning.kind).expect("JSON"), "consumed_credential");
    assert_eq!(env.read_accounts()["accounts"][1]["accessToken"], json!(token));
    eventually("pi has the token that is still good", async || {
        env.file_of_pi()["openai-codex"]["access"] == json!(token)
    })
    .await;
    let renewed = sidecar.refresh(Some("ada"), true).await;
    assert!(renewed.results[0].ok, "{renewed:?}");
    assert_eq!(env.file_of_pi()["openai-codex"]["access"], env.read_accounts()["accounts"][1]["accessToken"]);
    assert_eq!(env.sim().reused(), 0);
    sidecar.end().await;
}

#[tokio::test]
async fn pi_s_own_edits_and_ours_both_survive() {
    let Some(module) = proper_lockfile::module() else { return };
    let env = with_pi(expired("ada")).await;
    let sidecar = env.sidecar().await;
    let edits = 60;
    let mut pi = proper_lockfile::node(module, &env.auth_file(), "edit", edits).spawn().expect("node runs");
    let mut refreshed = 0;
    while pi.try_wait().expect("a child").is_none() {
        let answer = sidecar.refresh(Some("ada"), true).await;
        assert!(answer.results[0].ok, "{answer:?}");
        refreshed += 1;
    }
    assert!(pi.wait().expect("a child").success());
    let file = env.file_of_pi();
    assert_eq!(file["count"], edits);
    assert_eq!(file["openai-codex"]["access"], env.read_accounts()["accounts"][1]["accessToken"]);
    assert!(refreshed > 1, "they were at it at the same time");
    assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (refreshed, 0));
    sidecar.end().await;
}

#[tokio::test]
async fn eight_sidecars_refresh_five_tokens_once_each_while_pi_s_lock_library_contends_for_one() {
    let Some(module) = proper_lockfile::module() else { return };
    let others = ["bob", "cleo", "dora", "emil"];
    let env = TestEnv::new(others.map(expired));
    env.log_pi_in(&env.sim().add_account(expired("ada")));
    let sidecars = join_all((0..8).map(|_| env.sidecar())).await;
    let edits = 20;
    let mut pi = proper_lockfile::node(module, &env.auth_file(), "edit", edits).spawn().expect("node runs");
    let answers = join_all(sidecars.iter().map(|sidecar| sidecar.refresh(None, false))).await;
    for answer in answers {
        assert!(answer.results.len() == 5 && answer.results.iter().all(|result| result.ok), "{answer:?}");
    }
    assert!(pi.wait().expect("a child").success());
    assert_eq!(env.file_of_pi()["count"], edits);
    for name in others.into_iter().chain(["ada"]) {
        assert_eq!(env.sim().refreshes(name), 1, "{name}");
        for sidecar in &sidecars {
            sidecar.token(name).await.expect("every sidecar serves every account");
        }
    }
    assert_eq!(env.sim().reused(), 0);
}

#[tokio::test]
async fn a_token_that_is_pi_s_is_renewed_under_pi_s_lock_though_the_link_was_lost() {
    let env = with_pi(expired("ada")).await;
    let sidecar = env.sidecar().await;
    // This holds back the merge, so that the link is not restored.
    let imports = env.state_dir().join("imports.json.lock");
    let blind = LockGuard::acquire(&imports, Duration::ZERO).expect("free");
    let mut file = env.read_accounts();
    file["accounts"][1].as_object_mut().expect("an entry").remove("importSource").expect("it was linked");
    env.replace_accounts(&file.to_string());
    eventually("the link is lost", async || !sidecar.account("ada").await.linked).await;
    let held = LockDirectory::acquire(&env.auth_file(), Duration::ZERO).expect("free");
    let (token, ()) = tokio::join!(sidecar.token("ada"), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(env.sim().refreshes("ada"), 0, "pi's lock is waited for");
        drop(held);
    });
    assert_eq!(env.login_of_pi()["access"], json!(token.expect("a token").access_token));
    drop(blind);
    eventually("it is linked again", async || sidecar.account("ada").await.linked).await;
    assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (1, 0));
    sidecar.end().await;
}

#[tokio::test]
async fn what_pi_is_logged_in_with_is_kept_alive_while_pi_does_not_run() {
    let env = with_pi(expired("ada")).await;
    let held = LockDirectory::acquire(&env.auth_file(), Duration::ZERO).expect("free");
    let mut command = env.async_command(&["serve"]);
    command.env("MULTICODEX_TEST_UPKEEP_MS", "50");
    let sidecar = Sidecar::start(command).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(env.sim().refreshes("ada"), 0, "pi is at it");
    let old = env.login_of_pi();
    drop(held);
    eventually("pi has a new token", async || env.login_of_pi()["access"] != old["access"]).await;
    eventually("and the accounts file, too", async || {
        env.read_accounts()["accounts"][1]["accessToken"] == env.login_of_pi()["access"]
    })
    .await;
    assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (1, 0));
    sidecar.end().await;
}

#[tokio::test]
async fn a_login_of_pi_s_that_was_got_while_a_token_was_refreshed_is_the_one_that_counts() {
    let env = with_pi(SimAccount::named("ada")).await;
    env.sim().add_rule(Rule::always(Behaviour::Normal).on(Route::Token).delayed(500));
    let sidecar = env.sidecar().await;
    let old = env.login_of_pi();
    let (answer, login) = tokio::join!(sidecar.refresh(Some("ada"), true), async {
        eventually("the token is sent", async || env.sim().refreshes("ada") == 1).await;
        // pi gets its login first, and then waits for its lock, which we hold.
        let login = env.sim().sign_in("ada").expect("known");
        eventually("pi has what was refreshed", async || env.login_of_pi()["access"] != old["access"]).await;
        env.log_pi_in(&login);
        login
    });
    assert!(answer.results[0].ok, "{answer:?}");
    eventually("both files hold pi's login", async || {
        [&env.read_accounts()["accounts"][1]["refreshToken"], &env.login_of_pi()["refresh"]]
            == [&json!(login.refresh_token); 2]
    })
    .await;
    eventually("and it is what is handed out", async || {
        sidecar.token("ada").await.is_ok_and(|token| token.access_token == login.access_token)
    })
    .await;
    assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (1, 0));
    sidecar.end().await;
}

#[tokio::test]
async fn a_login_that_lives_shorter_than_the_one_it_replaces_is_taken_over() {
    // A token with a long life is refused for good; then the user logs in with the extension.
    let env = TestEnv::new([SimAccount { first_expires_in: Some(2_000_000), ..SimAccount::named("ada") }]);
    let invalidated = json!({"error": {"code": "refresh_token_invalidated", "message": "ended"}});
    let refused = Behaviour::Answer(Answer::json(401, invalidated));
    env.sim().add_rule(Rule::next(1, refused).of("ada").on(Route::Token));
    let sidecar = env.sidecar().await;
    assert_eq!(sidecar.refresh(Some("ada"), true).await.needs_login, 1);
    let before = env.read_accounts();
    eventually("the clock of tokens goes on", async || {
        multicodex::clock::now().millis() / 1000
            > before["accounts"][0]["expiresAt"].as_i64().unwrap_or(0) / 1000 - 2_000_000
    })
    .await;
    let login = env.sim().sign_in("ada").expect("known");
    assert!(json!(login.expires_at).as_i64() < before["accounts"][0]["expiresAt"].as_i64());
    store_in_accounts_file(&env, 0, &login);
    eventually("the account is ready", async || sidecar.account("ada").await.state == AccountState::Ready)
        .await;
    assert_eq!(sidecar.token("ada").await.expect("a token").access_token, login.access_token);
    assert_eq!(env.sim().refreshes("ada"), 1);
    sidecar.end().await;
}

#[tokio::test]
async fn a_login_that_another_sidecar_stored_while_a_token_was_refreshed_is_not_written_over() {
    let env = with_pi(SimAccount::named("ada")).await;
    env.sim().add_rule(Rule::always(Behaviour::Normal).on(Route::Token).delayed(500));
    let sidecar = env.sidecar().await;
    let old = env.login_of_pi();
    let (answer, login) = tokio::join!(sidecar.refresh(Some("ada"), true), async {
        eventually("the token is sent", async || env.sim().refreshes("ada") == 1).await;
        let lock = env.guard_dir().join("accounts.lock");
        let held = LockGuard::acquire(&lock, Duration::from_secs(5)).expect("it comes round");
        let login = env.sim().sign_in("ada").expect("known");
        eventually("pi has what was refreshed", async || env.login_of_pi()["access"] != old["access"]).await;
        env.log_pi_in(&login);
        store_in_accounts_file(&env, 1, &login);
        drop(held);
        login
    });
    assert!(answer.results[0].ok, "{answer:?}");
    for file in [&env.read_accounts()["accounts"][1]["refreshToken"], &env.login_of_pi()["refresh"]] {
        assert_eq!(file, &json!(login.refresh_token));
    }
    assert_eq!(sidecar.token("ada").await.expect("a token").access_token, login.access_token);
    assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (1, 0));
    sidecar.end().await;
}

/// As another program does after the user logged in with it.
fn store_in_accounts_file(env: &TestEnv, at: usize, login: &SimLogin) {
    let mut file = env.read_accounts();
    for (member, value) in [
        ("accessToken", json!(login.access_token)),
        ("refreshToken", json!(login.refresh_token)),
        ("expiresAt", json!(login.expires_at)),
    ] {
        file["accounts"][at][member] = value;
    }
    env.replace_accounts(&file.to_string());
}
