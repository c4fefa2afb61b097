//! `multicodex bench`: what the sidecar costs, each figure beside the same work done directly against the simulated
//! backend in the same run. Only the ratios mean something on another machine.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::Duration;

use http::HeaderMap;
use serde_json::value::RawValue;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::http::{BaseUrl, HttpClient};
use crate::secret::Secret;
use crate::sim::{Behaviour, SimAccount, SimConfig, SimHandle, SimLogin, SimOnThread, StreamPlan};
use crate::upstream::{Answer, Asked, Bearer, EventMeaning, ResponsesRequest, Upstream, prepare};
use crate::{clock, sim};

type Fault = Box<dyn std::error::Error>;

const IDLE: Duration = Duration::from_secs(30);
const BODY: &str = r#"{"model":"gpt-6.1-sol","input":[]}"#;

/// Runs every measurement once and prints a table.
pub fn bench() -> Result<ExitCode, String> {
    measure().map(|()| ExitCode::SUCCESS).map_err(|error| format!("bench: {error}"))
}

fn measure() -> Result<(), Fault> {
    let backend = SimOnThread::start(SimConfig { log: false, ..SimConfig::default() })?;
    let logins: Vec<SimLogin> =
        ["ada", "bob"].iter().map(|name| backend.handle.add_account(SimAccount::named(name))).collect();
    let dir = tempfile::tempdir()?;
    crate::cli::write_accounts(dir.path(), &sim::accounts_json(&logins))?;
    let bench = Bench { backend: &backend, logins: &logins, dir: dir.path() };

    println!("{:<44} {:>12} {:>12} {:>8}", "", "sidecar", "directly", "ratio");
    bench.start_up()?;
    let mut sidecar = Sidecar::spawn(&bench)?;
    sidecar.request(r#"{"id":1,"method":"initialize"}"#)?;
    println!("{:<44} {:>9.1} MiB", "resident memory, idle after initialize", sidecar.resident_mib()?);
    let direct = Direct::new(&bench)?;
    bench.round_trips(&mut sidecar)?;
    bench.first_delta(&mut sidecar, &direct)?;
    bench.long_stream(&mut sidecar, &direct)?;
    bench.failover(&mut sidecar, &direct)?;
    println!("{:<44} {:>9.1} MiB", "resident memory at the end", sidecar.resident_mib()?);
    Ok(())
}

struct Bench<'a> {
    backend: &'a SimOnThread,
    logins: &'a [SimLogin],
    dir: &'a std::path::Path,
}

