//! A disk that fails (EIO) when data is synced or a file is renamed, after every other call succeeded. strace makes the
//! calls of the running sidecar fail.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use multicodex::sim::{Behaviour, Route, Rule, SimAccount};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::complete;
use crate::env::RawClient;
use crate::env::skip;
use crate::env::{TestEnv, eventually_blocking};
use crate::import::pi_and_codex::{auth_file, auth_json};

const ADA: &str = "ada@example.com";

/// The disk fails while this lives.
struct FailingDisk(Child);

impl FailingDisk {
    fn begin(sidecar: &RawClient, calls: &str) -> FailingDisk {
        FailingDisk::of(sidecar, calls, "EIO", &[])
    }

    /// Only calls on `paths`, or on any file when there are none.
    fn of(sidecar: &RawClient, calls: &str, error: &str, paths: &[&Path]) -> FailingDisk {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-o", "/dev/null", "-p", &sidecar.pid().to_string()]);
        strace.args(["-e", &format!("trace={calls}"), "-e", &format!("inject={calls}:error={error}")]);
        for path in paths {
            strace.arg("-P").arg(path);
        }
        let child = strace.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let disk = FailingDisk(child.expect("it was tried before"));
        eventually_blocking("strace has taken hold", || traced(sidecar.pid()));
        disk
    }
}

/// strace must be allowed to attach to a process that it did not start.
fn strace_is_here() -> bool {
    let mut other = Command::new("sleep").arg("60").spawn().expect("sleep is everywhere");
    let pid = other.id().to_string();
    let mut strace = Command::new("timeout");
    strace.args(["-s", "INT", "0.5", "strace", "-o", "/dev/null", "-p", &pid]).stderr(Stdio::null());
    // It was interrupted, so it had not ended before.
    let here = strace.status().is_ok_and(|status| status.code() == Some(124));
    other.kill().expect("our own");
    other.wait().expect("our own");
    if !here {
        skip::skip_unless("strace that may trace");
    }
    here
}

impl Drop for FailingDisk {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            // It detaches from the process.
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.0.wait();
    }
}

/// Returns whether strace has attached to all threads.
fn traced(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut tracers = threads.filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok());
    tracers.all(|status| status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0")))
}

fn spawn(env: &TestEnv) -> RawClient {
    let mut command = env.command(&["serve"]);
    command.env("MULTICODEX_TEST_UPKEEP_MS", "100");
    RawClient::initialized(command, &["accounts/changed", "status/changed", "refresh/progress"])
}

#[test]
fn what_could_not_be_kept_is_not_refreshed_and_is_once_the_disk_works() {
    if !strace_is_here() {
        return;
    }
    for calls in ["fsync", "?rename,renameat,renameat2"] {
        let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
        let mut peer = spawn(&env);
        peer.ignore("warning");
        let before = fs::read(env.accounts_file()).expect("readable");
        let disk = FailingDisk::begin(&peer, calls);
        let error =
            peer.call("accounts/label", json!({"account": ADA, "label": "x"})).expect_err("not stored");
        assert_eq!(error["data"]["kind"], "storage", "{calls}: {error}");
        let answer = peer.call("refresh", json!({"account": ADA, "force": true})).expect("results");
        assert_eq!(answer["results"][0]["error"]["kind"], "storage", "{calls}: {answer}");
        complete(&mut peer).expect("completions go on");
        assert_eq!(env.sim().refreshes("ada"), 0, "{calls}");
        assert_eq!(fs::read(env.accounts_file()).expect("readable"), before, "{calls}");
        drop(disk);
        let answer = peer.call("refresh", json!({"account": ADA, "force": true})).expect("results");
        assert_eq!(answer["results"][0]["ok"], true, "{calls}: {answer}");
        assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (1, 0), "{calls}");
        // State that was learned meanwhile may just be written.
        eventually_blocking("nothing is left behind", || {
            env.files().iter().all(|name| !name.ends_with(".tmp"))
        });
    }
}

#[test]
fn a_credential_that_came_when_the_disk_failed_is_used_and_stored_as_soon_as_it_can_be() {
    if !strace_is_here() {
        return;
    }
    let env = TestEnv::new([]);
    let login = env.sim().add_account(SimAccount::named("ada").with_first_token_for(-60));
    fs::write(auth_file(&env), auth_json(&login)).expect("written");
    let mut peer = spawn(&env);
    // Upkeep refreshes its expired token, unless another request does so first.
    env.sim().add_rule(Rule::always(Behaviour::Normal).on(Route::Token).delayed(5000));
    let token = peer.request("accounts/token", json!({"account": ADA}));
    eventually_blocking("the token is on its way", || env.sim().refreshes("ada") > 0);
    let disk = FailingDisk::begin(&peer, "fsync");
    let token = peer.expect_response(token).expect("the new token")["accessToken"].take();
    let mut untold = vec!["could not be written to pi's auth.json", "is only in memory"];
    while !untold.is_empty() {
        let warning = peer.expect_notification("warning");
        untold.retain(|what| !warning["message"].as_str().is_some_and(|text| text.contains(what)));
    }
    peer.ignore("warning");
    complete(&mut peer).expect("the new token serves");
    let lacking = || {
        let token = token.as_str().expect("text");
        [auth_file(&env), env.accounts_file()]
            .into_iter()
            .filter(|file| !fs::read_to_string(file).expect("readable").contains(token))
            .count()
    };
    assert_eq!(lacking(), 2);
    drop(disk);
    eventually_blocking("it was tried again", || lacking() == 0);
    drop(peer);
    complete(&mut spawn(&env)).expect("after a restart, too");
    assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (1, 0));
}

/// As on some network drives.
#[test]
fn a_file_system_that_syncs_no_directories_takes_everything_all_the_same() {
    if !strace_is_here() {
        return;
    }
    let env = TestEnv::new([SimAccount::named("ada")]);
    let mut peer = spawn(&env);
    let agent_dir = env.accounts_file().parent().map(Path::to_owned).expect("a folder");
    let _disk = FailingDisk::of(&peer, "fsync", "EINVAL", &[&agent_dir, &agent_dir.join("state")]);
    let answer = peer.call("refresh", json!({"account": ADA, "force": true})).expect("results");
    assert_eq!(answer["results"][0]["ok"], true, "{answer}");
    peer.call("accounts/label", json!({"account": ADA, "label": "x"})).expect("stored");
    assert!(fs::read_to_string(env.accounts_file()).expect("readable").contains(r#""email": "x""#));
    assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (1, 0));
}
