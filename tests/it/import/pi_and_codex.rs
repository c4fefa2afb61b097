//! Logins of other programs with the real binary: in whatever way pi's file is written, the pool follows, and nothing
//! is lost.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use multicodex::sim::{SimAccount, SimLogin};
use serde_json::{Value, json};

use crate::env::RawClient;
use crate::env::{TestEnv, eventually_blocking};

fn agent_dir(env: &TestEnv) -> PathBuf {
    env.accounts_file().parent().expect("a directory").to_owned()
}

pub fn auth_file(env: &TestEnv) -> PathBuf {
    agent_dir(env).join("auth.json")
}

/// As pi writes it.
pub fn auth_json(login: &SimLogin) -> String {
    let entry = json!({
        "type": "oauth",
        "access": login.access_token,
        "refresh": login.refresh_token,
        "expires": login.expires_at,
        "accountId": login.account.workspace_id,
        "unknown": [1.5],
    });
    format!("{:#}", json!({ "anthropic": { "type": "api_key", "key": "kept" }, "openai-codex": entry }))
}

/// What the Codex CLI writes.
pub fn codex_auth_json(login: &SimLogin) -> String {
    let tokens = json!({
        "id_token": login.id_token,
        "access_token": login.access_token,
        "refresh_token": login.refresh_token,
        "account_id": login.account.workspace_id,
    });
    let last_refresh = "2026-11-22T14:01:13.740343751Z";
    json!({ "auth_mode": "chatgpt", "OPENAI_API_KEY": null, "tokens": tokens, "last_refresh": last_refresh })
        .to_string()
}

pub fn sign_in(env: &TestEnv, name: &str) -> SimLogin {
    let known = env.sim().sign_in(name);
    known.unwrap_or_else(|| env.sim().add_account(SimAccount::named(name)))
}

fn started(env: &TestEnv) -> RawClient {
    let mut peer = env.raw_client();
    peer.ignore("accounts/changed");
    peer.call("initialize", json!({"optOutNotifications": ["status/changed"]})).expect("initialize");
    peer
}

/// (label, linked) of each account.
fn accounts(peer: &mut RawClient) -> Vec<(String, bool)> {
    let list = peer.call("accounts", json!({})).expect("accounts");
    let accounts = list["accounts"].as_array().expect("a list");
    accounts
        .iter()
        .map(|account| (account["label"].as_str().expect("a label").to_owned(), account["linked"] == true))
        .collect()
}

fn told(accounts: &[(&str, bool)]) -> Vec<(String, bool)> {
    accounts.iter().map(|(name, linked)| (format!("{name}@example.com"), *linked)).collect()
}

#[track_caller]
fn pool_becomes(peer: &mut RawClient, what: &str, expected: &[(&str, bool)]) {
    eventually_blocking(&format!("{what}: {expected:?}"), || accounts(peer) == told(expected));
}

fn import_notice(peer: &mut RawClient) -> Value {
    loop {
        let changed = peer.expect_notification("accounts/changed");
        if changed["reason"] == "import" {
            return changed;
        }
    }
}

fn in_file(env: &TestEnv) -> Value {
    let text = fs::read_to_string(env.accounts_file()).expect("the accounts file");
    serde_json::from_str(&text).expect("it parses")
}

#[test]
fn the_first_answer_knows_who_is_signed_in_to_pi() {
    let env = TestEnv::new(["ada", "bob"].map(SimAccount::named));
    let mut peer = env.raw_client();
    let before = peer.call("accounts", json!({})).expect("accounts");
    drop(peer);
    let cleo = sign_in(&env, "cleo");
    fs::write(auth_file(&env), auth_json(&cleo)).expect("written");
    let mut peer = env.raw_client();
    let after = peer.call("accounts", json!({})).expect("accounts");
    assert_eq!(after["active"], before["active"], "joining changes no choice");
    assert_eq!(accounts(&mut peer), told(&[("ada", false), ("bob", false), ("cleo", true)]));
    let entry = &in_file(&env)["accounts"][2];
    assert_eq!(entry["accessToken"], json!(cleo.access_token));
    assert_eq!((&entry["importSource"], &entry["accountId"]), (&json!("pi-openai-codex"), &json!("ws-cleo")));
    assert_eq!(in_file(&env)["activeEmail"], "ada@example.com");
    assert_eq!(fs::read_to_string(auth_file(&env)).expect("read"), auth_json(&cleo), "it is pi's");
}

