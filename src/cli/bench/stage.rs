//! The simulated backend, some accounts, and a directory for them.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::Fault;
use crate::sim::{
    self, Behaviour, Rule, SimAccount, SimConfig, SimHandle, SimLogin, SimOnThread, StreamPlan,
};

pub(super) struct Stage {
    pub backend: SimOnThread,
    pub logins: Vec<SimLogin>,
    dir: TempDir,
}

/// Characters of a delta in streams of small events; with the rest of the event some 190 bytes.
pub(super) const SMALL: usize = 40;

/// What a completion is asked with, where its size does not matter.
pub(super) const BODY: &str = r#"{"model":"gpt-6.1-sol","input":[]}"#;

impl Stage {
    pub(super) fn with_accounts(count: usize) -> Result<Self, Fault> {
        let backend = SimOnThread::start(SimConfig { log: false, ..SimConfig::default() })?;
        let logins: Vec<SimLogin> = (0..count)
            .map(|at| backend.handle.add_account(SimAccount::named(&format!("user{at:05}"))))
            .collect();
        let dir = tempfile::tempdir()?;
        crate::cli::write_accounts(dir.path(), &sim::accounts_json(&logins))?;
        let stage = Stage { backend, logins, dir };
        stage.answer_with(8, SMALL);
        Ok(stage)
    }

    /// Whoever asks gets so many deltas of this size, rendered once so that the simulator is not what is measured.
    pub(super) fn answer_with(&self, deltas: usize, size: usize) {
        self.behave(Behaviour::Stream(StreamPlan {
            rendered_once: true,
            ..StreamPlan::deltas(deltas, size)
        }));
    }

    pub(super) fn behave(&self, behaviour: Behaviour) {
        self.handle().reset();
        self.handle().add_rule(Rule::always(behaviour));
    }

    pub(super) fn handle(&self) -> &SimHandle {
        &self.backend.handle
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The sidecar as a client would start it here.
    pub(super) fn command(&self) -> Result<Command, Fault> {
        self.command_to(&self.backend.upstream_url)
    }

    pub(super) fn command_to(&self, upstream_url: &str) -> Result<Command, Fault> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("serve")
            .arg("--agent-dir")
            .arg(self.dir())
            .arg("--state-dir")
            .arg(self.dir().join("state"));
        command.arg("--codex-home").arg(self.dir().join("codex"));
        command.args(["--upstream-url", upstream_url, "--auth-url", &self.backend.auth_url]);
        Ok(command)
    }
}
