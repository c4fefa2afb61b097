//! Logging in with the real binary: by browser, by pasting and by device code, and the effect on the accounts. The test
//! acts as the browser, the simulator as the authorization server.

mod endings;
mod pi;
mod process_env;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use multicodex::sim::{Behaviour, Route, Rule, SimAccount};
use serde_json::{Value, json};
use url::Url;

use crate::env::{DEADLINE, Framing, RawClient};
use crate::env::{TestEnv, eventually_blocking};

/// An environment in which callbacks may listen on any port, so that tests do not disturb each other.
pub fn command(env: &TestEnv) -> Command {
    let mut command = env.command(&["serve"]);
    command.env("MULTICODEX_TEST_CALLBACK_PORTS", "0");
    command
}

fn peer(env: &TestEnv) -> RawClient {
    let mut peer = RawClient::spawn(command(env), Framing::Lines);
    peer.ignore("accounts/changed");
    peer.call(
        "initialize",
        json!({"client": {"name": "my editor"}, "optOutNotifications": ["status/changed"]}),
    )
    .expect("a handshake");
    peer
}

/// Follows the login's address as this account, up to the redirect. Returns the redirect's address.
pub fn redirect(env: &TestEnv, started: &Value, name: &str) -> Url {
    env.sim().set_visitor(Some(name));
    let (status, answer) = get(started["url"].as_str().expect("an address"));
    assert_eq!(status, 302, "{answer}");
    let location = answer.lines().find_map(|line| line.strip_prefix("location: ")).expect("a redirect");
    Url::parse(location).expect("an address")
}

/// Returns the status and the whole answer.
pub fn get(url: &str) -> (u16, String) {
    let url = Url::parse(url).expect("an address");
    let address = (url.host_str().expect("a host"), url.port().expect("a port"));
    let mut stream = TcpStream::connect(address).expect("someone listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    write!(stream, "GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", url.authority())
        .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    (answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), answer)
}

fn file(env: &TestEnv) -> Value {
    let text = fs::read_to_string(env.accounts_file()).expect("an accounts file");
    serde_json::from_str(&text).expect("it parses")
}

fn labels(list: &Value) -> Vec<&str> {
    list["accounts"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|account| account["label"].as_str())
        .collect()
}

fn kind(error: &Value) -> (i64, &str) {
    (error["code"].as_i64().expect("a code"), error["data"]["kind"].as_str().expect("a kind"))
}

fn completed(peer: &mut RawClient) -> Value {
    peer.expect_notification("login/completed")
}

#[test]
fn a_browser_comes_back_and_a_new_account_is_there() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    env.sim().add_account(SimAccount::named("bob"));
    let mut peer = peer(&env);
    let started = peer.call("login", json!({})).expect("a login");
    assert_eq!((&started["flow"], started.get("userCode")), (&json!("browser"), None));
    let wait = peer.request("login/wait", json!({"loginId": started["loginId"]}));

    let callback = redirect(&env, &started, "bob");
    let port = callback.port().expect("a port");
    assert_eq!(get(&format!("http://127.0.0.1:{port}/")).0, 404);
    assert_eq!(get(&format!("http://127.0.0.1:{port}/auth/callback?code=x&state=y")).0, 400);
    let (status, page) = get(callback.as_str());
    assert!(status == 200 && page.contains("You can close this page"), "{page}");

    let account = peer.expect_response(wait).expect("an account")["account"].take();
    assert_eq!(
        (&account["label"], &account["plan"], &account["state"], &account["linked"]),
        (&json!("bob@example.com"), &json!("plus"), &json!("ready"), &json!(false))
    );
    let expected = json!({"loginId": started["loginId"], "ok": true, "account": account["id"]});
    assert_eq!(completed(&mut peer), expected);
    assert_eq!(peer.expect_notification("accounts/changed")["reason"], "login");
    // The outcome is still known when it is requested later.
    let again = peer.call("login/wait", json!({"loginId": started["loginId"]})).expect("an account");
    assert_eq!(again["account"]["id"], account["id"]);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "the port is still open");

    let file = file(&env);
    assert_eq!(file["accounts"][0]["email"], "ada@example.com");
    assert_eq!(file["accounts"][1]["email"], "bob@example.com");
    assert_eq!(file["accounts"][1]["accountId"], "ws-bob");
    let mode = fs::metadata(env.accounts_file()).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // It is an account like any other: upstream accepts its token, also after a restart.
    let used = json!({"account": "bob@example.com", "request": {"model": "gpt-6.1-sol", "input": []}});
    let answer = peer.call("complete/collect", used.clone()).expect("a completion");
    assert_eq!(answer["account"], account["id"]);
    drop(peer);
    let mut restarted = env.raw_client();
    assert_eq!(restarted.call("complete/collect", used).expect("a completion")["account"], account["id"]);
    assert_eq!(env.sim().requests("bob", Route::Token), 1);
}

