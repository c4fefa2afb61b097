//! The account that is linked to pi's auth.json, logged in again here: pi gets the login, too, and the login is not
//! lost whatever happens to its file.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use multicodex::sim::{Route, SimAccount};
use multicodex::store::{LockDirectory, LockGuard};
use serde_json::{Value, json};

use super::{command, completed, file, get, kind, labels, peer, redirect};
use crate::env::{Framing, RawClient};
use crate::env::{TestEnv, eventually_blocking};
use crate::import::pi_and_codex::{auth_file, auth_json};

/// Bob in the accounts file, and pi logged in as ada, with a token that claims to live that long from now.
fn with_pi(lives_ms: i64) -> TestEnv {
    let env = TestEnv::new([SimAccount::named("bob")]);
    let mut login = env.sim().add_account(SimAccount::named("ada"));
    login.expires_at += lives_ms;
    fs::write(auth_file(&env), auth_json(&login)).expect("written");
    env
}

fn of_pi(env: &TestEnv) -> Value {
    let text = fs::read_to_string(auth_file(env)).expect("auth.json is there");
    serde_json::from_str(&text).expect("auth.json is never torn")
}

fn state_file(env: &TestEnv, name: &str) -> PathBuf {
    env.accounts_file().with_file_name("state").join(name)
}

fn exchanged(env: &TestEnv) -> usize {
    env.sim().log().iter().filter(|logged| logged.route == Some(Route::Token)).count()
}

/// The accounts file and pi's file have the same credential of ada, which is linked, and everything else is unchanged.
#[track_caller]
fn check_both_have_it(env: &TestEnv, before: &Value) {
    let (accounts, mut pi) = (file(env), of_pi(env));
    let entry = &accounts["accounts"][1];
    assert_eq!(accounts["accounts"].as_array().map(Vec::len), Some(2), "{accounts}");
    assert_eq!(entry["importSource"], "pi-openai-codex");
    assert_eq!(entry["accessToken"], pi["openai-codex"]["access"]);
    assert_eq!(entry["refreshToken"], pi["openai-codex"]["refresh"]);
    assert_eq!(entry["expiresAt"], pi["openai-codex"]["expires"]);
    assert_ne!(pi["openai-codex"]["refresh"], before["openai-codex"]["refresh"]);
    for token in ["access", "refresh", "expires"] {
        pi["openai-codex"][token] = before["openai-codex"][token].clone();
    }
    assert_eq!(&pi, before);
}

#[test]
fn pi_gets_the_login_too_and_nothing_is_merged_after_it() {
    // Also over a token that would live longer: a person logs in because it cannot be used.
    for lives_ms in [0, 100 * 86_400_000] {
        for method in ["reauth", "login"] {
            let env = with_pi(lives_ms);
            let mut peer = RawClient::spawn(command(&env), Framing::Lines);
            peer.call("initialize", json!({"optOutNotifications": ["status/changed"]})).expect("a handshake");
            let mine = json!({"account": "ada@example.com", "label": "mine"});
            peer.call("accounts/label", mine).expect("renamed");
            let renamed = peer.expect_notification("accounts/changed")["reason"].take();
            let before = of_pi(&env);
            let merged_before = fs::read(state_file(&env, "imports.json")).expect("merged at start");

            let params = if method == "reauth" { json!({"account": "mine"}) } else { json!({}) };
            let started = peer.call(method, params).expect("a login");
            get(redirect(&env, &started, "ada").as_str());
            let told = completed(&mut peer);
            assert_eq!(told["ok"], true, "{told}");
            check_both_have_it(&env, &before);
            assert!(!auth_file(&env).with_file_name("auth.json.lock").exists());
            assert_eq!(peer.expect_notification("accounts/changed")["reason"], "login");

            eventually_blocking("the watcher looks at what was written", || {
                fs::read(state_file(&env, "imports.json")).expect("there") != merged_before
            });
            let import = peer.call("accounts/import", json!({})).expect("an import");
            let nothing =
                json!({"changed": false, "added": [], "updated": [], "unchanged": [told["account"]]});
            assert_eq!(import, nothing);
            peer.call("accounts/label", json!({"account": "mine", "label": "hers"})).expect("renamed");
            assert_eq!(
                peer.expect_notification("accounts/changed")["reason"],
                renamed,
                "{method} {lives_ms}"
            );
            let list = peer.call("accounts", json!({})).expect("accounts");
            assert_eq!(labels(&list), ["bob@example.com", "hers"]);
            assert_eq!(list["accounts"][1]["linked"], true);
            // The token is valid for pi and for us; it does not matter when its use is reported.
            peer.ignore("accounts/changed");
            let used = json!({"account": "hers", "request": {"model": "gpt-6.1-sol", "input": []}});
            peer.call("complete/collect", used).expect("a completion");
            assert_eq!((exchanged(&env), env.sim().reused()), (1, 0), "more than the code was sent");
        }
    }
}

