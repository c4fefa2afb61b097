//! The simulated backend, some accounts, and a directory for them.

use std::path::Path;
use std::process::Command;

use multicodex::sim::{
    Behaviour, Rule, SimAccount, SimConfig, SimHandle, SimLogin, SimOnThread, StreamPlan, write_accounts,
};
use tempfile::TempDir;

use crate::effort::Fault;

pub struct BenchEnv {
    pub backend: SimOnThread,
    pub logins: Vec<SimLogin>,
    dir: TempDir,
}

/// Characters of a delta in streams of small events; with the rest an event has about 190 bytes.
pub const SMALL: usize = 40;

/// The prompt of a completion where its size does not matter.
pub const BODY: &str = r#"{"model":"gpt-6.1-sol","input":[]}"#;

impl BenchEnv {
    pub fn with_accounts(count: usize) -> Result<Self, Fault> {
        let backend = SimOnThread::start(SimConfig { log: false, ..SimConfig::default() })?;
        let logins: Vec<SimLogin> = (0..count)
            .map(|at| backend.handle.add_account(SimAccount::named(&format!("user{at:05}"))))
            .collect();
        let dir = tempfile::tempdir()?;
        write_accounts(dir.path(), &logins)?;
        let env = BenchEnv { backend, logins, dir };
        env.answer_with(8, SMALL);
        Ok(env)
    }

    /// Answers every request with this many deltas of this size, rendered once, so that the simulator is not measured.
    pub fn answer_with(&self, deltas: usize, size: usize) {
        self.behave(Behaviour::Stream(StreamPlan {
            rendered_once: true,
            ..StreamPlan::deltas(deltas, size)
        }));
    }

    pub fn behave(&self, behaviour: Behaviour) {
        self.handle().reset();
        self.handle().add_rule(Rule::always(behaviour));
    }

    pub fn handle(&self) -> &SimHandle {
        &self.backend.handle
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Starts the sidecar as a client would.
    pub fn command(&self) -> Command {
        self.command_to(&self.backend.upstream_url)
    }

    pub fn command_to(&self, upstream_url: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_multicodex"));
        command
            .arg("serve")
            .arg("--agent-dir")
            .arg(self.dir())
            .arg("--state-dir")
            .arg(self.dir().join("state"));
        command.arg("--codex-home").arg(self.dir().join("codex"));
        command.args(["--upstream-url", upstream_url, "--auth-url", &self.backend.auth_url]);
        command
    }
}
