//! The user's choices and other programs' writes: neither is lost, whatever happens in between.

use std::fs;

use multicodex::sim::{Behaviour, Route, Rule, SimAccount};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::env::RawClient;
use crate::env::{TestEnv, eventually_blocking};

fn env() -> TestEnv {
    TestEnv::new(["ada", "bob", "cleo"].map(SimAccount::named))
}

fn id_of(peer: &mut RawClient, label: &str) -> Value {
    let list = peer.call("accounts", json!({})).expect("a list");
    let accounts = list["accounts"].as_array().expect("a list");
    let account = accounts.iter().find(|account| account["label"] == label);
    account.unwrap_or_else(|| panic!("no {label} in {list}"))["id"].clone()
}

/// Ada is disabled and bob pinned.
fn assert_choices(peer: &mut RawClient) {
    let list = peer.call("accounts", json!({})).expect("a list");
    assert_eq!(list["accounts"][0]["state"], "disabled", "{list}");
    assert_eq!(list["pinned"], list["accounts"][1]["id"], "{list}");
}

fn choose(peer: &mut RawClient) {
    peer.call("accounts/disable", json!({"account": "ada@example.com"})).expect("disabled");
    peer.call("accounts/use", json!({"account": "bob@example.com"})).expect("pinned");
}

#[test]
fn choices_outlive_the_absence_of_their_accounts() {
    let env = env();
    let whole = fs::read_to_string(env.accounts_file()).expect("readable");
    let mut peer = env.raw_client();
    choose(&mut peer);
    peer.call("initialize", json!({"optOutNotifications": ["status/changed"]})).expect("the handshake");
    env.replace_accounts(r#"{"version":1,"accounts":[]}"#);
    peer.expect_notification("accounts/changed");
    assert_eq!(peer.call("accounts", json!({})).expect("a list")["accounts"], json!([]));
    env.replace_accounts(&whole);
    peer.expect_notification("accounts/changed");
    assert_choices(&mut peer);
    drop(peer);
    assert_choices(&mut env.raw_client());
}

#[test]
fn choices_outlive_a_start_without_readable_accounts() {
    let env = env();
    let whole = fs::read_to_string(env.accounts_file()).expect("readable");
    choose(&mut env.raw_client());
    env.replace_accounts("{");
    env.raw_client().call("accounts", json!({})).expect("an empty list");
    env.replace_accounts(&whole);
    assert_choices(&mut env.raw_client());
}

#[test]
fn what_was_answered_survives_a_kill() {
    let env = env();
    let mut peer = env.raw_client();
    choose(&mut peer);
    let pid = i32::try_from(peer.pid()).ok().and_then(Pid::from_raw).expect("a pid");
    kill_process(pid, Signal::KILL).expect("alive");
    peer.expect_exit();
    drop(peer);
    let mut peer = env.raw_client();
    assert_choices(&mut peer);
    peer.call("reset", json!({"scope": "manual"})).expect("a reset");
    let pid = i32::try_from(peer.pid()).ok().and_then(Pid::from_raw).expect("a pid");
    kill_process(pid, Signal::KILL).expect("alive");
    peer.expect_exit();
    drop(peer);
    assert!(env.raw_client().call("accounts", json!({})).expect("a list").get("pinned").is_none());
}

#[test]
fn a_choice_made_after_the_clock_was_set_back_holds() {
    let env = env();
    choose(&mut env.raw_client());
    let state = env.accounts_file().with_file_name("state").join("state.json");
    let text = fs::read_to_string(&state).expect("readable");
    let mut saved: Value = serde_json::from_str(&text).expect("JSON");
    // As if all of it had been chosen an hour from now.
    let later = |value: &mut Value| *value = json!(value.as_i64().expect("a time") + 3_600_000);
    later(&mut saved["pinChangedAt"]);
    for account in saved["accounts"].as_array_mut().expect("accounts") {
        later(&mut account["disabledChangedAt"]);
    }
    fs::write(&state, saved.to_string()).expect("writable");
    let mut peer = env.raw_client();
    assert_choices(&mut peer);
    peer.call("accounts/use", json!({"account": "cleo@example.com"})).expect("pinned");
    peer.call("accounts/enable", json!({"account": "ada@example.com"})).expect("enabled");
    for mut peer in [peer, env.raw_client()] {
        let list = peer.call("accounts", json!({})).expect("a list");
        assert_eq!(list["pinned"], list["accounts"][2]["id"], "{list}");
        assert_eq!(list["accounts"][0]["state"], "ready", "{list}");
    }
}

#[test]
fn a_removed_account_takes_its_pin_along() {
    let env = env();
    let whole = fs::read_to_string(env.accounts_file()).expect("readable");
    let mut peer = env.raw_client();
    choose(&mut peer);
    peer.call("accounts/remove", json!({"account": "bob@example.com"})).expect("removed");
    drop(peer);
    env.replace_accounts(&whole);
    assert!(env.raw_client().call("accounts", json!({})).expect("a list").get("pinned").is_none());
}

#[test]
fn edits_are_made_in_the_order_in_which_they_came() {
    let env = env();
    let mut peer = env.raw_client();
    let ada = id_of(&mut peer, "ada@example.com");
    let ids: Vec<u64> = (0..60)
        .map(|n| peer.request("accounts/label", json!({"account": ada, "label": format!("ada {n}")})))
        .collect();
    for (n, id) in ids.into_iter().enumerate() {
        let answer = peer.expect_response(id).expect("a label of its own");
        assert_eq!(answer["account"]["label"], format!("ada {n}"));
    }
    drop(peer);
    let file: Value =
        serde_json::from_str(&fs::read_to_string(env.accounts_file()).expect("readable")).expect("JSON");
    assert_eq!(file["accounts"][0]["email"], "ada 59");
}

#[test]
fn a_limit_that_the_user_took_back_leaves_the_shared_file_too() {
    let env = env();
    let marked = |file: &Value| file["accounts"][0].get("quotaExhaustedUntil").is_some();
    let read = || -> Value {
        serde_json::from_str(&fs::read_to_string(env.accounts_file()).expect("readable")).expect("JSON")
    };
    env.rewrite_accounts(|file| file["accounts"][0]["quotaExhaustedUntil"] = 4_000_000_000_000_i64.into());
    let mut peer = env.raw_client();
    assert_eq!(peer.call("reset", json!({"scope": "quota"})).expect("a reset")["cooldownsCleared"], 1);
    eventually_blocking("the mark is gone", || !marked(&read()));
}

#[test]
fn removing_an_account_removes_every_record_of_it() {
    let env = env();
    env.rewrite_accounts(|file| {
        let mut twice = file["accounts"][0].clone();
        twice["email"] = "the same ada".into();
        file["accounts"].as_array_mut().expect("a list").push(twice);
    });
    let mut peer = env.raw_client();
    let list = peer.call("accounts", json!({})).expect("a list");
    assert_eq!(list["accounts"].as_array().map(Vec::len), Some(3), "one account has one place: {list}");
    peer.call("accounts/remove", json!({"account": "ada@example.com"})).expect("removed");
    drop(peer);
    let list = env.raw_client().call("accounts", json!({})).expect("a list");
    assert_eq!(list["accounts"].as_array().map(Vec::len), Some(2), "{list}");
}

#[test]
fn a_token_refreshed_while_its_account_is_renamed_is_stored() {
    let env = TestEnv::new([SimAccount::named("ada").with_first_token_for(-60)]);
    env.sim().add_rule(Rule::always(Behaviour::Normal).on(Route::Token).delayed(500));
    let mut peer = env.raw_client();
    let params = json!({"request": {"model": "gpt-6.1-sol", "input": []}});
    let completion = peer.request("complete/collect", params);
    eventually_blocking("it is being refreshed", || env.sim().refreshes("ada") > 0);
    peer.call("accounts/label", json!({"account": "ada@example.com", "label": "work"})).expect("renamed");
    peer.expect_response(completion).expect("an answer");
    drop(peer);
    let file: Value =
        serde_json::from_str(&fs::read_to_string(env.accounts_file()).expect("readable")).expect("JSON");
    assert_eq!(file["accounts"][0]["email"], "work");
    assert_ne!(file["accounts"][0]["refreshToken"], "rt_sim_ada_1", "the refreshed token is lost");
}

/// The choice is active in the sidecar although it could not be saved, and the error says so.
#[test]
fn a_choice_that_cannot_be_saved_holds_and_is_told_to() {
    let env = env();
    let mut peer = env.raw_client();
    let refused = |peer: &mut RawClient, method: &str, params: Value, hint: &str| {
        let error = peer.call(method, params).expect_err("the file cannot be written");
        assert_eq!((&error["code"], &error["data"]["hint"]), (&json!(-32016), &json!(hint)), "{error}");
    };
    env.rewrite_accounts(|file| file["version"] = json!(9));
    let pinned = "the account is pinned; only that file does not say so";
    refused(&mut peer, "accounts/use", json!({"account": "bob@example.com"}), pinned);
    env.rewrite_accounts(|file| file["version"] = json!(1));

    let lock = env.accounts_file().with_file_name("state").join("state.json.lock");
    eventually_blocking("a directory is in its place", || {
        let _ = fs::remove_file(&lock);
        fs::create_dir(&lock).is_ok()
    });
    let held = "the change is active now; saving it failed and will be retried";
    refused(&mut peer, "accounts/disable", json!({"account": "ada@example.com"}), held);
    assert_choices(&mut peer);
    fs::remove_dir(&lock).expect("gone");
    peer.call("accounts/label", json!({"account": "cleo@example.com", "label": "cleo"})).expect("renamed");
    peer.close_stdin();
    peer.expect_exit();
    assert_choices(&mut env.raw_client());
}
