//! `needsReauth` and `quotaExhaustedUntil`, which the pi-multicodex extension also writes and reads: a running sidecar
//! adopts its flags, writes its own, and applies each to the right account.

use std::time::Duration;

use multicodex::protocol::{Account, AccountState};
use multicodex::sim::{Answer, Behaviour, Route, Rule, SimAccount};
use multicodex::store::LockGuard;
use serde_json::{Value, json};

use crate::env::{Sidecar, TestEnv, email, eventually};

const HOUR_MS: i64 = 3_600_000;

fn in_an_hour() -> i64 {
    multicodex::clock::now().millis() + HOUR_MS
}

/// Another program writes the file, with this change to the account's entry.
fn mark(env: &TestEnv, name: &str, edit: impl FnOnce(&mut Value)) {
    let mut file = env.read_accounts();
    edit(entry(&mut file, name));
    env.replace_accounts(&file.to_string());
}

fn entry<'a>(file: &'a mut Value, name: &str) -> &'a mut Value {
    let entries = file["accounts"].as_array_mut().expect("a list");
    entries.iter_mut().find(|entry| entry["email"] == json!(email(name))).expect("an entry")
}

async fn comes_to(sidecar: &Sidecar, name: &str, state: AccountState) -> Account {
    eventually("the mark is taken over", async || sidecar.account(name).await.state == state).await;
    sidecar.account(name).await
}

#[tokio::test]
async fn what_another_program_marks_is_taken_over_without_a_restart() {
    let env = TestEnv::new(["ada", "bob"].map(SimAccount::named));
    let sidecar = env.sidecar().await;
    let until = in_an_hour();
    mark(&env, "ada", |entry| entry["quotaExhaustedUntil"] = json!(until));
    let ada = comes_to(&sidecar, "ada", AccountState::Cooling).await;
    assert_eq!((ada.cooldown_until, &ada.reason.expect("one").source[..]), (Some(until), "file"));
    mark(&env, "bob", |entry| entry["needsReauth"] = json!(true));
    comes_to(&sidecar, "bob", AccountState::NeedsLogin).await;
    assert_eq!(sidecar.token("bob").await.expect_err("it needs a login").code, -32012);
    // It is cleared again, while the other account's flag stays.
    mark(&env, "bob", |entry| drop(entry.as_object_mut().expect("an entry").remove("needsReauth")));
    comes_to(&sidecar, "bob", AccountState::Ready).await;
    assert_eq!(sidecar.account("ada").await.state, AccountState::Cooling);
    mark(&env, "ada", |entry| drop(entry.as_object_mut().expect("an entry").remove("quotaExhaustedUntil")));
    comes_to(&sidecar, "ada", AccountState::Ready).await;
    assert_eq!((env.sim().refreshes("ada"), env.sim().refreshes("bob")), (0, 0));
    sidecar.end().await;
}

#[tokio::test]
async fn what_a_sidecar_marks_comes_to_the_others_as_it_was_learned() {
    let env = TestEnv::new(["ada", "bob"].map(SimAccount::named));
    let body = json!({"error": {"code": "refresh_token_reused", "message": "used"}});
    let refused = Rule::always(Behaviour::Answer(Answer::json(401, body))).of("ada").on(Route::Token);
    env.sim().add_rule(refused);
    let (one, other) = (env.sidecar().await, env.sidecar().await);
    assert_eq!(one.refresh(Some("ada"), true).await.needs_login, 1);
    eventually("it is marked", async || entry(&mut env.read_accounts(), "ada")["needsReauth"] == true).await;
    let ada = comes_to(&other, "ada", AccountState::NeedsLogin).await;
    assert_eq!(ada.reason, one.account("ada").await.reason);
    assert_eq!(ada.reason.expect("one").source, "token_endpoint");
    one.end().await;
    other.end().await;
}

#[tokio::test]
async fn a_mark_goes_to_the_account_and_not_to_who_bears_its_label_by_then() {
    let env = TestEnv::new(["ada", "bob"].map(SimAccount::named));
    let body = json!({"error": {"code": "refresh_token_reused", "message": "used"}});
    let refused = Behaviour::Answer(Answer::json(401, body));
    env.sim().add_rule(Rule::always(refused).of("ada").on(Route::Token).delayed(300));
    let sidecar = env.sidecar().await;
    let mut held = None;
    let (answer, ()) = tokio::join!(sidecar.refresh(Some("ada"), true), async {
        eventually("the token is on its way", async || env.sim().refreshes("ada") == 1).await;
        let lock = env.guard_dir().join("accounts.lock");
        held = Some(LockGuard::acquire(&lock, Duration::from_secs(5)).expect("it comes round"));
    });
    assert_eq!(answer.needs_login, 1);
    // Long enough for the flag to be waiting to be written.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut file = env.read_accounts();
    let refresh = entry(&mut file, "ada")["refreshToken"].clone();
    for (at, name) in ["bob", "ada"].into_iter().enumerate() {
        file["accounts"][at]["email"] = json!(email(name));
    }
    env.replace_accounts(&file.to_string());
    drop(held);
    eventually("ada is marked, who is called bob now", async || {
        entry(&mut env.read_accounts(), "bob")["needsReauth"] == true
    })
    .await;
    let mut file = env.read_accounts();
    assert_eq!(entry(&mut file, "bob")["refreshToken"], refresh);
    assert_eq!(entry(&mut file, "ada")["needsReauth"], Value::Null);
    sidecar.end().await;
}
