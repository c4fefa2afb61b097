//! Who an account is when its tokens say less than they did, or less than one would wish.

use multicodex::sim::{Behaviour, Issue, Route, Rule, SimAccount};
use serde_json::{Value, json};

use crate::env::TestEnv;

fn without(name: &str, claims: &[&str]) -> SimAccount {
    let omit_claims = claims.iter().map(|claim| (*claim).to_owned()).collect();
    SimAccount { workspace_id: "ws-shared".to_owned(), omit_claims, ..SimAccount::named(name) }
}

fn accounts(env: &TestEnv) -> Vec<Value> {
    let list = env.raw_client().call("accounts", json!({})).expect("a list");
    list["accounts"].as_array().expect("a list").clone()
}

#[test]
fn two_users_of_one_workspace_are_two_accounts_whatever_their_tokens_lack() {
    let user_ids = ["chatgpt_user_id", "user_id"];
    for claims in [&user_ids[..], &["chatgpt_user_id", "user_id", "sub"], &["chatgpt_user_id"]] {
        let env = TestEnv::new([without("ada", claims), without("bob", claims)]);
        let listed = accounts(&env);
        assert_eq!(listed.len(), 2, "{claims:?}: {listed:?}");
        assert_ne!(listed[0]["id"], listed[1]["id"], "{claims:?}");
        let removed = json!({"account": "bob@example.com"});
        env.raw_client().call("accounts/remove", removed).expect("removed");
        let left = accounts(&env);
        assert_eq!((left.len(), &left[0]["id"]), (1, &listed[0]["id"]), "{claims:?}: {left:?}");
    }
}

#[test]
fn opaque_tokens_of_one_workspace_are_told_apart_by_the_email_of_their_entry() {
    let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
    env.rewrite_accounts(|file| {
        for (at, account) in file["accounts"].as_array_mut().expect("a list").iter_mut().enumerate() {
            account["accessToken"] = json!(format!("opaque-{at}"));
            account["accountId"] = json!("ws-shared");
        }
    });
    let listed = accounts(&env);
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert_ne!(listed[0]["id"], listed[1]["id"]);
}

#[test]
fn an_account_keeps_its_identity_when_its_new_token_lacks_a_claim() {
    let all = ["chatgpt_user_id", "user_id", "sub", "email"];
    for claims in [&all[..1], &all[..2], &all[..3], &all] {
        let env = TestEnv::new([without("ada", &[]), without("bob", &[])]);
        let omit_claims = claims.iter().map(|claim| (*claim).to_owned()).collect();
        let issue = Issue { omit_claims, ..Issue::default() };
        env.sim().add_rule(Rule::always(Behaviour::Issue(issue)).on(Route::Token));
        let mut peer = env.raw_client();
        let before = peer.call("accounts", json!({})).expect("a list")["accounts"].take();
        let disabled = peer.call("accounts/disable", json!({"account": "ada@example.com"}));
        disabled.expect("disabled");
        let answer = peer.call("refresh", json!({"account": "ada@example.com", "force": true}));
        let answer = answer.expect("results");
        assert_eq!(answer["results"][0]["ok"], true, "{claims:?}: {answer}");
        drop(peer);
        for _restart in 0..2 {
            let after = accounts(&env);
            assert_eq!(after.len(), 2, "{claims:?}: {after:?}");
            assert_eq!(after[0]["id"], before[0]["id"], "{claims:?}");
            assert_eq!(after[0]["state"], "disabled", "{claims:?}");
            assert_eq!(after[1]["id"], before[1]["id"], "{claims:?}");
        }
    }
}