#[test]
fn whatever_is_pasted_is_taken_and_a_mistake_can_be_mended() {
    let env = TestEnv::new([]);
    for (nth, name) in ["ada", "bob", "cleo"].into_iter().enumerate() {
        env.sim().add_account(SimAccount::named(name));
        let mut peer = peer(&env);
        let started = peer.call("login", json!({})).expect("a login");
        let redirect = redirect(&env, &started, name);
        let member = |name: &str| redirect.query_pairs().find(|(key, _)| key == name).expect("a member").1;
        let input = match nth {
            0 => redirect.to_string(),
            1 => format!("{}#{}", member("code"), member("state")),
            _ => member("code").into_owned(),
        };
        let id = &started["loginId"];
        let submit = |input: &str| json!({"loginId": id, "input": input});
        for mistake in ["", "two words", "code#otherstate", started["url"].as_str().expect("an address")] {
            let error = peer.call("login/submit", submit(mistake)).expect_err("no paste");
            assert_eq!(kind(&error), (-32602, "invalid_params"), "{mistake}");
            assert_eq!(error["data"]["path"], "input");
        }
        let account = peer.call("login/submit", submit(&input)).expect("an account")["account"].take();
        assert_eq!(account["label"], format!("{name}@example.com"));
        assert_eq!(completed(&mut peer)["ok"], true);
        let late = peer.call("login/submit", submit("too late")).expect("the same account");
        assert_eq!(late["account"]["id"], account["id"]);
    }
    assert_eq!(file(&env)["accounts"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_device_login_waits_for_its_code_to_be_granted() {
    let env = TestEnv::new([]);
    env.sim().add_account(SimAccount::named("ada"));
    env.sim().set_device_interval(1);
    let mut peer = peer(&env);
    let started = peer.call("login", json!({"flow": "device", "label": "work"})).expect("a login");
    let (url, code) = (started["url"].as_str(), started["userCode"].as_str().expect("a code"));
    assert!(url.is_some_and(|url| url.ends_with("/codex/device")), "{url:?}");
    let id = json!({"loginId": started["loginId"]});
    let submit = json!({"loginId": started["loginId"], "input": "ac_1"});
    assert_eq!(kind(&peer.call("login/submit", submit).expect_err("no paste")).0, -32602);
    let wait = peer.request("login/wait", id);
    eventually_blocking("the code was asked about", || {
        env.sim().log().iter().any(|logged| logged.route == Some(Route::DevicePoll))
    });
    assert!(env.sim().grant_device(code, "ada"));
    let account = peer.expect_response(wait).expect("an account")["account"].take();
    assert_eq!((&account["label"], &account["email"]), (&json!("work"), &json!("ada@example.com")));
    assert_eq!(completed(&mut peer)["account"], account["id"]);
}

#[test]
fn a_device_login_fails_with_the_server_s_reason() {
    let env = TestEnv::new([]);
    env.sim().set_device_interval(1);
    let mut peer = peer(&env);
    let row = |name: &str| Behaviour::row(name).expect("a row");
    env.sim().add_rule(Rule::next(1, row("device_off")).on(Route::DeviceCode));
    let error = peer.call("login", json!({"flow": "device"})).expect_err("not offered");
    assert_eq!(kind(&error), (-32014, "login_failed"));
    for (fault, expected) in [("device_expired", "login_expired"), ("device_denied", "login_failed")] {
        env.sim().add_rule(Rule::next(1, row(fault)).on(Route::DevicePoll));
        let started = peer.call("login", json!({"flow": "device"})).expect("a login");
        let error = peer.call("login/wait", json!({"loginId": started["loginId"]})).expect_err("it failed");
        assert_eq!(kind(&error), (-32014, expected), "{fault}");
        let told = completed(&mut peer);
        assert_eq!((&told["ok"], &told["error"]["kind"]), (&json!(false), &json!(expected)));
    }
}

/// Waits until the first account in the file needs a login.
fn until_marked(env: &TestEnv) {
    eventually_blocking("it is marked", || file(env)["accounts"][0]["needsReauth"] == true);
}

#[test]
fn a_known_identity_is_renewed_in_its_slot_and_another_is_refused() {
    let mut dead = SimAccount::named("ada");
    dead.first_expires_in = Some(-60);
    let env = TestEnv::new([dead, SimAccount::named("bob")]);
    let mut peer = peer(&env);
    peer.ignore("warning");
    let ada = peer.call("accounts/label", json!({"account": "ada@example.com", "label": "mine"}));
    let ada = ada.expect("an account")["account"]["id"].clone();
    let refused = Behaviour::row("refresh_token_reused").expect("a row");
    env.sim().add_rule(Rule::next(1, refused).of("ada").on(Route::Token));
    let used = json!({"account": "mine", "request": {"model": "gpt-6.1-sol", "input": []}});
    peer.call("complete/collect", used.clone()).expect_err("the login is dead");
    let state = |peer: &mut RawClient| {
        let list = peer.call("accounts", json!({})).expect("accounts");
        list["accounts"][0]["state"].as_str().map(str::to_owned)
    };
    assert_eq!(state(&mut peer).as_deref(), Some("needs_login"));

    // Another identity than the requested one.
    let started = peer.call("reauth", json!({"account": "mine"})).expect("a login");
    // It is written a moment after it was found, and not by the requests below.
    until_marked(&env);
    let before = fs::read(env.accounts_file()).expect("a file");
    let wait = peer.request("login/wait", json!({"loginId": started["loginId"]}));
    let (status, page) = get(redirect(&env, &started, "bob").as_str());
    assert!(status == 200 && page.contains("The login failed"), "{page}");
    let error = peer.expect_response(wait).expect_err("another identity");
    assert_eq!(kind(&error), (-32014, "identity_mismatch"));
    assert_eq!((&error["data"]["account"], completed(&mut peer)["ok"].take()), (&ada, json!(false)));
    assert_eq!(fs::read(env.accounts_file()).expect("a file"), before, "something was stored");

    let started = peer.call("reauth", json!({"account": "mine"})).expect("a login");
    let wait = peer.request("login/wait", json!({"loginId": started["loginId"]}));
    get(redirect(&env, &started, "ada").as_str());
    let account = peer.expect_response(wait).expect("an account")["account"].take();
    assert_eq!(
        (&account["id"], &account["label"], &account["state"]),
        (&ada, &json!("mine"), &json!("ready"))
    );
    assert_eq!(completed(&mut peer)["ok"], true);
    peer.call("complete/collect", used).expect("it works again");

    // `login` finds the account, too, and keeps its label.
    peer.call("accounts/use", json!({"account": "mine"})).expect("pinned");
    let started = peer.call("login", json!({"label": "other"})).expect("a login");
    get(redirect(&env, &started, "ada").as_str());
    assert_eq!(completed(&mut peer)["account"], ada);
    let list = peer.call("accounts", json!({})).expect("accounts");
    assert_eq!((labels(&list), &list["pinned"]), (vec!["mine", "bob@example.com"], &ada));
    // Without a name the active account is renewed.
    let started = peer.call("reauth", json!({})).expect("a login");
    get(redirect(&env, &started, "ada").as_str());
    assert_eq!(completed(&mut peer)["account"], ada);
    assert!(file(&env)["accounts"][0].get("needsReauth").is_none());
}

#[test]
fn one_e_mail_in_two_workspaces_is_two_accounts() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let mut other = SimAccount::named("ada-at-work");
    other.email = "ada@example.com".to_owned();
    other.workspace_id = "ws-work-0001".to_owned();
    env.sim().add_account(other);
    let mut peer = peer(&env);
    let started = peer.call("login", json!({})).expect("a login");
    get(redirect(&env, &started, "ada-at-work").as_str());
    assert_eq!(completed(&mut peer)["ok"], true);
    let list = peer.call("accounts", json!({})).expect("accounts");
    assert_eq!(labels(&list), ["ada@example.com", "ada@example.com [ws-work-]"]);
    let error = peer.call("reauth", json!({"account": "ADA@example.com"})).expect_err("two of them");
    assert_eq!(kind(&error), (-32011, "account_ambiguous"));
}

#[test]
fn taken_ports_leave_pasting_and_waits_count_towards_no_limit() {
    let env = TestEnv::new([]);
    env.sim().add_account(SimAccount::named("ada"));
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let mut command = env.command(&["serve"]);
    command.env("MULTICODEX_TEST_CALLBACK_PORTS", port).args(["--max-requests", "1"]);
    let mut peer = RawClient::spawn(command, Framing::Lines);
    let started = peer.call("login", json!({})).expect("a login");
    let wait = peer.request("login/wait", json!({"loginId": started["loginId"]}));
    let callback = redirect(&env, &started, "ada");
    assert_eq!(callback.port(), Some(1455));
    let submit = json!({"loginId": started["loginId"], "input": callback.as_str()});
    let submitted = peer.call("login/submit", submit).expect("an account");
    assert_eq!(peer.expect_response(wait), Ok(submitted));
}

#[test]
fn a_refresh_under_way_does_not_take_the_place_of_a_login() {
    let mut expired = SimAccount::named("ada");
    expired.first_expires_in = Some(-60);
    let env = TestEnv::new([expired]);
    let slow = Rule::next(1, Behaviour::Normal).of("ada").on(Route::Token).delayed(800);
    env.sim().add_rule(slow);
    let mut peer = peer(&env);
    let refreshing = peer.request("accounts/use", json!({"account": "ada@example.com"}));
    eventually_blocking("it is being refreshed", || env.sim().refreshes("ada") > 0);
    let started = peer.call("reauth", json!({"account": "ada@example.com"})).expect("a login");
    get(redirect(&env, &started, "ada").as_str());
    peer.expect_response(refreshing).expect("refreshed");
    assert_eq!(completed(&mut peer)["ok"], true);
    // The first was in the file, the second is the login's, the third was refreshed after it and stored before it.
    assert_eq!(file(&env)["accounts"][0]["refreshToken"], "rt_sim_ada_2");
    peer.call("accounts/use", json!({"account": "ada@example.com"})).expect("it is good");
    assert_eq!(env.sim().refreshes("ada"), 2);
}
