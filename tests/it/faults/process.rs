//! Clients that die, and a sidecar that is suspended for longer than everything it waits for.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use multicodex::sim::{
    After, Behaviour, Break, FaultKind, Pace, RequestEnd, Route, Rule, SimAccount, StreamPlan,
};
use multicodex::store::{LOCK_DEADLINE, LockGuard};
use rustix::io::ioctl_fionbio;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::complete;
use crate::env::RawClient;
use crate::env::{TestEnv, eventually_blocking};

const REQUEST: &str =
    r#"{"id":1,"method":"complete","params":{"request":{"model":"gpt-6.1-sol","input":[]}}}"#;
/// The protocol's two seconds, and more for a busy machine.
const GONE_WITHIN: Duration = Duration::from_secs(5);

#[test]
fn a_client_that_dies_takes_its_completion_along_and_costs_no_account_anything() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let hangs =
        |after| Behaviour::Stream(StreamPlan::deltas(20, 4).with_fault(after, FaultKind::Break(Break::Hang)));
    let flood = Behaviour::Stream(StreamPlan::deltas(5_000, 4096));
    for (phase, fault, wait_for) in [
        ("connection", Behaviour::Hang, "\"id\":1"),
        ("headers", hangs(After::Headers), "\"id\":1"),
        ("preamble", hangs(After::Preamble), "\"id\":1"),
        ("output", hangs(After::Output(2)), "\"type\":\"event\""),
        ("a full pipe", flood, "\"type\":\"event\""),
    ] {
        env.sim().reset();
        env.sim().set_behaviour("ada", fault);
        let mut child =
            env.command(&["serve"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary");
        let mut stdin = child.stdin.take().expect("piped");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        writeln!(stdin, "{REQUEST}").expect("it reads");
        let mut line = String::new();
        while !line.contains(wait_for) {
            line.clear();
            assert_ne!(stdout.read_line(&mut line).expect("text"), 0, "{phase}: the sidecar ended");
        }
        eventually_blocking(phase, || env.sim().posts("ada") > 0);
        drop((stdin, stdout));
        let until = Instant::now() + GONE_WITHIN;
        while child.try_wait().expect("a child").is_none() {
            assert!(Instant::now() < until, "{phase}: it outlives its client");
            sleep(Duration::from_millis(2));
        }
        env.sim_is_at_rest();
        let log = env.sim().log();
        let ends: Vec<_> = log.iter().map(|logged| (logged.route, logged.end)).collect();
        assert_eq!(ends, [(Some(Route::Responses), RequestEnd::Aborted)], "{phase}");
        let list = env.raw_client().call("accounts", json!({})).expect("a list");
        let account = &list["accounts"][0];
        let untouched = account["state"] == "ready" && account.get("backoffUntil").is_none();
        assert!(untouched && account.get("reason").is_none(), "{phase}: {account}");
        assert!(env.files().iter().all(|name| !name.contains(".tmp")), "{phase}: {:?}", env.files());
    }
}

#[test]
fn a_sidecar_that_was_suspended_past_every_time_out_goes_on() {
    let slow = StreamPlan { pace: Pace { first_ms: 0, each_ms: 20 }, ..StreamPlan::deltas(20, 4) };
    let late = Rule::always(Behaviour::Stream(StreamPlan::deltas(20, 4))).delayed(300);
    let hang = StreamPlan::deltas(20, 4).with_fault(After::Output(2), FaultKind::Break(Break::Hang));
    for (what, rule, wait_for_event, end) in [
        // Data that arrived while it was suspended counts.
        ("a stream", Rule::always(Behaviour::Stream(slow)), true, "done"),
        ("an answer", late, false, "done"),
        ("a idle_timeout", Rule::always(Behaviour::Stream(hang)), true, "idle_timeout"),
    ] {
        let env = TestEnv::new([SimAccount::named("ada")]);
        env.sim().add_rule(rule);
        let mut peer = env.raw_client();
        let params = json!({"request": {"model": "gpt-6.1-sol", "input": []}, "idleTimeoutMs": 700, "deadlineMs": 60_000});
        peer.call("complete", params).expect("a subscription");
        eventually_blocking(what, || env.sim().posts("ada") > 0);
        while wait_for_event && next(&mut peer)["type"] != "event" {}
        suspended(&peer, Duration::from_millis(1500));
        let terminal = loop {
            let notice = next(&mut peer);
            if !["accepted", "event"].contains(&notice["type"].as_str().unwrap_or_default()) {
                break notice;
            }
        };
        let told = terminal["error"]["kind"].as_str().or(terminal["type"].as_str());
        assert_eq!(told, Some(end), "{what}: {terminal}");
        env.sim().reset();
        complete(&mut peer).expect("the next completion is answered");
    }
}

#[test]
fn a_refresh_that_was_suspended_is_not_made_twice() {
    let env = TestEnv::new([SimAccount::named("ada").with_first_token_for(-60)]);
    env.sim().add_rule(Rule::always(Behaviour::Normal).on(Route::Token).delayed(200));
    let mut peer = env.raw_client();
    let token = peer.request("accounts/token", json!({"account": "ada@example.com"}));
    eventually_blocking("the token is on its way", || env.sim().refreshes("ada") > 0);
    suspended(&peer, Duration::from_secs(1));
    // Another sidecar would have waited for the lock meanwhile, and now reads what was stored.
    peer.expect_response(token).expect("a token");
    env.raw_client().call("accounts/token", json!({"account": "ada@example.com"})).expect("the same token");
    assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (1, 0));
}

