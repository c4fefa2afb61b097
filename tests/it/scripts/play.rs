//! Runs every `tests/scripts/*.rpc` with the real binary and the simulator. `SCRIPT=name` runs those with `name` in
//! their file name.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use multicodex::clock;
use multicodex::sim::{LoggedRequest, Route, Sim, SimConfig, SimHandle, SimLogin, accounts_json};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::env::A_DAY_MS;
use crate::scripts::pattern::{Names, filled};
use crate::scripts::script::{Count, Counted, Part, Script, Step, rule};
use crate::scripts::script_client::ScriptClient;

/// How long to wait for a message, or for a fact about upstream.
const PATIENCE: Duration = Duration::from_secs(10);
const AT_ONCE: usize = 6;

#[tokio::test]
async fn scripts() {
    play_all(Over::Sse, &[]).await;
}

const ONLY_OVER_SSE: [&str; 15] = [
    // Pages and plain text come instead of an upgrade, where they mean that there is no WebSocket.
    "answers_of_proxies",
    "answers_that_are_not_upstreams",
    "challenge_with_a_hint",
    "html_instead_of_a_stream",
    "long_bodies_are_cut",
    "redirects_are_not_followed",
    "transient_failures",
    "unauthorized_without_a_code",
    // The simulator sends the usage with the handshake, before it refuses anything.
    "no_account_can_answer",
    "usage_limit_dated_by_the_usage_endpoint",
    // They name headers that differ in handshakes, or that only an HTTP answer has.
    "request_body",
    "request_headers",
    "warning_clock_skew",
    // It distinguishes an event with a status from an answer.
    "rotates_on_usage_limit_event",
    // It has completions without a session.
    "status_of_a_session",
];

/// The same scripts, with the same messages except for those about the transport.
#[tokio::test]
async fn scripts_over_websockets() {
    play_all(Over::WebSocket, &ONLY_OVER_SSE).await;
}

/// The transport of completions that do not name one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    Sse,
    WebSocket,
}

