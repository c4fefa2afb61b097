//! A real pi and the sidecar with one login that expires again and again: both keep working, no token is sent twice and
//! pi's file is never torn.
//!
//! Needs node and npm. Without them this says on stderr that it was skipped; with `CI=true` it fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join;
use multicodex::protocol::{AccountsImport, CompleteCollect, CompleteParams, ImportParams};
use multicodex::sim::SimAccount;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::Instant;

use crate::env::skip;
use crate::env::{Sidecar, TestEnv, email, eventually};

const MODEL: &str = "gpt-6.1-sol";
/// The start of pi, or one answer, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The program, installed once in cargo's directory for temporary files.
pub fn program() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("cargo's own directory");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pi/install.sh");
        let installed = std::process::Command::new(script).arg(target.join("pi-1.6.0")).output();
        let installed = installed.ok().filter(|output| output.status.success())?;
        let program = PathBuf::from(String::from_utf8(installed.stdout).expect("a path").trim());
        let tried = std::process::Command::new(&program).arg("--version").output();
        tried.is_ok_and(|output| output.status.success()).then_some(program)
    });
    if program.is_none() {
        skip::skip_unless("npm, or a pi that it can install and that runs here");
    }
    program.as_deref()
}

/// pi in its RPC mode, with the simulator as upstream.
struct Pi {
    child: Child,
    stdin: ChildStdin,
    told: Lines<BufReader<ChildStdout>>,
}

