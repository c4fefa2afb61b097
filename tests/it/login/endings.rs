//! Logins that fail: how each ends, and that nothing is stored then.

use std::fs;
use std::net::TcpStream;

use multicodex::sim::{Answer, Behaviour, Route, Rule, SimAccount};
use serde_json::{Value, json};
use url::Url;

use super::{command, completed, get, kind, peer, redirect};
use crate::env::TestEnv;
use crate::env::{Framing, RawClient};

#[test]
fn logins_end_each_for_itself() {
    let env = TestEnv::new([]);
    env.sim().add_account(SimAccount::named("ada"));
    let mut peer = peer(&env);
    let start = |peer: &mut RawClient| peer.call("login", json!({})).expect("a login");
    let (first, second, third) = (start(&mut peer), start(&mut peer), start(&mut peer));
    let id = |started: &Value| json!({"loginId": started["loginId"]});
    let waits = [&first, &second].map(|started| peer.request("login/wait", id(started)));
    let dropped = peer.request("login/wait", id(&third));
    peer.notify("$/cancelRequest", json!({"id": dropped}));
    assert_eq!(peer.expect_response(dropped).expect_err("cancelled")["code"], -32800);

    assert_eq!(peer.call("login/cancel", id(&first)), Ok(json!({"cancelled": true})));
    assert_eq!(kind(&peer.expect_response(waits[0]).expect_err("cancelled")), (-32014, "login_cancelled"));
    assert_eq!(completed(&mut peer)["error"]["kind"], "login_cancelled");
    assert_eq!(peer.call("login/cancel", id(&first)), Ok(json!({"cancelled": false})));
    assert_eq!(peer.call("login/cancel", json!({"loginId": "nobody"})), Ok(json!({"cancelled": false})));
    let error = peer.call("login/wait", json!({"loginId": "nobody"})).expect_err("unknown");
    assert_eq!((kind(&error).0, &error["data"]["path"]), (-32602, &json!("loginId")));
    assert_eq!(kind(&peer.call("login", json!({"label": "  "})).expect_err("blank")).0, -32602);

    // The one whose wait was cancelled goes on, and so does the other.
    get(redirect(&env, &third, "ada").as_str());
    assert_eq!(completed(&mut peer)["loginId"], third["loginId"]);
    env.sim().add_account(SimAccount::named("bob"));
    get(redirect(&env, &second, "bob").as_str());
    let account = peer.expect_response(waits[1]).expect("an account");
    assert_eq!(account["account"]["label"], "bob@example.com");
    assert_eq!(completed(&mut peer)["ok"], true);
}

#[test]
fn logins_that_are_begun_at_once_are_bounded_as_others_are() {
    let env = TestEnv::new([]);
    let mut peer = peer(&env);
    peer.ignore("login/completed");
    let batch: Vec<Value> = (1000..1040).map(|id| json!({"id": id, "method": "login"})).collect();
    peer.send(&json!(batch));
    let mut text = peer.expect_text();
    while !text.starts_with('[') {
        text = peer.expect_text();
    }
    let answers: Vec<Value> = serde_json::from_str(&text).expect("a batch of answers");
    let (refused, begun): (Vec<&Value>, Vec<&Value>) =
        answers.iter().partition(|answer| answer["error"].is_object());
    assert_eq!((begun.len(), refused.len()), (32, 8));
    assert!(refused.iter().all(|answer| kind(&answer["error"]) == (-32014, "login_failed")), "{refused:?}");
    let one = json!({"loginId": begun[0]["result"]["loginId"]});
    assert_eq!(peer.call("login/cancel", one.clone()), Ok(json!({"cancelled": true})));
    peer.call("login/wait", one).expect_err("cancelled");
    peer.call("login", json!({})).expect("there is room again");
}

#[test]
fn a_login_that_nobody_finishes_expires() {
    let env = TestEnv::new([]);
    env.sim().set_device_interval(1);
    let mut command = command(&env);
    command.env("MULTICODEX_TEST_LOGIN_LIVES_MS", "200");
    let mut peer = RawClient::spawn(command, Framing::Lines);
    peer.call("initialize", json!({"optOutNotifications": ["status/changed"]})).expect("a handshake");
    for flow in ["browser", "device"] {
        let started = peer.call("login", json!({"flow": flow})).expect("a login");
        let error = peer.call("login/wait", json!({"loginId": started["loginId"]})).expect_err("too late");
        assert_eq!(kind(&error), (-32014, "login_expired"), "{flow}");
        assert_eq!(completed(&mut peer)["error"]["kind"], "login_expired");
    }
}

#[test]
fn an_exchange_that_fails_stores_nothing() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    env.sim().add_account(SimAccount::named("bob"));
    let mut peer = peer(&env);
    let before = fs::read(env.accounts_file()).expect("a file");
    let row = |name: &str| Behaviour::row(name).expect("a row");
    let html = Behaviour::Answer(Answer::json(200, json!("<html>")));
    for (fault, status) in [
        (row("server_error"), json!(500)),
        (html, Value::Null),
        (row("token_without_access"), Value::Null),
        (row("token_keeps_refresh"), Value::Null),
        (row("invalid_grant"), json!(400)),
        (Behaviour::Cut, Value::Null),
    ] {
        env.sim().add_rule(Rule::next(1, fault.clone()).on(Route::Token));
        let started = peer.call("login", json!({})).expect("a login");
        let (_, page) = get(redirect(&env, &started, "bob").as_str());
        assert!(page.contains("The login failed"), "{fault:?}: {page}");
        let error = peer.call("login/wait", json!({"loginId": started["loginId"]})).expect_err("it failed");
        assert_eq!(
            (kind(&error), &error["data"]["status"]),
            ((-32014, "login_failed"), &status),
            "{fault:?}"
        );
        assert_eq!(completed(&mut peer)["ok"], false);
    }
    // A file that cannot be written is reported as such, and left alone.
    let started = peer.call("login", json!({})).expect("a login");
    peer.ignore("warning");
    fs::write(env.accounts_file(), "{broken").expect("our own file");
    let error = peer.call("login", json!({})).expect_err("it could not be stored");
    assert_eq!(kind(&error), (-32016, "storage"));
    get(redirect(&env, &started, "bob").as_str());
    let error = peer.call("login/wait", json!({"loginId": started["loginId"]})).expect_err("not stored");
    assert_eq!(kind(&error), (-32016, "storage"));
    assert_eq!(completed(&mut peer)["error"]["kind"], "storage");
    assert_eq!(fs::read(env.accounts_file()).expect("a file"), b"{broken");
    fs::write(env.accounts_file(), before).expect("our own file");
}

#[test]
fn the_end_of_the_process_ends_the_logins() {
    let env = TestEnv::new([]);
    let mut peer = peer(&env);
    let started = peer.call("login", json!({})).expect("a login");
    let wait = peer.request("login/wait", json!({"loginId": started["loginId"]}));
    let port = redirect_port(&started);
    peer.close_stdin();
    assert_eq!(peer.expect_response(wait).expect_err("cancelled")["code"], -32800);
    assert!(peer.expect_exit().success());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

fn redirect_port(started: &Value) -> u16 {
    let url = Url::parse(started["url"].as_str().expect("an address")).expect("an address");
    let (_, redirect) = url.query_pairs().find(|(name, _)| name == "redirect_uri").expect("a redirect");
    Url::parse(&redirect).expect("an address").port().expect("a port")
}
