//! The transport of the real process: its pipes, its signals, its parent, its exit code.

use std::fs::File;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::env::{DEADLINE, Framing, RawClient, command};

/// The protocol's limit for every ending, and some time for a busy machine.
const AT_THE_END: Duration = Duration::from_millis(2500);

/// A `serve` that keeps all its files in its own directory.
fn serve(home: &tempfile::TempDir, more: &[&str]) -> std::process::Command {
    let mut command = command(&["serve"]);
    command.args(more).env("HOME", home.path());
    for variable in ["PI_CODING_AGENT_DIR", "MULTICODEX_STATE_DIR", "CODEX_HOME"] {
        command.env(variable, home.path().join(variable));
    }
    command
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

#[test]
fn both_framings_are_answered_in_kind() {
    for framing in [Framing::Lines, Framing::Headers] {
        let home = home();
        let mut peer = RawClient::spawn(serve(&home, &[]), framing);
        let error = peer.call("nope", json!({})).expect_err("no such method");
        assert_eq!((&error["code"], &error["data"]["kind"]), (&json!(-32601), &json!("method_not_found")));
        peer.send_text("{");
        let error = peer.expect_response(json!(null)).expect_err("not JSON");
        assert_eq!((&error["code"], &error["data"]["kind"]), (&json!(-32700), &json!("parse_error")));
        peer.send_text("[]");
        assert_eq!(peer.expect_response(json!(null)).expect_err("empty")["code"], -32600);
        peer.send_text(r#"{"id":"ü","method":"shutdown"}"#);
        assert_eq!(peer.expect_text(), r#"{"jsonrpc":"2.0","id":"ü","result":null}"#);
        peer.close_stdin();
        assert_eq!(peer.expect_exit().code(), Some(0));
    }
}

#[test]
fn exit_codes_tell_an_orderly_end_from_others() {
    for (shut_down_first, code) in [(true, 0), (false, 1)] {
        let home = home();
        let mut peer = RawClient::spawn(serve(&home, &[]), Framing::Lines);
        if shut_down_first {
            assert_eq!(peer.call("shutdown", json!(null)), Ok(json!(null)));
        }
        let began = Instant::now();
        peer.notify("exit", json!(null));
        assert_eq!(peer.expect_exit().code(), Some(code));
        assert!(began.elapsed() < AT_THE_END, "{:?}", began.elapsed());
    }
}

#[test]
fn an_exit_is_obeyed_though_its_sender_no_longer_listens_and_much_was_begun_before_it() {
    let home = home();
    let mut child =
        serve(&home, &[]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary");
    drop(child.stdout.take());
    let begun: String = (1..=8).map(|id| format!("{{\"id\":{id},\"method\":\"verify\"}}\n")).collect();
    let input = begun + "{\"id\":9,\"method\":\"shutdown\"}\n{\"method\":\"exit\"}\n";
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    assert_eq!(child.wait().expect("a child").code(), Some(0));
}

#[test]
fn a_lost_framing_is_answered_and_ends_the_process() {
    let home = home();
    let mut peer = RawClient::spawn(serve(&home, &[]), Framing::Headers);
    peer.send_bytes(b"Content-Type: application/json\r\n\r\n{}");
    assert_eq!(peer.expect_response(json!(null)).expect_err("no length")["code"], -32700);
    assert_eq!(peer.expect_exit().code(), Some(1));
}

#[test]
fn the_largest_message_is_a_flag_and_a_variable() {
    let home = home();
    let mut with_flag = serve(&home, &["--max-message-bytes", "100"]);
    let mut with_variable = serve(&home, &[]);
    for command in [&mut with_flag, with_variable.env("MULTICODEX_MAX_MESSAGE_BYTES", "100")] {
        let command = std::mem::replace(command, crate::env::command(&[]));
        let mut peer = RawClient::spawn(command, Framing::Lines);
        peer.send_text(&format!("{{\"id\":1,\"method\":\"{}\"}}", "x".repeat(100_000)));
        let error = peer.expect_response(json!(null)).expect_err("too large");
        assert_eq!((&error["code"], &error["data"]["kind"]), (&json!(-32600), &json!("message_too_large")));
        assert_eq!(peer.call("nope", json!({})).expect_err("goes on")["code"], -32601);
    }
}

#[test]
fn five_thousand_requests_at_once_are_all_answered() {
    let home = home();
    let mut peer = RawClient::spawn(serve(&home, &[]), Framing::Lines);
    for _ in 0..10 {
        let ids: Vec<u64> = (0..500).map(|_| peer.request("nope", json!([]))).collect();
        for id in ids {
            assert_eq!(peer.expect_response(id).expect_err("no such method")["code"], -32601);
        }
    }
}

#[test]
fn files_do_as_well_as_pipes() {
    let home = home();
    let (input, output) = (home.path().join("in"), home.path().join("out"));
    std::fs::write(&input, "{\"id\":1,\"method\":\"nope\"}\n{\"id\":2,\"method\":\"nope\"}")
        .expect("writable");
    let ended = serve(&home, &[])
        .stdin(File::open(&input).expect("readable"))
        .stdout(File::create(&output).expect("writable"))
        .stderr(Stdio::inherit())
        .status()
        .expect("the binary starts");
    assert_eq!(ended.code(), Some(0));
    let answers = std::fs::read_to_string(&output).expect("readable");
    let ids: Vec<_> = answers
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["id"].clone())
        .collect();
    assert_eq!(ids, [json!(1), json!(2)]);
}

#[cfg(unix)]
mod unix {
    use std::io::{BufRead, BufReader, Read};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;

    fn pid(raw: u32) -> Pid {
        Pid::from_raw(i32::try_from(raw).expect("small")).expect("not 0")
    }

    /// A terminal sends the two other signals to all its processes.
    #[test]
    fn sigterm_ends_the_process_in_order_and_sigint_and_sighup_do_not() {
        let home = home();
        let mut peer = RawClient::spawn(serve(&home, &[]), Framing::Lines);
        peer.call("nope", json!({})).expect_err("no such method");
        for signal in [Signal::INT, Signal::HUP] {
            kill_process(pid(peer.pid()), signal).expect("alive");
            peer.call("nope", json!({})).expect_err("still served");
        }
        let began = Instant::now();
        kill_process(pid(peer.pid()), Signal::TERM).expect("alive");
        assert_eq!(peer.expect_exit().code(), Some(0));
        assert!(began.elapsed() < AT_THE_END, "{:?}", began.elapsed());
    }

    #[test]
    fn a_socket_for_both_ways_is_served_as_node_gives_it() {
        let home = home();
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let theirs: OwnedFd = theirs.into();
        let mut child = serve(&home, &[])
            .stdin(theirs.try_clone().expect("a copy"))
            .stdout(theirs)
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the binary starts");
        ours.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        (&ours).write_all(b"{\"id\":1,\"method\":\"nope\"}\n").expect("writable");
        let mut answer = String::new();
        BufReader::new(&ours).read_line(&mut answer).expect("an answer");
        assert!(answer.starts_with(r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"#), "{answer}");
        ours.shutdown(std::net::Shutdown::Write).expect("open");
        assert_eq!(child.wait().expect("a child").code(), Some(0));
    }

    /// A shell starts the process and is killed; stdin stays open all the time.
    #[test]
    fn the_death_of_the_parent_ends_the_process() {
        // A shell closes stdin for its background jobs, hence the copy.
        const SCRIPT: &str = r#"exec 3<&0; "$0" serve <&3 3<&- & wait"#;
        let home = home();
        let serve = serve(&home, &[]);
        let mut shell = std::process::Command::new("sh")
            .args(["-c", SCRIPT, env!("CARGO_BIN_EXE_multicodex")])
            .env_clear()
            .envs(serve.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh starts");
        let mut stdin = shell.stdin.take().expect("piped");
        stdin.write_all(b"{\"id\":1,\"method\":\"nope\"}\n").expect("writable");
        let mut stdout = BufReader::new(shell.stdout.take().expect("piped"));
        let mut answer = String::new();
        stdout.read_line(&mut answer).expect("an answer");
        assert!(answer.starts_with(r#"{"jsonrpc":"2.0","id":1,"error":"#), "{answer}");
        let began = Instant::now();
        shell.kill().expect("alive");
        shell.wait().expect("a child");
        // Only the process itself still holds the other end of its stdout.
        let (sender, closed) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(stdout.read_to_string(&mut String::new())));
        let rest = closed.recv_timeout(DEADLINE).expect("an end in time").expect("readable");
        assert_eq!(rest, 0);
        assert!(began.elapsed() < AT_THE_END, "{:?}", began.elapsed());
        drop(stdin);
    }
}
