//! The client's side of the pipe: sends lines, and sorts received messages into lanes, each of which is in order. A
//! message that was not expected is a failure at the end at the latest.

use std::collections::HashSet;
use std::process::Stdio;
use std::time::Duration;

use multicodex::clock;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::scripts::pattern::{Names, Pattern};

pub struct ScriptClient {
    child: Child,
    /// `None` after it was closed.
    stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
    /// Received and not expected yet.
    unread: Vec<(Lane, Value)>,
    /// Every string that was a result so far, which includes the subscriptions.
    answered: HashSet<String>,
    /// Notifications of these methods are dropped.
    ignored: Vec<String>,
}

/// Messages with an order among each other.
#[derive(Clone, Debug, PartialEq)]
enum Lane {
    Answer(Value),
    Batch,
    Subscription(Value),
    Notification(String),
}

impl ScriptClient {
    pub fn start(mut command: Command, ignored: Vec<String>) -> Result<Self, String> {
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn();
        let mut child = started.map_err(|error| error.to_string())?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the child has no pipes".to_owned());
        };
        let stdout = BufReader::new(stdout).lines();
        Ok(ScriptClient {
            child,
            stdin: Some(stdin),
            stdout,
            unread: Vec::new(),
            answered: HashSet::new(),
            ignored,
        })
    }

    pub async fn send(&mut self, text: &str) -> Result<(), String> {
        let line = format!("{text}\n");
        let stdin = self.stdin.as_mut().ok_or("stdin is closed")?;
        stdin.write_all(line.as_bytes()).await.map_err(|error| format!("stdin: {error}"))
    }

    pub async fn expect(
        &mut self,
        pattern: &Pattern,
        names: &mut Names,
        patience: Duration,
    ) -> Result<(), String> {
        let lane = lane_of_pattern(pattern, names)?;
        let at = self.next_in(&lane, patience).await?;
        let got = &self.unread[at].1;
        pattern.matches(got, names, clock::now().0).map_err(|why| format!("{why}\n  got ← {got}"))?;
        self.unread.remove(at);
        Ok(())
    }

    /// Takes one or more; the lane must continue with a message of another kind.
    pub async fn expect_many(
        &mut self,
        pattern: &Pattern,
        names: &mut Names,
        patience: Duration,
    ) -> Result<(), String> {
        self.expect(pattern, names, patience).await?;
        let lane = lane_of_pattern(pattern, names)?;
        loop {
            let at = self.next_in(&lane, patience).await?;
            if pattern.matches(&self.unread[at].1, names, clock::now().0).is_err() {
                return Ok(());
            }
            self.unread.remove(at);
        }
    }

    /// Closes stdin. The process must end successfully and send nothing more.
    pub async fn end(mut self, patience: Duration) -> Result<(), String> {
        self.stdin = None;
        while self.receive(patience).await?.is_some() {}
        let ended = timeout(patience, self.child.wait()).await.map_err(|_| "the process does not end")?;
        let ended = ended.map_err(|error| error.to_string())?;
        if !self.unread.is_empty() {
            return Err(format!("messages that were not expected:\n{}", self.told_unread()));
        }
        if ended.success() { Ok(()) } else { Err(format!("the process ended with {ended}")) }
    }

    /// Returns where the first message of this lane is, once there is one.
    async fn next_in(&mut self, lane: &Lane, patience: Duration) -> Result<usize, String> {
        loop {
            if let Some(at) = self.unread.iter().position(|(of, _)| of == lane) {
                return Ok(at);
            }
            match self.receive(patience).await {
                Ok(Some(())) => {}
                Ok(None) => return Err("the process ended its output".to_owned()),
                Err(why) => return Err(format!("{why}, waiting in {lane:?}\n{}", self.told_unread())),
            }
        }
    }

    /// Returns one more message, or `None` at the end of the output.
    async fn receive(&mut self, patience: Duration) -> Result<Option<()>, String> {
        let line = timeout(patience, self.stdout.next_line()).await.map_err(|_| "nothing came")?;
        let Some(line) = line.map_err(|error| error.to_string())? else { return Ok(None) };
        let bad = |why: &str| format!("{why}\n  got ← {line}");
        let message: Value = serde_json::from_str(&line).map_err(|error| bad(&error.to_string()))?;
        if !message.is_array() && message["jsonrpc"] != "2.0" {
            return Err(bad("no jsonrpc member"));
        }
        if let Some(result) = message["result"].as_str() {
            self.answered.insert(result.to_owned());
        }
        match lane_of(&message).ok_or_else(|| bad("no message of ours"))? {
            Lane::Subscription(id) if !id.as_str().is_some_and(|id| self.answered.contains(id)) => {
                return Err(bad("a notification before the answer to its request"));
            }
            Lane::Notification(method) if self.ignored.contains(&method) => {}
            lane => self.unread.push((lane, without_constants(message))),
        }
        Ok(Some(()))
    }

    fn told_unread(&self) -> String {
        let told: Vec<String> = self.unread.iter().map(|(_, message)| format!("  got ← {message}")).collect();
        told.join("\n")
    }
}

/// Without `jsonrpc`, and without the reason why a turn over WebSocket is sent whole, which no script checks.
fn without_constants(mut message: Value) -> Value {
    if let Some(members) = message.as_object_mut() {
        members.remove("jsonrpc");
    }
    for path in ["/result", "/params/result"] {
        if let Some(members) = message.pointer_mut(path).and_then(Value::as_object_mut) {
            members.remove("notContinued");
        }
    }
    message
}

fn lane_of(message: &Value) -> Option<Lane> {
    if message.is_array() {
        return Some(Lane::Batch);
    }
    if let Some(id) = message.get("id") {
        return Some(Lane::Answer(id.clone()));
    }
    match message["method"].as_str()? {
        "complete" => Some(Lane::Subscription(message["params"]["subscription"].clone())),
        method => Some(Lane::Notification(method.to_owned())),
    }
}

fn lane_of_pattern(pattern: &Pattern, names: &Names) -> Result<Lane, String> {
    if let Some(id) = pattern.known(&["id"], names) {
        return Ok(Lane::Answer(id));
    }
    match pattern.known(&["method"], names).as_ref().and_then(Value::as_str) {
        Some("complete") => pattern
            .known(&["params", "subscription"], names)
            .map(Lane::Subscription)
            .ok_or_else(|| "the subscription is not known yet".to_owned()),
        Some(method) => Ok(Lane::Notification(method.to_owned())),
        None => Ok(Lane::Batch),
    }
}
