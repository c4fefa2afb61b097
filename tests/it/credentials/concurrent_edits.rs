//! Two actions at the same time that are each correct alone: a refresh, an import and a change by the user on one
//! account, with the real binary.

use std::time::Duration;

use multicodex::protocol::{
    AccountParams, AccountsImport, AccountsLabel, AccountsRemove, ImportParams, LabelParams, Removed,
};
use multicodex::sim::{Behaviour, Route, Rule, SimAccount};
use multicodex::store::LockGuard;
use serde_json::json;
use tokio::time::Instant;

use crate::env::{Sidecar, TestEnv, email, eventually, expired};

async fn remove(sidecar: &Sidecar, name: &str) -> Removed {
    sidecar.client.request::<AccountsRemove>(&AccountParams { account: email(name) }).await.expect("removed")
}

fn slow_to_renew(env: &TestEnv, name: &str) {
    env.sim().add_rule(Rule::always(Behaviour::Normal).of(name).on(Route::Token).delayed(1_000));
}

async fn labels(sidecar: &Sidecar) -> Vec<(String, bool)> {
    sidecar.accounts().await.into_iter().map(|account| (account.label, account.linked)).collect()
}

#[tokio::test]
async fn a_label_that_went_to_another_account_during_a_refresh_does_not_cost_that_one_its_login() {
    let env = TestEnv::new([expired("ada"), SimAccount::named("bob")]);
    slow_to_renew(&env, "ada");
    let sidecar = env.sidecar().await;
    let bob = env.read_accounts()["accounts"][1]["refreshToken"].clone();
    let (_, ()) = tokio::join!(sidecar.token("ada"), async {
        eventually("the token is on its way", async || env.sim().refreshes("ada") == 1).await;
        remove(&sidecar, "ada").await;
        let params = LabelParams { account: email("bob"), label: email("ada") };
        sidecar.client.request::<AccountsLabel>(&params).await.expect("the label is free");
    });
    let accounts = &env.read_accounts()["accounts"];
    assert_eq!((accounts.as_array().map(Vec::len), &accounts[0]["refreshToken"]), (Some(1), &bob));
    sidecar.end().await;
}

#[tokio::test]
async fn a_link_that_another_program_left_out_of_the_file_is_put_back() {
    let env = TestEnv::new([SimAccount::named("bob")]);
    env.log_pi_in(&env.sim().add_account(expired("ada")));
    let sidecar = env.sidecar().await;
    let linked = [(email("bob"), false), (email("ada"), true)];
    assert_eq!(labels(&sidecar).await, linked);
    let mut file = env.read_accounts();
    file["accounts"][1].as_object_mut().expect("an entry").remove("importSource").expect("it was linked");
    env.replace_accounts(&file.to_string());
    eventually("it is linked again, in the file too", async || {
        env.read_accounts()["accounts"][1]["importSource"] == "pi-openai-codex"
    })
    .await;
    eventually("and in the pool", async || labels(&sidecar).await == linked).await;
    let token = sidecar.token("ada").await.expect("a token").access_token;
    assert_eq!(env.login_of_pi()["access"], json!(token), "pi's own copy is not burned");
    sidecar.end().await;
}

#[tokio::test]
async fn an_account_of_pi_that_was_removed_during_its_refresh_stays_away() {
    let env = TestEnv::new([SimAccount::named("bob")]);
    env.log_pi_in(&env.sim().add_account(expired("ada")));
    slow_to_renew(&env, "ada");
    let sidecar = env.sidecar().await;
    let old = env.login_of_pi();
    let (_, ()) = tokio::join!(sidecar.token("ada"), async {
        eventually("the token is on its way", async || env.sim().refreshes("ada") == 1).await;
        remove(&sidecar, "ada").await;
    });
    assert_ne!(env.login_of_pi()["refresh"], old["refresh"], "what was refreshed is pi's all the same");
    sidecar.client.request::<AccountsImport>(&ImportParams::default()).await.expect("import");
    assert_eq!(labels(&sidecar).await, [(email("bob"), false)]);
    sidecar.end().await;
}

#[tokio::test]
async fn removing_what_pi_was_logged_in_with_does_not_keep_its_next_login_away() {
    let env = TestEnv::new([SimAccount::named("bob")]);
    env.log_pi_in(&env.sim().add_account(SimAccount::named("ada")));
    let sidecar = env.sidecar().await;
    env.log_pi_in(&env.sim().add_account(SimAccount::named("cleo")));
    remove(&sidecar, "ada").await;
    let expected = [(email("bob"), false), (email("cleo"), true)];
    eventually("cleo is here", async || labels(&sidecar).await == expected).await;
    sidecar.end().await;
}

#[tokio::test]
async fn with_everything_under_way_the_end_comes_in_time_and_leaves_no_lock_of_pi() {
    let env = TestEnv::new([SimAccount::named("bob"), expired("cleo")]);
    env.log_pi_in(&env.sim().add_account(expired("ada")));
    env.sim().add_rule(Rule::always(Behaviour::Hang).on(Route::Token));
    env.sim().add_rule(Rule::always(Behaviour::Hang).on(Route::Usage));
    let sidecar = env.sidecar().await;
    let edit = LabelParams { account: email("bob"), label: "bob".to_owned() };
    let lock = env.guard_dir().join("accounts.lock");
    let mut held = None;
    let asked = async {
        let label = async {
            eventually("a token is on its way", async || env.sim().refreshes("ada") == 1).await;
            held = Some(LockGuard::acquire(&lock, Duration::from_secs(5)).expect("free"));
            sidecar.client.request::<AccountsLabel>(&edit).await
        };
        let ada = sidecar.token("ada");
        let cleo = async {
            eventually("a token is on its way", async || env.sim().refreshes("ada") == 1).await;
            sidecar.token("cleo").await
        };
        let _ = tokio::join!(label, ada, cleo);
    };
    tokio::select! {
        () = asked => panic!("nothing can be answered"),
        () = tokio::time::sleep(Duration::from_millis(500)) => {}
    }
    let started = Instant::now();
    sidecar.end().await;
    assert!(started.elapsed() < Duration::from_millis(2_900), "{:?}", started.elapsed());
    assert!(!env.auth_file().with_file_name("auth.json.lock").exists());
    drop(held);
}