#[test]
fn without_an_accounts_file_the_login_makes_one() {
    let env = TestEnv::new([]);
    fs::remove_file(env.accounts_file()).expect("removed");
    fs::write(auth_file(&env), auth_json(&sign_in(&env, "ada"))).expect("written");
    assert_eq!(accounts(&mut env.raw_client()), told(&[("ada", true)]));
    // It was removed with its file and comes back, although the login is the same.
    fs::remove_file(env.accounts_file()).expect("removed");
    assert_eq!(accounts(&mut env.raw_client()), told(&[("ada", true)]));
}

#[test]
fn however_pi_s_file_is_written_the_pool_follows() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let (auth, aside) = (auth_file(&env), agent_dir(&env).join("aside"));
    let mut peer = started(&env);
    let write_in_halves = |path: &Path, text: &str| {
        fs::write(path, "").expect("truncated");
        std::thread::sleep(Duration::from_millis(30));
        fs::write(path, &text[..text.len() / 2]).expect("half-written");
        std::thread::sleep(Duration::from_millis(30));
        fs::write(path, text).expect("written");
    };
    type Way<'a> = (&'a str, Box<dyn Fn(&str) + 'a>);
    let ways: [Way<'_>; 5] = [
        ("in place", Box::new(|text| fs::write(&auth, text).expect("written"))),
        ("in halves", Box::new(|text| write_in_halves(&auth, text))),
        (
            "renamed over",
            Box::new(|text| {
                fs::write(&aside, text).expect("written");
                fs::rename(&aside, &auth).expect("renamed");
            }),
        ),
        (
            "deleted and made anew",
            Box::new(|text| {
                fs::remove_file(&auth).expect("removed");
                std::thread::sleep(Duration::from_millis(30));
                fs::write(&auth, text).expect("written");
            }),
        ),
        (
            "a link",
            Box::new(|text| {
                fs::write(&aside, text).expect("written");
                fs::remove_file(&auth).expect("removed");
                symlink(&aside, &auth).expect("linked");
            }),
        ),
    ];
    let names = ["bob", "cleo", "dan", "eve", "fay"];
    for (nth, (how, write)) in ways.iter().enumerate() {
        write(&auth_json(&sign_in(&env, names[nth])));
        let mut expected = vec![("ada", false)];
        expected.extend(names[..=nth].iter().map(|name| (*name, *name == names[nth])));
        pool_becomes(&mut peer, how, &expected);
        import_notice(&mut peer);
    }
    // Behind the link, and one that is already known.
    fs::write(&aside, auth_json(&sign_in(&env, "bob"))).expect("written");
    let mut expected = vec![("ada", false)];
    expected.extend(names.map(|name| (name, name == "bob")));
    pool_becomes(&mut peer, "behind the link", &expected);
    drop(peer);
    assert_eq!(in_file(&env)["accounts"].as_array().map(Vec::len), Some(6));
}

#[test]
fn a_directory_that_comes_later_is_watched() {
    let env = TestEnv::new([]);
    let agent = agent_dir(&env).join("later/agent");
    let mut command = env.command(&["serve"]);
    command.arg("--agent-dir").arg(&agent);
    let mut peer = RawClient::spawn(command, crate::env::Framing::Lines);
    peer.ignore("accounts/changed");
    peer.call("initialize", json!({"optOutNotifications": ["status/changed"]})).expect("initialize");
    fs::create_dir_all(&agent).expect("made");
    fs::write(agent.join("auth.json"), auth_json(&sign_in(&env, "ada"))).expect("written");
    pool_becomes(&mut peer, "made later", &[("ada", true)]);
}

