//! A simulated backend, an agent dir with its accounts in it, and the real binary between them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use multicodex::sim::{SimAccount, SimConfig, SimHandle, SimOnThread, accounts_json};
use tempfile::TempDir;

use crate::peer::{self, Framing, Peer};

/// Everything that a sidecar needs to run, and nothing of the user's.
#[derive(Debug)]
pub struct World {
    sim: SimOnThread,
    dir: TempDir,
}

impl World {
    /// A backend with these accounts, all of which are in the agent dir's `codex-accounts.json`.
    pub fn new(accounts: impl IntoIterator<Item = SimAccount>) -> Self {
        let sim = SimOnThread::start(SimConfig::default()).expect("a simulator");
        let logins: Vec<_> = accounts.into_iter().map(|account| sim.handle.add_account(account)).collect();
        let world = World { sim, dir: tempfile::tempdir().expect("a directory") };
        fs::write(world.accounts_file(), accounts_json(&logins)).expect("the agent dir is writable");
        fs::set_permissions(world.accounts_file(), fs::Permissions::from_mode(0o600)).expect("our own file");
        world
    }

    pub fn sim(&self) -> &SimHandle {
        &self.sim.handle
    }

    pub fn accounts_file(&self) -> PathBuf {
        self.dir.path().join("codex-accounts.json")
    }

    /// A text with the directory of this world named as a user's would be.
    pub fn at_home(&self, text: &str) -> String {
        text.replace(&self.dir.path().to_string_lossy().into_owned(), "/home/ada/.pi/agent")
    }

    /// `multicodex serve` in this world.
    pub fn command(&self) -> Command {
        let mut command = peer::command(&["serve", "--agent-dir"]);
        command
            .arg(self.dir.path())
            .arg("--state-dir")
            .arg(self.dir.path().join("state"))
            .arg("--codex-home")
            .arg(self.dir.path().join("codex"))
            .args(["--upstream-url", &self.sim.upstream_url, "--auth-url", &self.sim.auth_url]);
        command
    }

    pub fn peer(&self) -> Peer {
        Peer::spawn(self.command(), Framing::Lines)
    }
}