impl Pi {
    fn start(program: &Path, env: &TestEnv) -> Pi {
        let settings = json!({ "transport": "sse", "retry": { "enabled": false } });
        fs::write(env.agent_dir().join("settings.json"), settings.to_string()).expect("written");
        let models = json!({ "providers": { "openai-codex": { "baseUrl": env.upstream_url() } } });
        fs::write(env.agent_dir().join("models.json"), models.to_string()).expect("written");
        let shim = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pi/to_simulator.mjs");
        let mut command = Command::new(program);
        command
            .args(["--mode", "rpc", "--no-session", "--no-extensions", "--provider", "openai-codex"])
            .args(["--model", MODEL])
            .current_dir(env.agent_dir())
            .env("NODE_OPTIONS", format!("--import=file://{}", shim.display()))
            .env("AUTH_URL", env.auth_url())
            .env("PI_CODING_AGENT_DIR", env.agent_dir())
            .envs([("PI_OFFLINE", "1"), ("PI_SKIP_VERSION_CHECK", "1"), ("PI_TELEMETRY", "0")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("pi starts");
        let (stdin, stdout) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        Pi { child, stdin, told: BufReader::new(stdout).lines() }
    }

    /// Returns pi's answer, or the error it shows.
    async fn ask(&mut self, prompt: &str) -> Result<String, Value> {
        let command = json!({ "type": "prompt", "message": prompt });
        self.stdin.write_all(format!("{command}\n").as_bytes()).await.expect("pi reads");
        let mut answer = Err(Value::Null);
        loop {
            let line = tokio::time::timeout(PATIENCE, self.told.next_line()).await.expect("pi answers");
            let line = line.expect("text").expect("pi goes on");
            let event: Value = serde_json::from_str(&line).expect("JSON");
            if event["type"] == "message_end" && event["message"]["role"] == "assistant" {
                let message = &event["message"];
                answer = match message["content"][0]["text"].as_str() {
                    Some(text) if message["stopReason"] == "stop" => Ok(text.to_owned()),
                    _ => Err(message.clone()),
                };
            }
            if event["type"] == "agent_settled" {
                return answer;
            }
        }
    }

    async fn end(mut self) {
        drop(self.stdin);
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("pi ends");
        assert!(ended.expect("a child").success());
    }
}

async fn complete(sidecar: &Sidecar) -> u32 {
    let request = json!({ "model": MODEL, "input": [{ "role": "user", "content": "Hello" }] });
    let params = CompleteParams {
        request: RawValue::from_string(request.to_string()).expect("JSON"),
        session_id: None,
        account: Some(email("ada")),
        headers: None,
        deadline_ms: None,
        idle_timeout_ms: None,
        transport: None,
        allow_reserve: None,
    };
    sidecar.client.request::<CompleteCollect>(&params).await.expect("the sidecar serves").attempts
}

/// Reads pi's file all the time. pi writes in place, so half a file may be seen, but not for long.
fn watch_for_tears(file: PathBuf, over: &AtomicBool) -> u32 {
    let (mut readings, mut torn_since) = (0, None);
    while !over.load(Ordering::Relaxed) {
        let text = fs::read(&file).expect("the file is always there");
        match serde_json::from_slice::<Value>(&text) {
            Ok(whole) => {
                assert_eq!(whole["anthropic"]["key"], "kept", "{whole}");
                assert!(whole["openai-codex"]["refresh"].is_string(), "{whole}");
                (readings, torn_since) = (readings + 1, None);
            }
            Err(error) => {
                let since = *torn_since.get_or_insert_with(Instant::now);
                assert!(since.elapsed() < Duration::from_secs(5), "auth.json stays torn: {error}");
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    readings
}

#[tokio::test]
async fn a_real_pi_and_the_sidecar_share_a_login_through_ten_expiries() {
    let Some(program) = program() else { return };
    let env = TestEnv::new([SimAccount::named("bob")]);
    // Less than the five minutes that both require, so each of them refreshes it before every use.
    env.log_pi_in(&env.sim().add_account(SimAccount { expires_in: 290, ..SimAccount::named("ada") }));
    let over = std::sync::Arc::new(AtomicBool::new(false));
    let watcher = tokio::task::spawn_blocking({
        let (file, over) = (env.auth_file(), over.clone());
        move || watch_for_tears(file, &over)
    });
    let mut sidecar = env.sidecar().await;
    let mut pi = Pi::start(program, &env);
    for expiry in 1..=10 {
        let (before, refresh) = (env.sim().refreshes("ada"), env.login_of_pi()["refresh"].clone());
        // All tokens issued so far are now refused.
        env.sim().revoke_access("ada");
        let prompt = format!("number {expiry}");
        let asked = match expiry % 3 {
            // Both at the same time, with either one first.
            0 => join(pi.ask(&prompt), complete(&sidecar)).await.0,
            1 => {
                let asked = pi.ask(&prompt).await;
                complete(&sidecar).await;
                asked
            }
            _ => {
                complete(&sidecar).await;
                pi.ask(&prompt).await
            }
        };
        let answer = asked.unwrap_or_else(|error| panic!("pi at expiry {expiry}: {error}"));
        assert!(answer.contains(&prompt), "{answer}");
        assert!(env.sim().refreshes("ada") > before, "expiry {expiry} was one");
        assert_ne!(env.login_of_pi()["refresh"], refresh, "pi has what was refreshed");
        assert_eq!(env.sim().reused(), 0, "expiry {expiry}");
        sidecar.client.request::<AccountsImport>(&ImportParams::default()).await.expect("merged");
        eventually("both files hold one credential", async || {
            let (pi, own) = (env.login_of_pi(), &env.read_accounts()["accounts"][1]);
            (&pi["access"], &pi["refresh"], &pi["expires"])
                == (&own["accessToken"], &own["refreshToken"], &own["expiresAt"])
        })
        .await;
        if expiry == 5 {
            sidecar.end().await;
            sidecar = env.sidecar().await;
        }
    }
    let ada = sidecar.account("ada").await;
    assert!(ada.linked && ada.reason.is_none(), "{ada:?}");
    sidecar.end().await;
    pi.end().await;
    over.store(true, Ordering::Relaxed);
    assert!(watcher.await.expect("never torn") > 100);
    assert!(!env.auth_file().with_file_name("auth.json.lock").exists());
}