#[test]
fn only_a_file_that_parses_can_say_that_pi_was_logged_out() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let auth = auth_file(&env);
    let bob = sign_in(&env, "bob");
    fs::write(&auth, auth_json(&bob)).expect("written");
    let mut peer = started(&env);
    peer.ignore("warning");
    let linked = [("ada", false), ("bob", true)];
    pool_becomes(&mut peer, "at start", &linked);
    let stays = |peer: &mut RawClient, what: &str| {
        // An invalid file is read again for 1.5 s; `accounts/import` does the same and ends sooner.
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(accounts(peer), told(&linked), "{what}");
    };
    fs::write(&auth, "").expect("written");
    stays(&mut peer, "empty");
    fs::write(&auth, "{\"openai-codex\":{\"type\":\"oauth\",").expect("written");
    stays(&mut peer, "half-written");
    let refused = peer.call("accounts/import", json!({})).expect_err("it does not parse");
    assert_eq!((&refused["code"], &refused["data"]["kind"]), (&json!(-32016), &json!("storage")));
    fs::remove_file(&auth).expect("removed");
    stays(&mut peer, "gone");
    let nothing = json!({"changed": false, "added": [], "updated": [], "unchanged": []});
    assert_eq!(peer.call("accounts/import", json!({})).expect("nothing to do"), nothing);
    fs::write(&auth, "{\"openai-codex\": {\"type\": \"api_key\", \"key\": \"k\"}}").expect("written");
    stays(&mut peer, "another kind of login");

    fs::write(&auth, "{\"anthropic\": {}}").expect("written");
    pool_becomes(&mut peer, "logged out", &[("ada", false), ("bob", false)]);
    fs::write(&auth, auth_json(&bob)).expect("written");
    pool_becomes(&mut peer, "the same login again", &linked);
}

#[test]
fn the_same_login_again_changes_nothing_and_writes_nothing() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let bob = sign_in(&env, "bob");
    fs::write(auth_file(&env), auth_json(&bob)).expect("written");
    let mut peer = started(&env);
    let revision =
        |peer: &mut RawClient| peer.call("accounts", json!({})).expect("accounts")["revision"].clone();
    let before = (revision(&mut peer), fs::read(env.accounts_file()).expect("read"));
    fs::write(auth_file(&env), auth_json(&bob).replace("kept", "another key")).expect("written");
    for from in [json!({}), json!({"from": "pi"}), json!({"from": "pi", "path": auth_file(&env)})] {
        let answer = peer.call("accounts/import", from).expect("import");
        assert_eq!(
            (&answer["changed"], answer["unchanged"].as_array().map(Vec::len)),
            (&json!(false), Some(1))
        );
    }
    assert_eq!((revision(&mut peer), fs::read(env.accounts_file()).expect("read")), before);
}

#[test]
fn a_removed_account_does_not_come_back_with_the_login_it_had() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let auth = auth_file(&env);
    let bob = sign_in(&env, "bob");
    fs::write(&auth, auth_json(&bob)).expect("written");
    let mut peer = started(&env);
    peer.call("accounts/remove", json!({"account": "bob@example.com"})).expect("removed");
    assert_eq!(fs::read_to_string(&auth).expect("read"), auth_json(&bob), "pi's file is left alone");
    // Written again with the same login; merged on request; at the next start; without the record of the last merge.
    fs::write(&auth, auth_json(&bob).replace("kept", "another key")).expect("written");
    let answer = peer.call("accounts/import", json!({})).expect("import");
    assert_eq!(answer["changed"], false);
    assert_eq!(accounts(&mut peer), told(&[("ada", false)]));
    drop(peer);
    fs::remove_file(env.accounts_file()).expect("removed");
    let mut peer = started(&env);
    assert_eq!(accounts(&mut peer), told(&[]));
    fs::write(&auth, auth_json(&sign_in(&env, "bob"))).expect("written");
    pool_becomes(&mut peer, "another login of the same account", &[("bob", true)]);
}

