//! A simulated backend, an agent dir with its accounts in it, and the real binary between them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use multicodex::sim::{RequestEnd, SimAccount, SimConfig, SimHandle, SimOnThread, accounts_json};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::peer::{self, DEADLINE, Framing, Peer};

/// Everything that a sidecar needs to run, and nothing of the user's.
#[derive(Debug)]
pub struct World {
    sim: SimOnThread,
    dir: TempDir,
}

/// Looks again and again, until the deadline of everything.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < until, "it never came to this: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
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

    /// Replaces the accounts file as another program would: by a rename.
    pub fn rewrite_accounts(&self, edit: impl FnOnce(&mut Value)) {
        let text = fs::read_to_string(self.accounts_file()).expect("the accounts file is there");
        let mut file = serde_json::from_str(&text).expect("JSON");
        edit(&mut file);
        self.replace_accounts(&file.to_string());
    }

    pub fn replace_accounts(&self, text: &str) {
        let new = self.dir.path().join("replacement");
        fs::write(&new, text).expect("the agent dir is writable");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).expect("our own file");
        fs::rename(new, self.accounts_file()).expect("the agent dir is writable");
    }

    pub fn settings_file(&self) -> PathBuf {
        self.dir.path().join("settings.json")
    }

    /// The names of all files in this world's directory and below it.
    pub fn files(&self) -> Vec<String> {
        fn below(dir: &std::path::Path) -> Vec<String> {
            let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry"));
            let names = entries.map(|entry| match entry.path().is_dir() {
                true => below(&entry.path()),
                false => vec![entry.file_name().to_string_lossy().into_owned()],
            });
            names.flatten().collect()
        }
        below(self.dir.path())
    }

    /// Waits until every request that was made upstream has come to an end.
    pub fn sim_is_at_rest(&self) {
        let until = Instant::now() + DEADLINE;
        loop {
            let log = self.sim().log();
            let Some(open) = log.iter().find(|logged| logged.end == RequestEnd::Open) else { return };
            assert!(
                Instant::now() < until,
                "a request is still under way: {} of {:?}",
                open.path,
                open.account
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A text with the directory of this world named as a user's would be.
    pub fn at_home(&self, text: &str) -> String {
        text.replace(&self.dir.path().to_string_lossy().into_owned(), "/home/ada/.pi/agent")
    }

    /// `multicodex serve` in this world.
    pub fn command(&self) -> Command {
        self.command_to("serve")
    }

    /// The same of another subcommand.
    pub fn command_to(&self, subcommand: &str) -> Command {
        let mut command = peer::command(&[subcommand, "--agent-dir"]);
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
