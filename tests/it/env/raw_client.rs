//! A client of the real binary, over pipes.
//!
//! It fails the test for a message that was not expected, a line on stdout that is not a message, a panic on stderr, a
//! process that does not end, and anything that takes longer than [`DEADLINE`].

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{A_DAY_MS, DEADLINE};

/// How the client separates messages. The binary answers in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Lines,
    Headers,
}

/// A running `multicodex serve` and its messages.
#[derive(Debug)]
pub struct RawClient {
    child: Child,
    stdin: Option<ChildStdin>,
    framing: Framing,
    last_id: u64,
    messages: Receiver<String>,
    stalled: Arc<AtomicBool>,
    /// Messages that arrived when others were expected.
    unread: VecDeque<String>,
    ignored: Vec<&'static str>,
    stdout: Option<JoinHandle<()>>,
    stderr: Option<JoinHandle<String>>,
}

impl RawClient {
    /// Starts a command that was made with [`command`], perhaps with more variables.
    pub fn spawn(mut command: Command, framing: Framing) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut errors = child.stderr.take().expect("piped");
        let (sender, messages) = channel();
        let stalled = Arc::<AtomicBool>::default();
        let stalls = stalled.clone();
        let stdout = std::thread::spawn(move || {
            while let Some(message) = read_message(&mut stdout, framing) {
                while stalls.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let stderr = std::thread::spawn(move || {
            let mut text = Vec::new();
            errors.read_to_end(&mut text).expect("stderr is readable");
            String::from_utf8_lossy(&text).into_owned()
        });
        Self {
            child,
            stdin,
            framing,
            last_id: 0,
            messages,
            stalled,
            unread: VecDeque::new(),
            ignored: Vec::new(),
            stdout: Some(stdout),
            stderr: Some(stderr),
        }
    }

    /// Like [`RawClient::spawn`], with the handshake done; notifications of these methods are ignored.
    pub fn initialized(command: Command, ignored: &[&'static str]) -> Self {
        let mut peer = RawClient::spawn(command, Framing::Lines);
        ignored.iter().for_each(|method| peer.ignore(method));
        peer.call("initialize", json!({})).expect("a handshake");
        peer
    }

    /// Sends a request and returns its id.
    pub fn request(&mut self, method: &str, params: Value) -> u64 {
        self.last_id += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}));
        self.last_id
    }

    /// Sends a request and waits for its answer: the result, or the error.
    pub fn call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.request(method, params);
        self.expect_response(id)
    }

    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Sends one message in the client's framing.
    pub fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string());
    }

    /// Like [`RawClient::send`], for text that is not JSON or must keep its spelling.
    pub fn send_text(&mut self, message: &str) {
        match self.framing {
            Framing::Lines => self.send_bytes(format!("{message}\n").as_bytes()),
            Framing::Headers => {
                self.send_bytes(format!("Content-Length: {}\r\n\r\n{message}", message.len()).as_bytes());
            }
        }
    }

    /// Sends bytes unchanged.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("stdin was closed by the test");
        stdin.write_all(bytes).expect("the binary reads");
    }

    /// Returns the answer to a request. Earlier messages stay unread.
    pub fn expect_response(&mut self, id: impl Into<Value>) -> Result<Value, Value> {
        let id = id.into();
        let what = format!("the response to {id}");
        let answer = self.expect(&what, |message| message.get("method").is_none() && message["id"] == id);
        match (answer.get("result"), answer.get("error")) {
            (Some(result), None) => Ok(result.clone()),
            (None, Some(error)) => Err(error.clone()),
            _ => panic!("neither result nor error, or both: {answer}"),
        }
    }

    /// Returns the params of the next notification of this method. Other messages stay unread.
    pub fn expect_notification(&mut self, method: &str) -> Value {
        let what = format!("the notification {method}");
        let mut message =
            self.expect(&what, |message| message["method"] == method && message.get("id").is_none());
        message["params"].take()
    }

    /// Returns the next message, byte for byte.
    pub fn expect_text(&mut self) -> String {
        let until = Instant::now() + DEADLINE;
        self.unread.pop_front().unwrap_or_else(|| self.receive("a message", until))
    }

    /// From now on notifications of this method may stay unread.
    pub fn ignore(&mut self, method: &'static str) {
        self.ignored.push(method);
    }

    /// Stops reading the binary's stdout, except for one message, until this is called with `false`.
    pub fn stall(&self, stalled: bool) {
        self.stalled.store(stalled, Ordering::Relaxed);
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits for the process to end, without closing its input.
    pub fn expect_exit(&mut self) -> ExitStatus {
        let until = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(Instant::now() < until, "the process has not ended within {DEADLINE:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Ends the process and returns everything that it wrote to stderr.
    pub fn stderr(&mut self) -> String {
        self.close_stdin();
        self.expect_exit();
        let text = self.stderr.take().expect("asked once").join().expect("a reader");
        assert!(!text.contains("panicked at"), "a panic on stderr:\n{text}");
        text
    }

    fn expect(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(index) = self.unread.iter().position(|message| wanted(&parse(message))) {
            return self.unread.remove(index).map(|message| parse(&message)).expect("at this index");
        }
        let until = Instant::now() + DEADLINE;
        loop {
            let text = self.receive(what, until);
            let message = parse(&text);
            if wanted(&message) {
                return message;
            }
            self.unread.push_back(text);
        }
    }

    fn receive(&mut self, what: &str, until: Instant) -> String {
        let failure = match self.messages.recv_timeout(until - Instant::now()) {
            Ok(message) => return message,
            Err(RecvTimeoutError::Timeout) => format!("has not come within {DEADLINE:?}"),
            Err(RecvTimeoutError::Disconnected) => "cannot come: stdout is closed".to_owned(),
        };
        self.child.kill().expect("a child");
        let stderr = self.stderr.take().map(|reader| reader.join().expect("a reader")).unwrap_or_default();
        panic!("{what} {failure}; unread: {:#?}; stderr:\n{stderr}", self.unread);
    }
}

impl Drop for RawClient {
    /// Ends the process in order, and fails the test if something is unread.
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The first failure is the one to read; this only cleans up after it.
            drop(self.child.kill());
            drop(self.child.wait());
            return;
        }
        if self.stderr.is_some() {
            self.stderr();
        } else {
            self.expect_exit();
        }
        self.stdout.take().expect("joined once").join().expect("stdout holds nothing but messages");
        self.unread.extend(self.messages.try_iter());
        let ignored =
            |message: &String| self.ignored.iter().any(|method| parse(message)["method"] == *method);
        let unread: Vec<&String> = self.unread.iter().filter(|message| !ignored(message)).collect();
        assert!(unread.is_empty(), "the test left messages unread: {unread:#?}");
    }
}

