//! Settings that one sidecar changes and another adopts, with pi's lock between them.

use std::fs;

use multicodex::sim::{SimAccount, SimUsage, SimWindow};
use serde_json::json;

use crate::env::TestEnv;

#[test]
fn what_one_sidecar_sets_another_follows() {
    let env = TestEnv::new(["ada", "bob"].map(SimAccount::named));
    fs::write(env.settings_file(), r#"{"theme":"dark"}"#).expect("written");
    let (mut one, mut other) = (env.raw_client(), env.raw_client());
    other.call("initialize", json!({})).expect("a handshake");
    let ada_first =
        json!({"strategy": "priority", "priority": [{"account": "ada@example.com", "priority": 1}]});
    let before = one.call("status", json!({})).expect("a status")["account"].clone();
    let set = one.call("rotation/set", ada_first).expect("set");
    assert_ne!(set["order"][0]["account"], before, "nothing would change");
    assert_eq!(set["order"][0]["label"], "ada@example.com");
    let changed = other.expect_notification("accounts/changed");
    assert_eq!((&changed["reason"], &changed["active"]), (&json!("external"), &set["order"][0]["account"]));
    other.ignore("accounts/changed");
    assert_eq!(other.expect_notification("status/changed")["account"], set["order"][0]["account"]);
    assert_eq!(other.call("rotation", json!({})).expect("a rotation"), set);
    let looks = one.call("footer/set", json!({"order": "usage-first"})).expect("set");
    let text = other.expect_notification("status/changed")["text"].clone();
    assert_eq!(text, "Codex · 5h:-- · 7d:-- · ada@example.com");
    assert_eq!(other.call("footer", json!({})).expect("a footer"), looks);
    let kept = fs::read_to_string(env.settings_file()).expect("readable");
    assert!(kept.contains(r#""theme": "dark""#), "{kept}");
}

#[test]
fn pi_may_be_writing_its_settings_meanwhile() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let lock = env.settings_file().with_file_name("settings.json.lock");
    fs::create_dir(&lock).expect("locked");
    let mut peer = env.raw_client();
    let waiting = peer.request("footer/set", json!({"usageMode": "used"}));
    // A request that needs no settings is answered, with the present ones.
    assert_eq!(peer.call("footer", json!({})).expect("a footer")["usageMode"], "left");
    peer.call("accounts/disable", json!({"account": "ada@example.com"})).expect("disabled");
    fs::write(env.settings_file(), r#"{"pi-multicodex":{"order":"usage-first"}}"#).expect("written by pi");
    fs::remove_dir(&lock).expect("unlocked");
    let set = peer.expect_response(waiting).expect("set");
    assert_eq!((&set["usageMode"], &set["order"]), (&json!("used"), &json!("usage-first")));
}

#[test]
fn a_file_that_does_not_parse_is_not_overwritten() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    fs::write(env.settings_file(), "{").expect("written");
    let mut peer = env.raw_client();
    for (method, params) in
        [("rotation/set", json!({"maxAttempts": 2})), ("footer/set", json!({"order": "usage-first"}))]
    {
        let refused = peer.call(method, params).expect_err("nothing to write to");
        assert_eq!((&refused["code"], &refused["data"]["kind"]), (&json!(-32016), &json!("storage")));
    }
    assert_eq!(fs::read_to_string(env.settings_file()).expect("readable"), "{");
    assert_eq!(peer.call("rotation", json!({})).expect("a rotation")["settings"]["maxAttempts"], 6);
}

/// Real minutes would take too long, so only the last one passes here.
#[test]
fn countdowns_move_on_while_a_client_listens() {
    let windows = vec![SimWindow { minutes: 10_080, used_percent: 60.0, resets_in_seconds: 63 }];
    let usage = SimUsage { windows, ..SimUsage::default() };
    let env = TestEnv::new([SimAccount { usage, ..SimAccount::named("ada") }]);
    let mut peer = env.raw_client();
    peer.ignore("accounts/changed");
    peer.call("initialize", json!({})).expect("a handshake");
    peer.call("accounts", json!({"refreshUsage": true})).expect("a list");
    let mut told = Vec::new();
    while told.last().is_none_or(|text: &String| !text.ends_with("(↺<1m)")) {
        told.push(peer.expect_notification("status/changed")["text"].to_string().replace('"', ""));
    }
    let minutes = ["(↺1m)", "(↺<1m)"];
    let expected: Vec<String> =
        minutes.iter().map(|left| format!("Codex · ada@example.com · 5h:-- · 7d:40% left {left}")).collect();
    assert!(expected.ends_with(&told), "{told:?}");
}
