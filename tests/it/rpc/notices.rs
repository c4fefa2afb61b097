//! The notifications of the sidecar: each cause once, and again when it returns.

use std::fs;

use multicodex::sim::{Behaviour, Route, Rule, SimAccount, StreamFault, StreamPlan};
use serde_json::{Value, json};

use crate::env::RawClient;
use crate::env::{TestEnv, eventually_blocking};

fn initialized(env: &TestEnv) -> RawClient {
    let mut peer = env.raw_client();
    peer.call("initialize", json!({"optOutNotifications": ["status/changed"]})).expect("the handshake");
    peer
}

/// Runs one completion and returns its terminal notice.
fn complete(peer: &mut RawClient) -> Vec<Value> {
    let params = json!({"request": {"model": "gpt-6.1-sol", "input": []}});
    let subscription = peer.call("complete", params).expect("a subscription");
    let mut notices = Vec::new();
    loop {
        let mut params = peer.expect_notification("complete");
        assert_eq!(params["subscription"], subscription);
        let notice = params["result"].take();
        let over = ["done", "error", "cancelled"].contains(&notice["type"].as_str().unwrap_or_default());
        notices.push(notice);
        if over {
            return notices;
        }
    }
}

#[test]
fn entries_that_cannot_be_used_are_told_once_each_however_often_the_file_changes() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    env.rewrite_accounts(|file| {
        let accounts = file["accounts"].as_array_mut().expect("a list");
        accounts.extend([json!({"email": "x@example.com"}), json!({"email": "y@example.com"}), json!(7)]);
    });
    let mut peer = initialized(&env);
    for _ in 0..3 {
        assert_eq!(peer.expect_notification("warning")["kind"], "corrupt_entry");
    }
    for label in ["one@example.com", "two@example.com", "three@example.com"] {
        env.rewrite_accounts(|file| file["accounts"][0]["email"] = label.into());
        assert_eq!(peer.expect_notification("accounts/changed")["reason"], "external");
    }
}

#[test]
fn settings_that_do_not_fit_are_told_once_each_and_their_use_is_told() {
    let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
    let settings = |priority: i32, attempts: &str| {
        let text = format!(
            r#"{{"pi-multicodex":{{"rotation":{{"strategy":"priority","maxAttempts":{attempts},"reservePercent":"x",
            "priority":[{{"account":"acc_none","priority":{priority}}}]}}}}}}"#
        );
        let new = env.settings_file().with_extension("new");
        fs::write(&new, text).and_then(|()| fs::rename(new, env.settings_file())).expect("writable");
    };
    settings(1, "0");
    let mut peer = initialized(&env);
    for _ in 0..2 {
        assert_eq!(peer.expect_notification("warning")["kind"], "settings_invalid");
    }
    for priority in 2..4 {
        settings(priority, "0");
        assert_eq!(peer.expect_notification("accounts/changed")["reason"], "external");
    }
    settings(4, "6");
    peer.expect_notification("accounts/changed");
    settings(5, "0");
    assert_eq!(peer.expect_notification("warning")["kind"], "settings_invalid");
    peer.expect_notification("accounts/changed");
}

#[test]
fn what_happened_just_before_the_end_is_told_before_it() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    env.sim().set_behaviour("ada", Behaviour::usage_limit());
    for end in ["shutdown", "end of input"] {
        let mut peer = initialized(&env);
        peer.ignore("accounts/changed");
        let refused = peer.request("complete/collect", json!({"request": {"model": "m", "input": []}}));
        peer.expect_response(refused).expect_err("a limit");
        match end {
            "shutdown" => {
                peer.call("shutdown", json!({})).expect("an answer");
                peer.notify("exit", json!({}));
            }
            _ => peer.close_stdin(),
        }
        assert_eq!(peer.expect_notification("warning")["kind"], "no_available_account", "{end}");
        peer.expect_exit();
    }
}

