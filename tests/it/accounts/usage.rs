//! Usage that clients request.

use multicodex::sim::{Behaviour, Route, Rule, SimAccount};
use serde_json::{Value, json};

use crate::env::RawClient;
use crate::env::TestEnv;

const FRESH: &str = r#"{"refreshUsage":true}"#;

fn fresh() -> Value {
    serde_json::from_str(FRESH).expect("JSON")
}

fn source(list: &Value) -> &Value {
    &list["accounts"][0]["usage"]["source"]
}

fn world_with_slow_usage(delay_ms: u64) -> (TestEnv, RawClient) {
    let env = TestEnv::new([SimAccount::named("ada")]);
    env.sim().add_rule(Rule::always(Behaviour::Normal).on(Route::Usage).delayed(delay_ms));
    let peer = env.raw_client();
    (env, peer)
}

#[test]
fn whoever_asks_while_usage_is_being_read_waits_for_that_reading() {
    let (env, mut peer) = world_with_slow_usage(300);
    let ids = [0; 3].map(|_| peer.request("accounts", fresh()));
    for id in ids {
        assert_eq!(source(&peer.expect_response(id).expect("a list")), "usage_endpoint");
    }
    assert_eq!(env.sim().requests("ada", Route::Usage), 1);
}

#[test]
fn a_question_for_usage_that_is_cancelled_does_not_stop_later_ones() {
    let (env, mut peer) = world_with_slow_usage(500);
    let id = peer.request("accounts", fresh());
    peer.notify("$/cancelRequest", json!({"id": id}));
    assert_eq!(peer.expect_response(id).expect_err("cancelled")["code"], -32800);
    let list = peer.call("accounts", fresh()).expect("a list");
    assert_eq!(source(&list), "usage_endpoint");
    drop(peer);
    drop(env);
}