#[test]
fn the_codex_cli_s_login_becomes_a_copy_with_a_warning() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let home = agent_dir(&env).join("codex");
    let mut peer = started(&env);
    let missing = peer.call("accounts/import", json!({"from": "codex"})).expect_err("there is none");
    assert_eq!(missing["data"]["kind"], "storage");
    assert!(!home.exists(), "nothing is made in CODEX_HOME");

    let cleo = sign_in(&env, "cleo");
    let text = codex_auth_json(&cleo);
    fs::create_dir(&home).expect("made");
    fs::write(home.join("auth.json"), &text).expect("written");
    let answer = peer.call("accounts/import", json!({"from": "codex"})).expect("import");
    assert_eq!((&answer["changed"], &answer["warning"]["kind"]), (&json!(true), &json!("shared_credential")));
    let warning = peer.expect_notification("warning");
    assert_eq!(warning, answer["warning"]);
    assert_eq!(warning["account"], answer["added"][0]);
    assert_eq!(accounts(&mut peer), told(&[("ada", false), ("cleo", false)]));
    assert_eq!(in_file(&env)["accounts"][1]["accessToken"], json!(cleo.access_token));
    let again = peer.call("accounts/import", json!({"from": "codex"})).expect("import");
    assert_eq!((&again["changed"], &again["unchanged"]), (&json!(false), &answer["added"]));
    assert_eq!(fs::read_to_string(home.join("auth.json")).expect("read"), text);
    assert_eq!(fs::read_dir(&home).expect("a directory").count(), 1, "nothing is made in CODEX_HOME");

    let named = agent_dir(&env).join("other.json");
    for from in ["pi", "codex"] {
        let refused = peer.call("accounts/import", json!({"from": from, "path": named}));
        assert_eq!(refused.expect_err("a named file that is missing")["code"], -32016, "{from}");
    }
    fs::write(&named, auth_json(&sign_in(&env, "dan"))).expect("written");
    let answer = peer.call("accounts/import", json!({"path": named})).expect("import");
    assert_eq!(answer["warning"]["kind"], "shared_credential");
    peer.expect_notification("warning");
    assert_eq!(accounts(&mut peer)[2], ("dan@example.com".to_owned(), false));
}

#[test]
fn what_is_broken_is_not_written_and_the_login_waits_until_it_is_repaired() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let whole = fs::read(env.accounts_file()).expect("read");
    let mut peer = started(&env);
    peer.ignore("warning");
    fs::write(env.accounts_file(), "{\"accounts\": [").expect("written");
    fs::write(auth_file(&env), auth_json(&sign_in(&env, "bob"))).expect("written");
    let refused = peer.call("accounts/import", json!({})).expect_err("nothing can be written");
    assert_eq!(refused["code"], -32016);
    assert_eq!(accounts(&mut peer), told(&[("ada", false)]));
    assert_eq!(fs::read_to_string(env.accounts_file()).expect("read"), "{\"accounts\": [");
    fs::write(env.accounts_file(), whole).expect("written");
    pool_becomes(&mut peer, "repaired", &[("ada", false), ("bob", true)]);
}

/// `cargo bench --bench budgets` measures how soon.
#[test]
fn every_login_of_many_is_taken_over_and_clients_hear_of_it() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let mut peer = started(&env);
    for _ in 0..11 {
        let login = sign_in(&env, "bob");
        fs::write(auth_file(&env), auth_json(&login)).expect("written");
        eventually_blocking("it is in the accounts file", || {
            in_file(&env)["accounts"][1]["accessToken"] == json!(login.access_token)
        });
        // With any reason: changes that are close to each other are one notification, with the reason of the last.
        peer.expect_notification("accounts/changed");
    }
}
