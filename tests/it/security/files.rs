//! Other users of the machine, and files that they could put in the way.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use multicodex::sim::SimAccount;
use serde_json::json;

use crate::env::TestEnv;
use crate::env::{Framing, RawClient};

#[test]
fn whatever_is_made_is_for_its_owner_only_whatever_the_umask() {
    let env = TestEnv::new([SimAccount::named("ada").with_first_token_for(-60)]);
    let log = env.accounts_file().with_file_name("the.log");
    let served = env.command(&["serve"]);
    let mut command = Command::new("sh");
    command.args(["-c", "umask 0; exec \"$@\"", "sh"]).arg(served.get_program()).args(served.get_args());
    command.env_clear().envs(served.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.args(["--log", "trace", "--log-file"]).arg(&log);
    let mut peer = RawClient::spawn(command, Framing::Lines);
    peer.call("accounts/token", json!({"account": "ada@example.com"})).expect("a token");
    peer.call("accounts/disable", json!({"account": "ada@example.com"})).expect("disabled");
    drop(peer);
    let agent_dir = env.accounts_file().parent().expect("a folder").to_owned();
    let made = below(&agent_dir);
    for name in ["the.log", "state", "state.json", "redeems.json", "redeem.lock"] {
        assert!(made.iter().any(|path| path.ends_with(name)), "{name} was not made: {made:?}");
    }
    for path in made {
        let mode = fs::metadata(&path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    }
}

#[test]
fn a_folder_that_others_may_write_to_is_told() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let dir = env.accounts_file().parent().expect("a folder").to_owned();
    for (mode, told) in [(0o777, true), (0o755, false), (0o720, true)] {
        fs::set_permissions(&dir, Permissions::from_mode(mode)).expect("our own");
        let mut peer = env.raw_client();
        peer.ignore("accounts/changed");
        peer.call("initialize", json!({})).expect("a handshake");
        if told {
            let warning = peer.expect_notification("warning");
            assert_eq!(warning["kind"], "permissions");
            let message = warning["message"].as_str().expect("a message");
            assert!(message.contains(&format!("{mode:04o}")), "{message}");
        }
        assert_eq!(fs::metadata(&dir).expect("there").permissions().mode() & 0o777, mode, "it is pi's");
    }
}

#[test]
fn a_pipe_or_a_device_in_place_of_a_file_holds_nothing_up() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let dir = env.accounts_file().parent().expect("a folder").to_owned();
    for file in ["auth.json", "settings.json", "pipe"] {
        assert!(Command::new("mkfifo").arg(dir.join(file)).status().expect("mkfifo").success());
    }
    fs::remove_file(env.accounts_file()).expect("our own");
    symlink("/dev/zero", env.accounts_file()).expect("a link");
    let mut peer = env.raw_client();
    peer.ignore("warning");
    peer.ignore("accounts/changed");
    peer.call("initialize", json!({})).expect("a handshake");
    assert_eq!(peer.call("accounts", json!({})).expect("a list")["accounts"], json!([]));
    for path in [dir.join("pipe"), PathBuf::from("/dev/zero")] {
        let params = json!({"from": "codex", "path": path});
        let error = peer.call("accounts/import", params).expect_err("no file");
        assert_eq!(error["data"]["kind"], "storage", "{error}");
    }
    drop(peer);
    assert_eq!(fs::read_link(env.accounts_file()).expect("a link"), Path::new("/dev/zero"));
}

#[test]
fn a_link_to_another_file_does_not_get_that_file_overwritten() {
    let env = TestEnv::new([SimAccount::named("ada").with_first_token_for(-60)]);
    let dir = env.accounts_file().parent().expect("a folder").to_owned();
    let precious = dir.join("precious");
    fs::write(&precious, "not JSON, and not ours").expect("writable");
    let whole = fs::read(env.accounts_file()).expect("accounts");
    fs::remove_file(env.accounts_file()).expect("our own");
    symlink(&precious, env.accounts_file()).expect("a link");
    let mut peer = env.raw_client();
    peer.ignore("warning");
    peer.ignore("accounts/changed");
    peer.call("accounts", json!({})).expect("a list");
    let login = json!({"from": "codex", "path": dir.join("auth-copy.json")});
    let tokens = json!({"tokens": {"access_token": "a.b.c", "refresh_token": "r"}});
    fs::write(dir.join("auth-copy.json"), tokens.to_string()).expect("writable");
    peer.call("accounts/import", login).expect_err("it cannot be stored");
    drop(peer);
    assert_eq!(fs::read(&precious).expect("there"), b"not JSON, and not ours");
    // A lock or a temporary file with a guessable name follows no link either: the state folder is private.
    let state = fs::metadata(dir.join("state")).expect("there").permissions().mode() & 0o777;
    assert_eq!(state, 0o700);
    fs::write(env.accounts_file(), whole).expect("through the link");
}

/// Returns everything in a folder except what the test created.
fn below(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| if path.is_dir() { [below(&path), vec![path]].concat() } else { vec![path] })
        .collect()
}