async fn play_all(over: Over, left_out: &[&str]) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let chosen = std::env::var("SCRIPT").unwrap_or_default();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)
        .expect("the scripts are there")
        .map(|entry| entry.expect("the scripts can be listed").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "rpc"))
        .filter(|path| path.to_string_lossy().contains(&chosen))
        .filter(|path| !left_out.iter().any(|name| path.file_stem().is_some_and(|stem| stem == *name)))
        .collect();
    assert!(!paths.is_empty(), "no script is called like {chosen:?}");
    paths.sort();
    let mut failures: Vec<String> = Vec::new();
    let mut playing = JoinSet::new();
    let played = paths.len();
    let mut paths = paths.into_iter();
    loop {
        while playing.len() < AT_ONCE
            && let Some(path) = paths.next()
        {
            playing.spawn(play(path, over));
        }
        match playing.join_next().await {
            None => break,
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(failure))) => failures.push(failure),
            Some(Err(panic)) => failures.push(panic.to_string()),
        }
    }
    failures.sort();
    assert!(
        failures.is_empty(),
        "{} of {played} scripts failed:\n\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}

/// Runs the README's session with the setup that its text assumes: two accounts, the first at its limit.
#[tokio::test]
async fn the_readme_tells_the_truth() {
    let readme = include_str!("../../../README.md");
    let session =
        readme.split("```rpc\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a session");
    let text = format!(
        "account ada\naccount bob\nignore accounts/changed\nignore status/changed\nupstream ada always usage_limit\n{session}\n= posts ada 1, bob 1"
    );
    let script = Script::parse("README.md".to_owned(), &text).expect("a script");
    assert!(script.steps.len() > 10, "{} steps", script.steps.len());
    play_script(script, Over::Sse).await.unwrap_or_else(|failure| panic!("{failure}"));
}

async fn play(path: PathBuf, over: Over) -> Result<(), String> {
    play_script(Script::read(&path)?, over).await
}

async fn play_script(script: Script, over: Over) -> Result<(), String> {
    let mut session = Session::new(over).await.map_err(|error| format!("{}: {error}", script.name))?;
    let mut stated: Vec<(usize, &[Count])> = Vec::new();
    for (line, step) in &script.steps {
        match step {
            Step::Counts(counts) => stated.push((*line, counts)),
            Step::Request { .. } => {}
            _ => stated.clear(),
        }
        let played = session.step(step).await;
        played.map_err(|why| session.failure(&script.name, *line, &why))?;
    }
    let end = session.end().await;
    let last = script.steps.last().map_or(0, |(line, _)| *line);
    end.map_err(|why| session.failure(&script.name, last, &why))?;
    // What was true at the end of the script must be true at the end of the process.
    for (line, counts) in stated {
        session.counts(counts).map_err(|why| session.failure(&script.name, line, &why))?;
    }
    Ok(())
}

struct Session {
    sim: Sim,
    handle: SimHandle,
    dir: tempfile::TempDir,
    names: Names,
    logins: Vec<SimLogin>,
    entries: Vec<(String, Value)>,
    settings: Value,
    ordered: bool,
    flags: Vec<String>,
    usage_interval_ms: String,
    ignored: Vec<String>,
    peer: Option<ScriptClient>,
    over: Over,
    sent: usize,
}

impl Session {
    async fn new(over: Over) -> std::io::Result<Self> {
        let sim = Sim::start(SimConfig::default()).await?;
        Ok(Session {
            handle: sim.handle(),
            sim,
            dir: tempfile::tempdir()?,
            names: Names::from([("request".to_owned(), request())]),
            logins: Vec::new(),
            entries: Vec::new(),
            settings: json!({}),
            ordered: true,
            flags: Vec::new(),
            usage_interval_ms: A_DAY_MS.to_owned(),
            ignored: Vec::new(),
            peer: None,
            over,
            sent: 0,
        })
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        let now = clock::now().0;
        match step {
            Step::Account { account, listed } => {
                let login = self.handle.add_account((**account).clone());
                self.names.insert(account.name.clone(), account_id(&login).into());
                self.names.insert(format!("{} access", account.name), login.access_token.clone().into());
                self.names.insert(format!("{} refresh", account.name), login.refresh_token.clone().into());
                if *listed {
                    self.logins.push(login);
                }
            }
            Step::Entry { account, members } => {
                let members = filled(members, &self.names, now)?;
                let members = serde_json::from_str(&members).map_err(|error| error.to_string())?;
                self.entries.push((account.clone(), members));
            }
            Step::Settings(text) => {
                let text = filled(text, &self.names, now)?;
                self.settings = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            }
            Step::NoOrder => self.ordered = false,
            Step::Ignore(method) => self.ignored.push(method.clone()),
            Step::Polls(milliseconds) => self.usage_interval_ms = milliseconds.to_string(),
            Step::Flags(flags) => self.flags.clone_from(flags),
            Step::Upstream(text) => self.handle.add_rule(rule(&filled(text, &self.names, now)?)?),
            Step::Usage { account, usage } => self.handle.set_usage(account, usage.clone()),
            Step::Revoke(account) => self.handle.revoke_access(account),
            Step::Send(text) => {
                let mut text = filled(text, &self.names, now)?;
                if self.over == Over::WebSocket {
                    self.sent += 1;
                    text = asking_for_a_socket(text, self.sent);
                }
                self.started()?.send(&text).await?;
            }
            Step::Expect(pattern) => {
                self.started()?;
                let Session { peer: Some(peer), names, .. } = self else {
                    return Err("not started".to_owned());
                };
                peer.expect(pattern, names, PATIENCE).await?;
            }
            Step::ExpectMany(pattern) => {
                self.started()?;
                let Session { peer: Some(peer), names, .. } = self else {
                    return Err("not started".to_owned());
                };
                peer.expect_many(pattern, names, PATIENCE).await?;
            }
            Step::PauseMs(milliseconds) => tokio::time::sleep(Duration::from_millis(*milliseconds)).await,
            Step::Restart => self.end().await?,
            Step::Counts(counts) => self.soon(|session| session.counts(counts)).await?,
            Step::Request { account, n, route, part } => {
                let find = |logged: &LoggedRequest| {
                    logged.account.as_ref() == Some(account) && logged.n == *n && logged.route == Some(*route)
                };
                let mut names = self.names.clone();
                self.soon(|session| {
                    let log = session.handle.log();
                    let logged = log.iter().find(|logged| find(logged)).ok_or("there was no such request")?;
                    said(logged, part, &mut names)
                })
                .await?;
                self.names = names;
            }
        }
        Ok(())
    }

    /// Polls until it holds.
    async fn soon(&self, mut holds: impl FnMut(&Session) -> Result<(), String>) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match holds(self) {
                Err(why) if Instant::now() > deadline => return Err(why),
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                Ok(()) => return Ok(()),
            }
        }
    }

    fn counts(&self, counts: &[Count]) -> Result<(), String> {
        for Count { what, count } in counts {
            let seen = match what {
                // A refusal at once over HTTP is a refusal of the handshake.
                Counted::Requests { route: Route::Responses, account } => {
                    self.handle.posts(account) + self.refused_handshakes(account)
                }
                Counted::Requests { route, account } => self.handle.requests(account, *route),
                Counted::Reused => self.handle.reused() as usize,
            };
            if seen != *count {
                return Err(format!("{what:?} is {seen}, not {count}"));
            }
        }
        Ok(())
    }

    fn refused_handshakes(&self, account: &str) -> usize {
        let log = self.handle.log();
        let refused = log.iter().filter(|logged| {
            let is_of_account = logged.account.as_deref() == Some(account);
            is_of_account
                && logged.route == Some(Route::Socket)
                && logged.status.is_some_and(|status| status != 101)
        });
        refused.count()
    }

    fn started(&mut self) -> Result<&mut ScriptClient, String> {
        if self.peer.is_none() {
            self.write_files().map_err(|error| error.to_string())?;
            let command = self.command().map_err(|error| error.to_string())?;
            self.peer = Some(ScriptClient::start(command, self.ignored.clone())?);
        }
        self.peer.as_mut().ok_or_else(|| "not started".to_owned())
    }

    /// Only before the first start: after it the files belong to the sidecar.
    fn write_files(&self) -> std::io::Result<()> {
        let agent_dir = self.dir.path().join("agent");
        if agent_dir.exists() {
            return Ok(());
        }
        std::fs::DirBuilder::new().mode(0o700).create(&agent_dir)?;
        let mut accounts: Value = serde_json::from_str(&accounts_json(&self.logins))?;
        for entry in accounts["accounts"].as_array_mut().into_iter().flatten() {
            for (name, members) in &self.entries {
                let login = self.logins.iter().find(|login| login.account.name == *name);
                if login.is_some_and(|login| entry["email"] == login.account.email)
                    && let (Some(entry), Some(members)) = (entry.as_object_mut(), members.as_object())
                {
                    entry.extend(members.clone());
                }
            }
        }
        write_private(&agent_dir.join("codex-accounts.json"), &accounts.to_string())?;
        let settings = json!({ "pi-multicodex": self.ordered_settings() });
        write_private(&agent_dir.join("settings.json"), &settings.to_string())
    }

    /// Accounts are preferred in the order in which the script names them, unless its settings have a strategy.
    fn ordered_settings(&self) -> Value {
        let mut settings = self.settings.clone();
        if self.ordered && settings["rotation"]["strategy"].is_null() {
            settings["rotation"]["strategy"] = "priority".into();
            settings["rotation"]["priority"] = (1..)
                .zip(&self.logins)
                .map(|(place, login)| json!({ "account": account_id(login), "priority": -place }))
                .collect();
        }
        settings
    }

    fn command(&self) -> std::io::Result<Command> {
        let dir = self.dir.path();
        let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("stderr"))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_multicodex"));
        command
            .arg("serve")
            .args(["--upstream-url", &self.sim.upstream_url(), "--auth-url", &self.sim.auth_url()])
            .args(["--log", "info"])
            .args(&self.flags)
            .env_clear()
            .env("HOME", dir)
            .env("PI_CODING_AGENT_DIR", dir.join("agent"))
            .env("MULTICODEX_STATE_DIR", dir.join("state"))
            .env("CODEX_HOME", dir.join("codex"))
            .env("MULTICODEX_TEST_REDEEM_SPACING_MS", "0")
            .env("MULTICODEX_TEST_USAGE_INTERVAL_MS", &self.usage_interval_ms)
            .stderr(Stdio::from(log));
        Ok(command)
    }

    async fn end(&mut self) -> Result<(), String> {
        match self.peer.take() {
            Some(peer) => peer.end(PATIENCE).await,
            None => Ok(()),
        }
    }

    fn failure(&self, script: &str, line: usize, why: &str) -> String {
        let names: Vec<String> =
            (self.names.iter().filter(|(name, _)| *name != "request" && !name.contains(' ')))
                .map(|(name, value)| format!("«{name}» {value}"))
                .collect();
        let names = names.join(", ");
        let log: Vec<String> = self.handle.log().iter().map(told).collect();
        let stderr = std::fs::read_to_string(self.dir.path().join("stderr")).unwrap_or_default();
        let tail: Vec<&str> = stderr.lines().rev().take(12).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        format!(
            "tests/scripts/{script}:{line}: {why}\n  names: {}\n  upstream saw:\n    {}\n  stderr:\n    {}",
            names,
            log.join("\n    "),
            tail.join("\n    ")
        )
    }
}