impl Bench<'_> {
    /// Spawn to the first answer, beside spawn to the end of `--version`, which does nothing.
    fn start_up(&self) -> Result<(), Fault> {
        let mut ours = Vec::new();
        let mut nothing = Vec::new();
        for _ in 0..30 {
            let begun = Instant::now();
            Command::new(std::env::current_exe()?).arg("--version").stdout(Stdio::null()).status()?;
            nothing.push(begun.elapsed());
            let begun = Instant::now();
            let mut sidecar = Sidecar::spawn(self)?;
            sidecar.request(r#"{"id":1,"method":"accounts"}"#)?;
            ours.push(begun.elapsed());
        }
        row("spawn to first answer / to `--version`'s end", median(&mut ours), median(&mut nothing));
        Ok(())
    }

    fn round_trips(&self, sidecar: &mut Sidecar) -> Result<(), Fault> {
        let mut cat = Echo::spawn()?;
        let line = r#"{"id":2,"method":"accounts"}"#;
        let (mut ours, mut echo) = (Vec::new(), Vec::new());
        for _ in 0..2000 {
            let begun = Instant::now();
            sidecar.request(line)?;
            ours.push(begun.elapsed());
            let begun = Instant::now();
            cat.echo(line)?;
            echo.push(begun.elapsed());
        }
        row("`accounts`, one at a time / an echo by cat", median(&mut ours), median(&mut echo));
        Ok(())
    }

    fn first_delta(&self, sidecar: &mut Sidecar, direct: &Direct) -> Result<(), Fault> {
        self.answer_with(8, 40);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..300 {
            ours.push(sidecar.complete()?.first_delta);
            theirs.push(direct.complete()?.first_delta);
        }
        row("first delta, one stream", median(&mut ours), median(&mut theirs));
        Ok(())
    }

    fn long_stream(&self, sidecar: &mut Sidecar, direct: &Direct) -> Result<(), Fault> {
        self.answer_with(50_000, 40);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let mut events = 0;
        for _ in 0..5 {
            let streamed = sidecar.complete()?;
            events = streamed.events;
            ours.push(streamed.total);
            theirs.push(direct.complete()?.total);
        }
        let (ours, theirs) = (median(&mut ours), median(&mut theirs));
        let rate = |time: Duration| f64::from(events) / time.as_secs_f64() / 1000.0;
        println!(
            "{:<44} {:>8.0} k/s {:>8.0} k/s {:>8.2}",
            format!("events of a stream of {events}"),
            rate(ours),
            rate(theirs),
            rate(ours) / rate(theirs)
        );
        Ok(())
    }

    /// A completion that meets a limit on the first account, beside two direct requests.
    fn failover(&self, sidecar: &mut Sidecar, direct: &Direct) -> Result<(), Fault> {
        self.answer_with(8, 40);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..100 {
            sidecar.request(r#"{"id":3,"method":"reset","params":{"scope":"quota"}}"#)?;
            self.handle().add_rule(sim::Rule::next(1, Behaviour::usage_limit()));
            let streamed = sidecar.complete()?;
            if !streamed.rotated {
                return Err("a completion did not meet the limit".into());
            }
            ours.push(streamed.first_delta);
            let begun = Instant::now();
            self.handle().add_rule(sim::Rule::next(1, Behaviour::usage_limit()));
            direct.refused()?;
            direct.complete()?;
            theirs.push(begun.elapsed());
        }
        row("first delta after a usage limit / two requests", median(&mut ours), median(&mut theirs));
        Ok(())
    }

    fn answer_with(&self, deltas: usize, size: usize) {
        let plan = StreamPlan { rendered_once: true, ..StreamPlan::deltas(deltas, size) };
        for login in self.logins {
            self.handle().set_behaviour(&login.account.name, Behaviour::Stream(plan.clone()));
        }
    }

    fn handle(&self) -> SimHandle {
        self.backend.handle.clone()
    }
}

/// What one completion took.
struct Streamed {
    first_delta: Duration,
    total: Duration,
    events: u32,
    rotated: bool,
}

/// The real sidecar as a child, driven by hand so that the client costs as little as can be.
struct Sidecar {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    line: String,
}

impl Sidecar {
    fn spawn(bench: &Bench<'_>) -> Result<Self, Fault> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("serve")
            .arg("--agent-dir")
            .arg(bench.dir)
            .arg("--state-dir")
            .arg(bench.dir.join("state"))
            .args(["--upstream-url", &bench.backend.upstream_url, "--auth-url", &bench.backend.auth_url]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (input, output) = pipes(&mut child)?;
        Ok(Sidecar { child, input, output, line: String::new() })
    }

    /// Sends a request and reads up to its answer; what else comes is passed over.
    fn request(&mut self, line: &str) -> Result<(), Fault> {
        writeln!(self.input, "{line}")?;
        loop {
            self.read()?;
            if self.line.starts_with(r#"{"jsonrpc":"2.0","id""#) {
                return Ok(());
            }
        }
    }

    fn complete(&mut self) -> Result<Streamed, Fault> {
        let begun = Instant::now();
        writeln!(self.input, r#"{{"id":9,"method":"complete","params":{{"request":{BODY}}}}}"#)?;
        let mut streamed =
            Streamed { first_delta: Duration::ZERO, total: Duration::ZERO, events: 0, rotated: false };
        loop {
            self.read()?;
            let Some((_, notice)) = self.line.split_once(r#""result":{"type":""#) else { continue };
            match notice.split('"').next() {
                Some("event") => {
                    if streamed.first_delta.is_zero() && notice.contains("output_text.delta") {
                        streamed.first_delta = begun.elapsed();
                    }
                    streamed.events += 1;
                }
                Some("rotated") => streamed.rotated = true,
                Some("done") => {
                    streamed.total = begun.elapsed();
                    return Ok(streamed);
                }
                Some("error") => return Err(self.line.clone().into()),
                _ => {}
            }
        }
    }

    fn read(&mut self) -> Result<(), Fault> {
        self.line.clear();
        match self.output.read_line(&mut self.line)? {
            0 => Err("the sidecar ended".into()),
            _ => Ok(()),
        }
    }

    fn resident_mib(&self) -> Result<f64, Fault> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).ok_or("no figure")?.parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `cat`: what a round trip over two pipes costs at the least.
struct Echo {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Echo {
    fn spawn() -> Result<Self, Fault> {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (input, output) = pipes(&mut child)?;
        Ok(Echo { child, input, output })
    }

    fn echo(&mut self, line: &str) -> Result<(), Fault> {
        writeln!(self.input, "{line}")?;
        self.output.read_line(&mut String::new())?;
        Ok(())
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pipes(child: &mut Child) -> Result<(ChildStdin, BufReader<ChildStdout>), Fault> {
    match (child.stdin.take(), child.stdout.take()) {
        (Some(input), Some(output)) => Ok((input, BufReader::with_capacity(64 << 10, output))),
        _ => Err("the child has no pipes".into()),
    }
}

/// The same requests without a sidecar: the crate's own HTTP client and stream reader.
struct Direct {
    runtime: Runtime,
    upstream: Upstream,
    token: Secret,
    workspace_id: String,
    request: ResponsesRequest,
}

impl Direct {
    fn new(bench: &Bench<'_>) -> Result<Self, Fault> {
        let login = bench.logins.first().ok_or("no account")?;
        let base: BaseUrl = bench.backend.upstream_url.parse()?;
        let body = prepare(&RawValue::from_string(BODY.to_owned())?, None)?;
        Ok(Direct {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            upstream: Upstream::new(HttpClient::new(), base),
            token: Secret::new(login.access_token.clone()),
            workspace_id: login.account.workspace_id.clone(),
            request: ResponsesRequest::new(&body, HeaderMap::new()),
        })
    }

    fn complete(&self) -> Result<Streamed, Fault> {
        self.runtime.block_on(async {
            let begun = Instant::now();
            let Answer::Stream { mut events, .. } = self.ask().await? else { return Err("refused".into()) };
            let mut streamed =
                Streamed { first_delta: Duration::ZERO, total: Duration::ZERO, events: 0, rotated: false };
            while let Some(event) = events.next(IDLE).await? {
                if streamed.first_delta.is_zero()
                    && event.json().starts_with(br#"{"type":"response.output_text.delta"#)
                {
                    streamed.first_delta = begun.elapsed();
                }
                streamed.events += 1;
                let now = clock::now();
                let asked = Asked { requested_at: now, answered_at: now };
                if let EventMeaning::Completed { .. } = event.meaning(asked) {
                    streamed.total = begun.elapsed();
                }
            }
            Ok(streamed)
        })
    }

    fn refused(&self) -> Result<(), Fault> {
        match self.runtime.block_on(self.ask())? {
            Answer::Refused { .. } => Ok(()),
            Answer::Stream { .. } => Err("not refused".into()),
        }
    }

    async fn ask(&self) -> Result<Answer, Fault> {
        let bearer = Bearer { token: &self.token, workspace_id: Some(&self.workspace_id) };
        let answer = self.upstream.responses(&bearer, &self.request).await;
        answer.map_err(|failure| failure.message.into())
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn row(what: &str, ours: Duration, baseline: Duration) {
    let us = |time: Duration| time.as_secs_f64() * 1e6;
    println!("{what:<44} {:>9.0} us {:>9.0} us {:>8.2}", us(ours), us(baseline), us(ours) / us(baseline));
}
