//! A full disk, files that cannot be read or written, and folders that are removed. For an ordinary user's errors, root
//! loses its right to ignore permissions.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use multicodex::sim::SimAccount;
use serde_json::json;

use super::complete;
use crate::env::RawClient;
use crate::env::TestEnv;

const TOKEN_OF_ADA: &str = "ada@example.com";

/// Ada's token has expired, and bob's is valid.
fn env() -> TestEnv {
    TestEnv::new([SimAccount::named("ada").with_first_token_for(-60), SimAccount::named("bob")])
}

fn folder(env: &TestEnv) -> PathBuf {
    env.accounts_file().parent().expect("a folder").to_owned()
}

/// The sidecar without the right to ignore permissions, which only root has.
fn bound_by_permissions(env: &TestEnv) -> Command {
    let served = env.command(&["serve"]);
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-dac_override,-dac_read_search,-fowner"]);
    command.arg(served.get_program()).args(served.get_args());
    command.env_clear().envs(served.get_envs().filter_map(|(name, value)| Some((name, value?))));
    match rustix::process::geteuid().is_root() {
        true => command,
        false => served,
    }
}

fn spawn(command: Command) -> RawClient {
    RawClient::initialized(command, &["warning", "accounts/changed", "status/changed", "refresh/progress"])
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("our own");
}

/// Bob answers, ada's token is not refreshed because the result could not be stored, and nothing is damaged.
fn lives_without_writing(env: &TestEnv, peer: &mut RawClient) {
    let error = peer.call("accounts/token", json!({"account": TOKEN_OF_ADA})).expect_err("not refreshed");
    assert_eq!(error["data"]["kind"], "storage", "{error}");
    let answer = complete(peer).expect("bob answers");
    assert!(answer["response"]["status"] == "completed", "{answer}");
    assert_eq!((env.sim().refreshes("ada"), env.sim().posts("bob")), (0, 1));
}

/// What failed before works now.
fn recovers(env: &TestEnv, peer: &mut RawClient) {
    peer.call("accounts/token", json!({"account": TOKEN_OF_ADA})).expect("refreshed");
    assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (1, 0));
}

#[test]
fn a_read_only_agent_folder_costs_only_what_must_be_written() {
    let env = env();
    let before = fs::read(env.accounts_file()).expect("readable");
    let mut peer = spawn(bound_by_permissions(&env));
    set_mode(&folder(&env), 0o555);
    lives_without_writing(&env, &mut peer);
    assert_eq!(fs::read(env.accounts_file()).expect("readable"), before);
    set_mode(&folder(&env), 0o700);
    recovers(&env, &mut peer);
}

#[test]
fn a_read_only_state_folder_costs_only_what_must_be_written() {
    let env = env();
    let mut peer = spawn(bound_by_permissions(&env));
    let state = folder(&env).join("state");
    complete(&mut peer).expect("bob answers");
    env.sim().reset();
    for entry in fs::read_dir(&state).expect("the state folder") {
        set_mode(&entry.expect("an entry").path(), 0o400);
    }
    set_mode(&state, 0o500);
    // The files that a refresh needs are beside the accounts file.
    recovers(&env, &mut peer);
    complete(&mut peer).expect("completions go on");
    let refused = peer.call("accounts/disable", json!({"account": "bob@example.com"})).expect_err("not kept");
    assert_eq!(refused["data"]["kind"], "storage", "{refused}");
    set_mode(&state, 0o700);
    for entry in fs::read_dir(&state).expect("the state folder") {
        set_mode(&entry.expect("an entry").path(), 0o600);
    }
    peer.call("accounts/disable", json!({"account": "bob@example.com"})).expect("kept now");
}

#[test]
fn accounts_that_may_not_be_read_are_not_taken_for_none() {
    for broken in ["permission denied", "EIO"] {
        let env = env();
        let kept = folder(&env).join("kept");
        let mut peer = spawn(bound_by_permissions(&env));
        match broken {
            "EIO" => {
                // In one step: a file that is missing for a moment has no accounts.
                fs::hard_link(env.accounts_file(), &kept).expect("kept");
                let unreadable = folder(&env).join("unreadable");
                symlink("/proc/self/mem", &unreadable).expect("a link");
                fs::rename(unreadable, env.accounts_file()).expect("moved");
            }
            _ => set_mode(&env.accounts_file(), 0o000),
        }
        let warning = peer.expect_notification("warning");
        assert_eq!(warning["kind"], "corrupt_file", "{broken}: {warning}");
        let list = peer.call("accounts", json!({})).expect("a list");
        assert_eq!(list["accounts"].as_array().map(Vec::len), Some(2), "{broken}: {list}");
        complete(&mut peer).expect("bob answers");
        let error = peer.call("accounts/label", json!({"account": "bob@example.com", "label": "x"}));
        assert_eq!(error.expect_err("cannot be stored")["data"]["kind"], "storage", "{broken}");
        drop(peer);
        // Neither does one that starts now.
        let mut peer = spawn(bound_by_permissions(&env));
        assert_eq!(peer.call("accounts", json!({})).expect("a list")["accounts"], json!([]), "{broken}");
        match broken {
            "EIO" => fs::rename(&kept, env.accounts_file()).expect("moved"),
            _ => set_mode(&env.accounts_file(), 0o600),
        }
        while peer.call("accounts", json!({})).expect("a list")["accounts"] == json!([]) {
            peer.expect_notification("accounts/changed");
        }
        recovers(&env, &mut peer);
    }
}

