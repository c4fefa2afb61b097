//! The real sidecar as a child, with a client that costs as little as possible: one thread that writes requests and
//! reads the beginning of each line.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

use crate::effort::Fault;
use crate::env::BODY;

pub struct Sidecar {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    line: Vec<u8>,
}

/// What one completion took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Streamed {
    pub first_delta: Duration,
    pub total: Duration,
    pub events: u32,
    pub bytes: usize,
    pub rotated: bool,
}

const ANSWER: &[u8] = br#"{"jsonrpc":"2.0","id":"#;
const NOTICE: &[u8] = br#"{"jsonrpc":"2.0","method":"complete","params":{"subscription":""#;
const EVENT: &[u8] = br#","result":{"type":"event","event":{"type":""#;
const DELTA: &[u8] = b"response.output_text.delta";

enum Line {
    Answer { id: usize, result: Vec<u8> },
    Event { subscription: usize, delta: bool },
    Notice { subscription: usize, kind: Vec<u8> },
    Other,
}

impl Sidecar {
    pub fn spawn(mut command: Command) -> Result<Self, Fault> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => Ok(Sidecar {
                child,
                input,
                output: BufReader::with_capacity(64 << 10, output),
                line: Vec::new(),
            }),
            _ => Err("the child has no pipes".into()),
        }
    }

    pub fn initialize(&mut self) -> Result<(), Fault> {
        self.request(r#"{"id":1,"method":"initialize"}"#).map(drop)
    }

    pub fn send(&mut self, text: &str) -> Result<(), Fault> {
        Ok(self.input.write_all(text.as_bytes())?)
    }

    /// Sends a request and returns the answer; skips other messages.
    pub fn request(&mut self, line: &str) -> Result<&[u8], Fault> {
        self.send(&format!("{line}\n"))?;
        self.next_answer()
    }

    pub fn next_answer(&mut self) -> Result<&[u8], Fault> {
        loop {
            self.read()?;
            if self.line.starts_with(ANSWER) {
                return Ok(&self.line);
            }
        }
    }

    /// Waits for this notification.
    pub fn notification(&mut self, method: &str) -> Result<(), Fault> {
        let wanted = format!(r#"{{"jsonrpc":"2.0","method":"{method}""#);
        loop {
            self.read()?;
            if self.line.starts_with(wanted.as_bytes()) {
                return Ok(());
            }
        }
    }

    pub fn complete(&mut self) -> Result<Streamed, Fault> {
        let all = self.complete_at_once(1, BODY)?;
        all.into_iter().next().ok_or_else(|| "no completion".into())
    }

    /// This many completions, requested in one write.
    pub fn complete_at_once(&mut self, count: usize, body: &str) -> Result<Vec<Streamed>, Fault> {
        let begun = self.ask(count, body)?;
        let mut streamed = vec![Streamed::default(); count];
        let mut of = HashMap::new();
        let mut open = count;
        while open > 0 {
            let line = self.next_line()?;
            let bytes = self.line.len();
            match line {
                Line::Answer { id, result } => {
                    of.insert(subscription(&result)?, id);
                }
                Line::Event { subscription, delta } => {
                    let streamed =
                        &mut streamed[*of.get(&subscription).ok_or("an event of no completion")?];
                    if delta && streamed.first_delta.is_zero() {
                        streamed.first_delta = begun.elapsed();
                    }
                    streamed.events += 1;
                    streamed.bytes += bytes;
                }
                Line::Notice { subscription, kind } => {
                    let streamed =
                        &mut streamed[*of.get(&subscription).ok_or("a notice of no completion")?];
                    match kind.as_slice() {
                        b"rotated" => streamed.rotated = true,
                        b"done" => {
                            streamed.total = begun.elapsed();
                            open -= 1;
                        }
                        b"accepted" => {}
                        _ => return Err(String::from_utf8_lossy(&self.line).into()),
                    }
                }
                Line::Other => {}
            }
        }
        Ok(streamed)
    }

    /// Opens this many streams and waits for the first delta of each. Returns their subscriptions.
    pub fn open_streams(&mut self, count: usize) -> Result<Vec<String>, Fault> {
        self.ask(count, BODY)?;
        let mut seen = HashSet::new();
        while seen.len() < count {
            match self.next_line()? {
                Line::Event { subscription, delta: true } => {
                    seen.insert(subscription);
                }
                Line::Notice { kind, .. } if kind == b"error" => {
                    return Err(String::from_utf8_lossy(&self.line).into());
                }
                _ => {}
            }
        }
        Ok(seen.into_iter().map(|number| format!("c{number}")).collect())
    }

    /// Cancels these streams and waits for the end of each.
    pub fn cancel_all(&mut self, subscriptions: &[String]) -> Result<(), Fault> {
        for subscription in subscriptions {
            self.send(&format!(
                "{{\"id\":7,\"method\":\"complete/cancel\",\"params\":[\"{subscription}\"]}}\n"
            ))?;
            loop {
                if let Line::Notice { kind, .. } = self.next_line()?
                    && kind == b"cancelled"
                {
                    break;
                }
            }
        }
        Ok(())
    }

    fn ask(&mut self, count: usize, body: &str) -> Result<Instant, Fault> {
        let requests: String = (0..count)
            .map(|id| format!("{{\"id\":{id},\"method\":\"complete\",\"params\":{{\"request\":{body}}}}}\n"))
            .collect();
        let begun = Instant::now();
        self.send(&requests)?;
        Ok(begun)
    }

    fn next_line(&mut self) -> Result<Line, Fault> {
        self.read()?;
        let line = self.line.as_slice();
        if let Some(rest) = line.strip_prefix(NOTICE) {
            let (subscription, rest) = number(rest.strip_prefix(b"c").unwrap_or(rest));
            let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
            if let Some(event) = rest.strip_prefix(EVENT) {
                return Ok(Line::Event { subscription, delta: event.starts_with(DELTA) });
            }
            let kind = rest.split(|byte| *byte == b'"').nth(5).unwrap_or_default().to_vec();
            return Ok(Line::Notice { subscription, kind });
        }
        match line.strip_prefix(ANSWER) {
            Some(rest) => {
                let (id, result) = number(rest);
                Ok(Line::Answer { id, result: result.to_vec() })
            }
            None => Ok(Line::Other),
        }
    }

    fn read(&mut self) -> Result<(), Fault> {
        self.line.clear();
        match self.output.read_until(b'\n', &mut self.line)? {
            0 => Err("the sidecar ended".into()),
            _ => Ok(()),
        }
    }

    pub fn resident_mib(&self) -> Result<f64, Fault> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).ok_or("no figure")?.parse()?;
        Ok(kib / 1024.0)
    }

    /// What its threads have used so far.
    pub fn cpu_time(&self) -> Result<Duration, Fault> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()))?;
        tasks.flatten().map(|task| on_cpu(&task.path().join("schedstat"))).sum()
    }
}

/// Returns the time that the threads of this process have used: those of the client and of the simulator.
pub fn own_process_cpu_time() -> Result<Duration, Fault> {
    Ok(clock_gettime(ClockId::ProcessCPUTime).try_into()?)
}

/// Returns the time that this thread has used.
pub fn own_cpu_time() -> Result<Duration, Fault> {
    Ok(clock_gettime(ClockId::ThreadCPUTime).try_into()?)
}

fn on_cpu(schedstat: &std::path::Path) -> Result<Duration, Fault> {
    let text = fs::read_to_string(schedstat)?;
    let nanoseconds = text.split_whitespace().next().ok_or("no figure")?.parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `,"result":"c12"}` and the like.
fn subscription(rest: &[u8]) -> Result<usize, Fault> {
    match rest.strip_prefix(br#","result":"c"#) {
        Some(rest) => Ok(number(rest).0),
        None => Err(String::from_utf8_lossy(rest).into()),
    }
}

fn number(text: &[u8]) -> (usize, &[u8]) {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = text[..digits].iter().fold(0, |value, digit| value * 10 + usize::from(digit - b'0'));
    (value, &text[digits..])
}