/// The terminal is closed: all its processes get SIGHUP, and then the client ends.
#[test]
fn a_token_that_was_sent_when_the_terminal_is_closed_is_stored() {
    let env = TestEnv::new([SimAccount::named("ada").with_first_token_for(-60)]);
    env.sim().add_rule(Rule::always(Behaviour::Normal).on(Route::Token).delayed(400));
    let mut serve = env.command(&["serve"]);
    let mut serve = serve.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the binary");
    let mut stdin = serve.stdin.take().expect("piped");
    writeln!(stdin, r#"{{"id":1,"method":"accounts/token","params":{{}}}}"#).expect("it reads");
    eventually_blocking("the token is on its way", || env.sim().refreshes("ada") > 0);
    signal(serve.id(), Signal::HUP);
    drop(stdin);
    serve.wait().expect("a child");
    env.raw_client().call("accounts/token", json!({})).expect("the token is known");
    assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (1, 0));
}

#[test]
fn a_token_that_was_sent_when_a_refresh_is_interrupted_is_stored() {
    for interrupt in [Signal::INT, Signal::TERM, Signal::HUP] {
        let env = TestEnv::new([SimAccount::named("ada").with_first_token_for(-60)]);
        env.sim().add_rule(Rule::always(Behaviour::Normal).on(Route::Token).delayed(600));
        let mut refresh = env.command(&["refresh"]);
        refresh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut refresh = refresh.spawn().expect("the binary");
        eventually_blocking("the token is on its way", || env.sim().refreshes("ada") > 0);
        signal(refresh.id(), interrupt);
        let ended = refresh.wait().expect("a child");
        // Or the signal came too late.
        assert!(matches!(ended.code(), Some(130 | 0)), "{interrupt:?}: {ended}");
        env.raw_client().call("accounts/token", json!({})).expect("the token is known");
        assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (1, 0), "{interrupt:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_that_is_to_outlive_its_terminal_does() {
    let env = TestEnv::new([SimAccount::named("ada").with_first_token_for(-60)]);
    env.sim().add_rule(Rule::always(Behaviour::Normal).on(Route::Token).delayed(400));
    let refresh = env.command(&["refresh"]);
    let mut outliving = std::process::Command::new("nohup");
    outliving.arg(refresh.get_program()).args(refresh.get_args());
    for (name, value) in refresh.get_envs() {
        match value {
            Some(value) => outliving.env(name, value),
            None => outliving.env_remove(name),
        };
    }
    outliving.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut outliving = outliving.spawn().expect("nohup");
    eventually_blocking("the token is on its way", || env.sim().refreshes("ada") > 0);
    signal(outliving.id(), Signal::HUP);
    assert_eq!(outliving.wait().expect("a child").code(), Some(0));
}

/// Another process holds a lock, so the state cannot be saved.
#[test]
fn a_command_that_is_done_and_cannot_save_can_be_interrupted() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let lock = env.accounts_file().with_file_name("state").join("state.json.lock");
    let _held = LockGuard::acquire(&lock, Duration::ZERO).expect("nobody has it");
    let mut accounts = env.command(&["accounts"]);
    let mut accounts = accounts
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary");
    let mut line = String::new();
    BufReader::new(accounts.stdout.take().expect("piped")).read_line(&mut line).expect("a table");
    assert!(line.starts_with("ACCOUNT"), "{line}");
    signal(accounts.id(), Signal::TERM);
    let until = Instant::now() + LOCK_DEADLINE / 2;
    while accounts.try_wait().expect("a child").is_none() {
        assert!(Instant::now() < until, "it waits for the lock all the same");
        sleep(Duration::from_millis(2));
    }
    assert_eq!(accounts.wait().expect("a child").code(), Some(130));
}

/// As a pager does once it has a full screen.
#[test]
fn a_command_whose_reader_reads_nothing_can_be_interrupted() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let (_reader, mut writer) = std::io::pipe().expect("a pipe");
    ioctl_fionbio(&writer, true).expect("a pipe waits or not");
    while writer.write(&[b'.'; 512]).is_ok() {}
    ioctl_fionbio(&writer, false).expect("a pipe waits or not");
    let mut refresh = env.command(&["refresh"]);
    let mut refresh = refresh.stdin(Stdio::null()).stdout(writer).spawn().expect("the binary");
    eventually_blocking("all is known", || env.sim().requests("ada", Route::Usage) > 0);
    sleep(Duration::from_millis(100));
    signal(refresh.id(), Signal::TERM);
    let until = Instant::now() + GONE_WITHIN;
    while refresh.try_wait().expect("a child").is_none() {
        if Instant::now() > until {
            refresh.kill().expect("alive");
            panic!("it waits for the reader all the same");
        }
        sleep(Duration::from_millis(2));
    }
    assert_eq!(refresh.wait().expect("a child").code(), Some(130));
}

fn next(peer: &mut RawClient) -> Value {
    peer.expect_notification("complete")["result"].take()
}

fn suspended(peer: &RawClient, time: Duration) {
    signal(peer.pid(), Signal::STOP);
    sleep(time);
    signal(peer.pid(), Signal::CONT);
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid");
    kill_process(pid, signal).expect("alive");
}