#[test]
fn a_folder_that_goes_away_is_made_again_when_there_is_something_to_keep() {
    let env = env();
    let mut peer = spawn(env.command(&["serve"]));
    complete(&mut peer).expect("bob answers, or ada");
    let (state, refreshed) = (folder(&env).join("state"), env.sim().refreshes("ada"));
    fs::remove_dir_all(&state).expect("our own");
    peer.call("accounts/disable", json!({"account": "bob@example.com"})).expect("kept all the same");
    assert_eq!(fs::metadata(&state).expect("there again").permissions().mode() & 0o777, 0o700);
    assert!(state.join("state.json").exists());
    assert!(env.sim().refreshes("ada") == refreshed && env.sim().reused() == 0);
}

#[test]
fn a_full_disk_costs_only_what_must_be_written() {
    let env = env();
    let Some(disk) = SmallDisk::at(&folder(&env).join("state")) else { return };
    let mut peer = spawn(env.command(&["serve"]));
    complete(&mut peer).expect("an answer");
    let refreshed = env.sim().refreshes("ada");
    env.sim().reset();
    disk.fill();
    // Whatever happens to ada, bob's choice cannot be saved, and a message says so.
    let refused = peer.call("accounts/disable", json!({"account": "bob@example.com"})).expect_err("no room");
    assert_eq!(refused["data"]["kind"], "storage", "{refused}");
    peer.call("accounts/enable", json!({"account": "bob@example.com"})).expect_err("no room");
    complete(&mut peer).expect("completions go on");
    // The files that a refresh needs are beside the accounts file.
    disk.empty();
    let before = env.sim().refreshes("ada");
    let done = peer.call("refresh", json!({"account": TOKEN_OF_ADA, "force": true})).expect("results");
    assert_eq!(done["results"][0]["ok"], true, "{done}");
    let after = (env.sim().refreshes("ada"), env.sim().reused());
    assert_eq!(after, (before + 1, 0), "at first {refreshed}");
    drop(peer);
}

#[test]
fn attempts_that_a_full_disk_took_in_part_are_counted_once() {
    let env = env();
    let Some(disk) = SmallDisk::at(&folder(&env).join("state")) else { return };
    let mut peer = spawn(env.command(&["serve"]));
    let attempts = |peer: &mut RawClient| {
        let history = peer.call("history", json!({"limit": 1000})).expect("a history");
        history["attempts"].as_array().map(Vec::len)
    };
    complete(&mut peer).expect("an answer");
    assert_eq!(attempts(&mut peer), Some(1));
    // The file's own last block still has room for some lines.
    disk.fill();
    for _ in 0..40 {
        complete(&mut peer).expect("completions go on");
    }
    attempts(&mut peer);
    disk.empty();
    assert_eq!(attempts(&mut peer), Some(41));
    drop(peer);
}

/// A file that is too large is not read again, so nothing could be stored any more.
#[test]
fn names_of_any_length_do_not_fill_the_state_dir() {
    let env = env();
    let mut peer = spawn(env.command(&["serve"]));
    let long = "x".repeat(1 << 20);
    let ask = |model: &str| json!({"request": {"model": model, "input": []}, "sessionId": long});
    let refused = peer.call("complete/collect", ask(&long)).expect_err("no model is called that");
    assert_eq!((&refused["code"], &refused["data"]["path"]), (&json!(-32602), &json!("request.model")));
    let answer = peer.call("complete/collect", ask("gpt-6.1-sol")).expect("an answer");
    let rotation = peer.call("rotation", json!({"sessionId": long})).expect("an order");
    assert_eq!(rotation["order"][0]["account"], answer["account"]);
    assert_eq!(rotation["order"][0]["reasons"][0], "served this session last");
    peer.call("status", json!({"sessionId": long})).expect("a footer");
    drop(peer);
    let state = fs::metadata(folder(&env).join("state/state.json")).expect("saved");
    assert!(state.len() < 64 << 10, "{} bytes", state.len());
}

/// Where an earlier version kept them.
#[test]
fn a_session_that_was_saved_by_its_whole_name_stays_where_it_is() {
    let env = env();
    let long = "x".repeat(1 << 10);
    let mut peer = spawn(env.command(&["serve"]));
    let ask = json!({"request": {"model": "gpt-6.1-sol", "input": []}, "sessionId": long});
    let answer = peer.call("complete/collect", ask).expect("an answer");
    drop(peer);
    let path = folder(&env).join("state/state.json");
    let mut state: serde_json::Value =
        serde_json::from_slice(&fs::read(&path).expect("saved")).expect("JSON");
    state["sessions"][0]["session"] = json!(long);
    fs::write(&path, state.to_string()).expect("written");
    let mut peer = spawn(env.command(&["serve"]));
    let rotation = peer.call("rotation", json!({"sessionId": long})).expect("an order");
    assert_eq!(rotation["order"][0]["account"], answer["account"]);
    assert_eq!(rotation["order"][0]["reasons"][0], "served this session last");
}

/// A file system of 256 KiB, removed when this is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Returns `None`, and reports a skipped test, where none can be mounted.
    fn at(path: &Path) -> Option<SmallDisk> {
        fs::create_dir_all(path).expect("writable");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k,mode=700", "none"])
            .arg(path)
            .output();
        if !mounted.is_ok_and(|mounted| mounted.status.success()) {
            eprintln!("skipped: a file system of its own cannot be mounted here");
            return None;
        }
        Some(SmallDisk(path.to_owned()))
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let full = fs::write(self.0.join("filler"), vec![0; 1 << 20]);
        assert!(full.is_err_and(|error| error.kind() == std::io::ErrorKind::StorageFull), "it is full");
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("filler")).expect("our own");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A lazy unmount, because a process that is still ending may have files open there.
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(
            unmounted.is_ok_and(|status| status.success()) || std::thread::panicking(),
            "it is unmounted"
        );
    }
}
