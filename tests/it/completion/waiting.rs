//! Completions that wait for an account to become available.

use std::fs;

use multicodex::sim::{Behaviour, Rule, SimAccount};
use serde_json::json;

use crate::env::TestEnv;

#[test]
fn a_reset_by_the_user_ends_the_wait() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let settings = r#"{"pi-multicodex":{"rotation":{"waitForResetMs":600000}}}"#;
    fs::write(env.settings_file(), settings).expect("writable");
    env.sim().add_rule(Rule::next(1, Behaviour::usage_limit_for(300)).of("ada"));
    let mut peer = env.raw_client();
    peer.call("complete", json!({"request": {"model": "gpt-6.1-sol", "input": []}})).expect("a subscription");
    assert_eq!(peer.expect_notification("complete")["result"]["reason"]["kind"], "usage_limit");
    assert_eq!(
        peer.expect_notification("complete")["result"]["reason"]["kind"],
        "no_available_account",
        "it waits"
    );
    peer.call("reset", json!({"scope": "quota"})).expect("a reset");
    assert_eq!(peer.expect_notification("complete")["result"]["type"], "accepted");
    while peer.expect_notification("complete")["result"]["type"] != "done" {}
    assert_eq!(env.sim().posts("ada"), 2);
}