#[test]
fn a_login_that_pi_could_not_get_is_not_begun() {
    let env = with_pi(0);
    let mut peer = peer(&env);
    peer.ignore("warning");
    let before = (file(&env), of_pi(&env));
    let reauth = json!({"account": "ada@example.com"});
    let held = LockDirectory::acquire(&auth_file(&env), Duration::ZERO).expect("free");
    let error = peer.call("reauth", reauth.clone()).expect_err("pi is busy");
    assert_eq!((kind(&error), &error["data"]["retryable"]), ((-32016, "storage"), &json!(true)));
    drop(held);
    let text = fs::read(auth_file(&env)).expect("there");
    fs::write(auth_file(&env), r#"{"openai-codex": {"type":"#).expect("written");
    let error = peer.call("reauth", reauth.clone()).expect_err("it does not parse");
    assert_eq!((kind(&error), &error["data"]["retryable"]), ((-32016, "storage"), &json!(false)));
    assert!(error["message"].as_str().is_some_and(|message| message.contains("auth.json")), "{error}");
    fs::write(auth_file(&env), text).expect("written");
    peer.call("reauth", reauth).expect("a login");
    assert_eq!((file(&env), of_pi(&env)), before);
}

#[test]
fn a_login_that_pi_cannot_get_any_more_is_stored_all_the_same_and_told() {
    let env = with_pi(-60_000);
    let mut peer = peer(&env);
    let (before, whole) = (file(&env), fs::read(auth_file(&env)).expect("there"));
    let started = peer.call("reauth", json!({"account": "ada@example.com"})).expect("a login");
    let torn = r#"{"openai-codex": {"type":"#;
    fs::write(auth_file(&env), torn).expect("written");
    get(redirect(&env, &started, "ada").as_str());
    loop {
        let warning = peer.expect_notification("warning");
        let message = warning["message"].as_str().expect("a message");
        if message.contains("could not be written to pi's auth.json") {
            assert_eq!(warning["kind"], "corrupt_file");
            assert!(warning["hint"].as_str().is_some_and(|hint| hint.contains("refresh")), "{warning}");
            break;
        }
    }
    assert_eq!(completed(&mut peer)["ok"], true);
    let entry = &file(&env)["accounts"][1];
    assert_ne!(entry["refreshToken"], before["accounts"][1]["refreshToken"]);
    assert_eq!(entry["importSource"], "pi-openai-codex");
    assert_eq!(fs::read_to_string(auth_file(&env)).expect("there"), torn);
    peer.ignore("warning");
    peer.ignore("refresh/progress");
    // Repaired, with the earlier login: the hint helps.
    fs::write(auth_file(&env), whole).expect("written");
    let hinted = json!({"account": "ada@example.com", "force": true});
    let answer = peer.call("refresh", hinted).expect("refreshed");
    assert_eq!(answer["results"][0]["ok"], true, "{answer}");
    assert_eq!(file(&env)["accounts"][1]["refreshToken"], of_pi(&env)["openai-codex"]["refresh"]);
}

#[test]
fn a_login_that_pi_could_not_get_reaches_it_later_and_takes_the_place_of_no_newer_one() {
    for newer in [false, true] {
        let env = with_pi(-60_000);
        let mut command = command(&env);
        command.env("MULTICODEX_TEST_UPKEEP_MS", "50");
        let ignored = ["warning", "accounts/changed", "status/changed", "refresh/progress"];
        let mut peer = RawClient::initialized(command, &ignored);
        let before = of_pi(&env);
        let started = peer.call("reauth", json!({"account": "ada@example.com"})).expect("a login");
        fs::write(auth_file(&env), r#"{"openai-codex": {"type":"#).expect("written");
        get(redirect(&env, &started, "ada").as_str());
        assert_eq!(completed(&mut peer)["ok"], true);
        if newer {
            let login = env.sim().sign_in("ada").expect("known");
            fs::write(auth_file(&env), auth_json(&login)).expect("written");
            let token = json!(login.access_token);
            eventually_blocking("pi's own login is used", || {
                file(&env)["accounts"][1]["accessToken"] == token
            });
            assert_eq!(of_pi(&env)["openai-codex"]["access"], token);
        } else {
            fs::write(auth_file(&env), before.to_string()).expect("written");
            let stored = file(&env)["accounts"][1]["refreshToken"].clone();
            eventually_blocking("pi has it", || of_pi(&env)["openai-codex"]["refresh"] == stored);
        }
        check_both_have_it(&env, &before);
    }
}

#[test]
fn an_accounts_file_that_cannot_be_written_leaves_pi_s_as_it_was() {
    let env = with_pi(0);
    let mut peer = peer(&env);
    peer.ignore("warning");
    let before = of_pi(&env);
    let started = peer.call("reauth", json!({"account": "ada@example.com"})).expect("a login");
    fs::write(env.accounts_file(), "{broken").expect("our own file");
    get(redirect(&env, &started, "ada").as_str());
    assert_eq!(completed(&mut peer)["error"]["kind"], "storage");
    assert_eq!(of_pi(&env), before);
    assert_eq!(fs::read_to_string(env.accounts_file()).expect("there"), "{broken");
}

#[test]
fn someone_else_s_login_is_refused_and_one_that_pi_got_meanwhile_stays() {
    let env = with_pi(0);
    let mut peer = peer(&env);
    let before = (file(&env), of_pi(&env));
    let reauth = json!({"account": "ada@example.com"});
    let started = peer.call("reauth", reauth.clone()).expect("a login");
    get(redirect(&env, &started, "bob").as_str());
    assert_eq!(completed(&mut peer)["error"]["kind"], "identity_mismatch");
    assert_eq!((file(&env), of_pi(&env)), before);

    // This holds back the merge, so that pi's new login is still unknown when ours is stored.
    let blind = LockGuard::acquire(&state_file(&env, "imports.json.lock"), Duration::ZERO).expect("free");
    let started = peer.call("reauth", reauth).expect("a login");
    let cleo = env.sim().add_account(SimAccount::named("cleo"));
    fs::write(auth_file(&env), auth_json(&cleo)).expect("written");
    get(redirect(&env, &started, "ada").as_str());
    assert_eq!(completed(&mut peer)["ok"], true);
    assert_eq!(of_pi(&env)["openai-codex"]["access"], cleo.access_token);
    assert_ne!(file(&env)["accounts"][1]["refreshToken"], before.0["accounts"][1]["refreshToken"]);
    drop(blind);
}

#[test]
fn an_account_that_becomes_pi_s_while_its_login_is_stored_is_pi_s() {
    let env = TestEnv::new([SimAccount::named("bob"), SimAccount::named("ada")]);
    let mut peer = peer(&env);
    let started = peer.call("reauth", json!({"account": "ada@example.com"})).expect("a login");
    // The login waits for a refresh in progress, and pi logs in meanwhile.
    let lane = LockGuard::acquire(&env.guard_dir().join("redeem.lock"), Duration::ZERO).expect("free");
    let callback = redirect(&env, &started, "ada");
    let browser = std::thread::spawn(move || get(callback.as_str()));
    eventually_blocking("the code is exchanged", || exchanged(&env) == 1);
    let login = env.sim().sign_in("ada").expect("known");
    fs::write(auth_file(&env), auth_json(&login)).expect("written");
    eventually_blocking("pi's login is merged", || {
        file(&env)["accounts"][1]["accessToken"] == login.access_token.as_str()
    });
    let before = of_pi(&env);
    drop(lane);
    assert_eq!(completed(&mut peer)["ok"], true);
    check_both_have_it(&env, &before);
    browser.join().expect("the page came");
}