#[test]
fn a_pin_that_is_cleared_once_more_is_told_once_more() {
    let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
    env.sim().set_behaviour("ada", Behaviour::usage_limit());
    let mut peer = initialized(&env);
    peer.ignore("accounts/changed");
    for _ in 0..2 {
        peer.call("accounts/use", json!({"account": "ada@example.com"})).expect("a good token");
        complete(&mut peer);
        assert_eq!(peer.expect_notification("warning")["kind"], "pin_cleared");
        peer.call("reset", json!({"scope": "quota"})).expect("a reset");
    }
}

#[test]
fn a_token_that_upstream_quotes_in_an_event_is_shown_nowhere() {
    let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
    let file: Value =
        serde_json::from_str(&fs::read_to_string(env.accounts_file()).expect("readable")).expect("JSON");
    let token = file["accounts"][0]["accessToken"].as_str().expect("a token").to_owned();
    let event = json!({"type": "response.failed", "response": {"status": "failed", "error": {
        "code": "usage_limit_reached", "message": format!("limit of {token} reached"), "resets_in_seconds": 600,
    }}});
    let fault = StreamPlan {
        spoken: multicodex::sim::Spoken::Events(vec![event.to_string()]),
        fault: None::<StreamFault>,
        ..StreamPlan::default()
    };
    env.sim().add_rule(Rule::always(Behaviour::Stream(fault)).of("ada"));
    let mut peer = env.raw_client();
    peer.call("accounts/use", json!({"account": "ada@example.com"})).expect("a good token");
    let notices = complete(&mut peer);
    assert_eq!(
        (&notices[0]["type"], &notices[0]["reason"]["kind"]),
        (&json!("rotated"), &json!("usage_limit"))
    );
    assert_eq!(notices[0]["reason"]["message"], "limit of [redacted] reached");
    let accounts = peer.call("accounts", json!({})).expect("a list").to_string();
    assert!(accounts.contains("limit of [redacted] reached"), "{accounts}");
    assert!(!accounts.contains(&token));
    peer.close_stdin();
    peer.expect_exit();
    let state = env.accounts_file().with_file_name("state").join("state.json");
    let state = fs::read_to_string(state).expect("the state was saved");
    assert!(state.contains("[redacted]") && !state.contains(&token), "{state}");
}

fn expect_warning(peer: &mut RawClient, kind: &str) -> Value {
    loop {
        let warning = peer.expect_notification("warning");
        if warning["kind"] == kind {
            return warning;
        }
    }
}

#[test]
fn a_login_that_died_is_told_again_when_the_next_one_dies() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let refused = || Behaviour::row("refresh_token_expired").expect("a row");
    env.sim().add_rule(Rule::always(refused()).of("ada").on(Route::Token));
    let mut peer = initialized(&env);
    peer.ignore("accounts/changed");
    peer.ignore("refresh/progress");
    for _ in 0..2 {
        let answer = peer.call("refresh", json!({"force": true})).expect("an answer");
        assert_eq!(answer["needsLogin"], 1);
        expect_warning(&mut peer, "login_required");
        // The extension logs it in again.
        let login = env.sim().sign_in("ada").expect("known");
        env.rewrite_accounts(|file| {
            let entry = &mut file["accounts"][0];
            entry["accessToken"] = login.access_token.clone().into();
            entry["refreshToken"] = login.refresh_token.clone().into();
            entry["expiresAt"] = (login.expires_at + 60_000).into();
            entry.as_object_mut().expect("an entry").remove("needsReauth");
        });
        eventually_blocking("the new login is taken over", || {
            peer.call("accounts", json!({})).expect("accounts")["accounts"][0]["state"] == "ready"
        });
    }
}

#[test]
fn a_damaged_file_of_pi_is_told_again_when_it_is_damaged_again() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let auth = env.accounts_file().with_file_name("auth.json");
    let mut peer = initialized(&env);
    peer.ignore("accounts/changed");
    // Damaged in a different way each time, because content that the watcher already saw is not a change.
    for damaged in ["{", "["] {
        fs::write(&auth, damaged).expect("written");
        expect_warning(&mut peer, "corrupt_file");
        fs::write(&auth, "{}").expect("written");
        peer.call("accounts/import", json!({})).expect("it parses");
    }
}
