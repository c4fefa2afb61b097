//! What a login uses besides the protocol: the browser that it opens, the terminal, and the places where a secret could
//! appear.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use multicodex::sim::{Answer, Behaviour, Route, Rule, SimAccount};
use serde_json::json;

use super::{command, completed, file, get, redirect};
use crate::env::TestEnv;
use crate::env::{Framing, RawClient};

#[test]
fn a_browser_is_opened_when_asked_for_and_missed_when_there_is_none() {
    let env = TestEnv::new([]);
    let bin = tempfile::tempdir().expect("a directory");
    let mut without = command(&env);
    without.env("PATH", bin.path());
    let mut peer = RawClient::spawn(without, Framing::Lines);
    let started = peer.call("login", json!({"open": true})).expect("a login all the same");
    assert_eq!(started["opened"], false);
    drop(peer);

    let opened = bin.path().join("opened");
    let launcher = bin.path().join("xdg-open");
    fs::write(&launcher, format!("#!/bin/sh\necho \"$1\" > {}\necho noise\n", opened.display()))
        .expect("a script");
    fs::set_permissions(&launcher, fs::Permissions::from_mode(0o755)).expect("our own file");
    let mut with = command(&env);
    with.env("PATH", bin.path());
    let mut peer = RawClient::spawn(with, Framing::Lines);
    let started = peer.call("login", json!({"open": true})).expect("a login");
    assert_eq!(started["opened"], true);
    let address = fs::read_to_string(&opened).expect("it was started");
    assert_eq!(Some(address.trim_end()), started["url"].as_str());
    assert!(peer.call("login", json!({})).expect("a login").get("opened").is_none());
}

#[test]
fn no_code_verifier_or_token_is_ever_shown() {
    let env = TestEnv::new([]);
    env.sim().add_account(SimAccount::named("ada"));
    env.sim().add_account(SimAccount::named("bob"));
    env.sim().set_device_interval(1);
    let mut command = command(&env);
    command.args(["--log", "trace"]);
    let mut peer = RawClient::spawn(command, Framing::Lines);
    let mut shown = vec![
        peer.call("initialize", json!({"optOutNotifications": ["status/changed"]})).expect("a handshake"),
    ];
    for (params, name) in [(json!({}), "ada"), (json!({"flow": "device"}), "bob"), (json!({}), "bob")] {
        let started = peer.call("login", params).expect("a login");
        match started["userCode"].as_str() {
            Some(code) => assert!(env.sim().grant_device(code, name)),
            None if name == "ada" => {
                get(redirect(&env, &started, name).as_str());
            }
            // Refused, with everything that the server may repeat.
            None => {
                let echo = json!({"error": "ac_sim_", "error_description": "ac_sim_ rt_sim_"});
                let echo = Behaviour::Answer(Answer::json(400, echo));
                env.sim().add_rule(Rule::next(1, echo).on(Route::Token));
                get(redirect(&env, &started, name).as_str());
            }
        }
        let ended = peer.call("login/wait", json!({"loginId": started["loginId"]}));
        shown.extend([started, ended.unwrap_or_else(|error| error), completed(&mut peer)]);
        shown.push(peer.call("login/wait", json!({"loginId": "x"})).expect_err("unknown"));
    }
    peer.ignore("accounts/changed");
    let mut text = serde_json::to_string(&shown).expect("JSON");
    text.push_str(&peer.stderr());
    for file in fs::read_dir(env.accounts_file().with_file_name("state")).expect("a state dir").flatten() {
        text.push_str(&String::from_utf8_lossy(&fs::read(file.path()).expect("a file")));
        assert_eq!(file.metadata().expect("a file").permissions().mode() & 0o077, 0, "{file:?}");
    }
    let stored = file(&env);
    let mut secrets = vec!["ac_sim_".to_owned(), "rt_sim_".to_owned(), "dev_sim_".to_owned()];
    for account in stored["accounts"].as_array().expect("accounts") {
        secrets.extend(account["accessToken"].as_str().map(str::to_owned));
    }
    for logged in env.sim().log().iter().filter(|logged| logged.route == Some(Route::Token)) {
        let form = url::form_urlencoded::parse(logged.body.as_bytes());
        secrets.extend(form.filter(|(name, _)| name == "code_verifier").map(|(_, verifier)| verifier.into()));
    }
    assert_eq!(secrets.len(), 3 + 2 + 3, "a secret of every kind was there to be shown");
    for secret in secrets {
        assert!(!text.contains(&secret), "{secret} was shown in\n{text}");
    }
    assert!(text.contains("login1"), "the log was read");
}

/// `multicodex login` in this environment, with these lines typed after the address is shown. Returns stdout and the
/// exit code.
fn at_a_terminal(
    env: &TestEnv,
    args: &[&str],
    mut answer: impl FnMut(&str) -> Option<String>,
) -> (String, i32) {
    let served = command(env);
    let mut command = Command::new(served.get_program());
    command.env_clear().envs(served.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.arg("login").args(served.get_args().skip(1)).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take();
    let mut text = String::new();
    for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
        let line = line.expect("text");
        if let Some(typed) = answer(&line) {
            writeln!(stdin.as_mut().expect("piped"), "{typed}").expect("it reads");
        }
        text.push_str(&line);
        text.push('\n');
    }
    (text, child.wait().expect("a child").code().expect("a code"))
}

#[test]
fn a_person_logs_in_at_a_terminal() {
    let env = TestEnv::new([]);
    env.sim().add_account(SimAccount::named("ada"));
    env.sim().add_account(SimAccount::named("bob"));
    env.sim().set_device_interval(1);
    let (text, code) = at_a_terminal(&env, &["--no-open"], |line| {
        let url = line.trim().strip_prefix("http").map(|_| line.trim())?;
        Some(format!("nonsense here\n{}", redirect(&env, &json!({"url": url}), "ada")))
    });
    assert!(code == 0 && text.contains("Logged in: ada@example.com (plus)"), "{text}");
    let (text, code) = at_a_terminal(&env, &["--device", "--label", "work", "--no-open"], |line| {
        if let Some((_, code)) = line.split_once("type this code there: ") {
            assert!(env.sim().grant_device(code, "bob"));
        }
        None
    });
    assert!(code == 0 && text.contains("Logged in: work (plus)"), "{text}");
    env.sim().add_rule(Rule::next(1, Behaviour::row("device_off").expect("a row")).on(Route::DeviceCode));
    assert_eq!(at_a_terminal(&env, &["--device"], |_| None), (String::new(), 1));
    let stored = file(&env);
    assert_eq!(
        (&stored["accounts"][0]["email"], &stored["accounts"][1]["email"]),
        (&json!("ada@example.com"), &json!("work"))
    );
}