/// Returns the binary with these arguments, in an environment without anything of the user's.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_multicodex"));
    command.args(args).env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command.env("MULTICODEX_TEST_USAGE_INTERVAL_MS", A_DAY_MS);
    command
}

fn parse(message: &str) -> Value {
    serde_json::from_str(message).unwrap_or_else(|error| panic!("not JSON ({error}): {message}"))
}

/// Returns the next message on stdout; `None` at its end.
fn read_message(stdout: &mut impl BufRead, framing: Framing) -> Option<String> {
    match framing {
        Framing::Lines => {
            let line = read_line(stdout)?;
            assert!(line.starts_with(['{', '[']), "not a message on stdout: {line}");
            Some(line)
        }
        Framing::Headers => {
            let header = read_line(stdout)?;
            let length =
                header.strip_prefix("Content-Length: ").and_then(|length| length.trim_end().parse().ok());
            let length: usize = length.unwrap_or_else(|| panic!("not a header on stdout: {header}"));
            assert_eq!(read_line(stdout).as_deref(), Some("\r"), "one header is enough");
            let mut body = vec![0; length];
            stdout.read_exact(&mut body).expect("a whole body");
            Some(String::from_utf8(body).expect("messages are UTF-8"))
        }
    }
}

fn read_line(stdout: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    if stdout.read_line(&mut line).expect("stdout is readable UTF-8") == 0 {
        return None;
    }
    assert_eq!(line.pop(), Some('\n'), "the last message is cut short: {line}");
    Some(line)
}

/// The client against scripts that act as a faulty binary.
#[cfg(unix)]
mod tests {
    use super::*;

    fn script(text: &str) -> RawClient {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        RawClient::spawn(command, Framing::Lines)
    }

    const TWO: &str = r#"echo '{"method":"first","params":1}'; echo '{"method":"second","params":2}'"#;

    #[test]
    fn messages_may_be_expected_in_any_order_and_some_ignored() {
        let mut peer = script(TWO);
        peer.ignore("first");
        assert_eq!(peer.expect_notification("second"), 2);
        drop(peer);
        let mut peer = script(TWO);
        assert_eq!(
            (peer.expect_notification("second"), peer.expect_notification("first")),
            (json!(2), json!(1))
        );
    }

    #[test]
    #[should_panic(expected = "the test left messages unread")]
    fn a_message_left_unread_fails_the_test() {
        let mut peer = script(TWO);
        peer.expect_notification("first");
    }

    #[test]
    #[should_panic(expected = "stdout holds nothing but messages")]
    fn anything_else_on_stdout_fails_the_test() {
        script("echo hello");
    }

    #[test]
    #[should_panic(expected = "a panic on stderr")]
    fn a_panic_on_stderr_fails_the_test() {
        script("echo \"thread 'main' panicked at x.rs:1:1:\" >&2");
    }

    #[test]
    #[should_panic(expected = "neither result nor error, or both")]
    fn an_answer_with_result_and_error_fails_the_test() {
        script(r#"echo '{"id":1,"result":null,"error":null}'"#).expect_response(1).expect("a result");
    }

    #[test]
    #[should_panic(expected = "the response to 1 cannot come: stdout is closed")]
    fn an_answer_that_cannot_come_is_not_waited_for() {
        script(TWO).expect_response(1).expect("a result");
    }
}