/// Wider permissions cause a warning, which the script does not expect.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// Makes a completion that names no transport use a WebSocket, with its own session if it has none. Everything else
/// keeps its spelling.
fn asking_for_a_socket(text: String, nth: usize) -> String {
    let Ok(message) = serde_json::from_str::<Value>(&text) else { return text };
    let params = &message["params"];
    let completes = message["method"] == "complete" || message["method"] == "complete/collect";
    if !completes || !params["transport"].is_null() {
        return text;
    }
    let names_session =
        |headers: &serde_json::Map<String, Value>| headers.keys().any(|name| name.contains("session"));
    let has_session = !params["sessionId"].is_null()
        || !params["request"]["prompt_cache_key"].is_null()
        || params["headers"].as_object().is_some_and(names_session);
    // A session that a header names is not added to the body.
    let session = match (has_session, params["headers"].is_null()) {
        (true, _) => String::new(),
        (false, true) => format!("\"headers\":{{\"session-id\":\"ws-{nth}\"}},"),
        (false, false) => format!("\"sessionId\":\"ws-{nth}\","),
    };
    text.replacen("\"params\":{", &format!("\"params\":{{{session}\"transport\":\"auto\","), 1)
}

/// The value of `«request»`.
fn request() -> Value {
    json!({
        "model": "gpt-6.1-sol",
        "instructions": "Be brief.",
        "input": [{ "role": "user", "content": [{ "type": "input_text", "text": "Why?" }] }],
    })
}

fn account_id(login: &SimLogin) -> String {
    let identity = multicodex::pool::Identity {
        workspace_id: Some(login.account.workspace_id.clone()),
        user_id: Some(login.account.user_id.clone()),
        ..Default::default()
    };
    multicodex::auth::account_id(&identity, "").to_string()
}

fn told(logged: &LoggedRequest) -> String {
    let account = logged.account.as_deref().unwrap_or("?");
    let status = logged.status.map_or("no answer".to_owned(), |status| status.to_string());
    format!("{account} {} {} #{}: {status}, {:?}", logged.method, logged.path, logged.n, logged.end)
}

fn said(logged: &LoggedRequest, part: &Part, names: &mut Names) -> Result<(), String> {
    let now = clock::now().0;
    match part {
        Part::Body(pattern) => {
            let body = serde_json::from_str(&logged.body).map_err(|error| error.to_string())?;
            pattern.matches(&body, names, now)
        }
        Part::Headers(pattern) => pattern.matches(&json!(logged.headers), names, now),
        Part::End(end) if *end == logged.end => Ok(()),
        Part::End(end) => Err(format!("the request ended {:?}, not {end:?}", logged.end)),
    }
}
