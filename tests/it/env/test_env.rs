//! A simulated backend, an agent directory with its accounts in it, and the real binary between them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use multicodex::sim::{RequestEnd, SimAccount, SimConfig, SimHandle, SimLogin, SimOnThread, accounts_json};
use serde_json::Value;
use tempfile::TempDir;

use super::eventually::eventually_blocking;
use super::raw_client::{Framing, RawClient};
use super::sidecar::Sidecar;
use crate::import::pi_and_codex::auth_json;

pub const A_DAY_MS: &str = "86400000";

/// Everything that a sidecar needs, and nothing of the user's. The backend runs on its own thread, so that blocking and
/// async tests use it alike.
#[derive(Debug)]
pub struct TestEnv {
    sim: SimOnThread,
    dir: TempDir,
}

impl TestEnv {
    /// A backend with these accounts, all of which are in the agent directory's `codex-accounts.json`.
    pub fn new(accounts: impl IntoIterator<Item = SimAccount>) -> Self {
        Self::with_config(SimConfig::default(), accounts)
    }

    /// The same for many requests: the backend keeps no log of them, so they cannot be counted.
    pub fn unlogged(accounts: impl IntoIterator<Item = SimAccount>) -> Self {
        Self::with_config(SimConfig { log: false, ..SimConfig::default() }, accounts)
    }

    pub fn with_config(config: SimConfig, accounts: impl IntoIterator<Item = SimAccount>) -> Self {
        let sim = SimOnThread::start(config).expect("a simulator");
        let logins: Vec<_> = accounts.into_iter().map(|account| sim.handle.add_account(account)).collect();
        let env = TestEnv { sim, dir: tempfile::tempdir().expect("a directory") };
        env.replace_accounts(&accounts_json(&logins));
        env
    }

    pub fn sim(&self) -> &SimHandle {
        &self.sim.handle
    }

    /// Where the simulated backend listens, e.g. `127.0.0.1:4000`.
    pub fn sim_address(&self) -> String {
        self.sim.auth_url.trim_start_matches("http://").to_owned()
    }

    pub fn upstream_url(&self) -> String {
        self.sim.upstream_url.clone()
    }

    pub fn auth_url(&self) -> String {
        self.sim.auth_url.clone()
    }

    pub fn agent_dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// The directory of the locks and the refresh journal.
    pub fn guard_dir(&self) -> PathBuf {
        self.dir.path().join(".multicodex")
    }

    pub fn accounts_file(&self) -> PathBuf {
        self.dir.path().join("codex-accounts.json")
    }

    pub fn settings_file(&self) -> PathBuf {
        self.dir.path().join("settings.json")
    }

    /// pi's `auth.json`.
    pub fn auth_file(&self) -> PathBuf {
        self.dir.path().join("auth.json")
    }

    pub fn read_accounts(&self) -> Value {
        let text = fs::read_to_string(self.accounts_file()).expect("the accounts file is there");
        serde_json::from_str(&text).expect("the accounts file parses")
    }

    /// Replaces the accounts file as another program would: by a rename.
    pub fn replace_accounts(&self, text: &str) {
        let new = self.dir.path().join("replacement");
        fs::write(&new, text).expect("the agent directory is writable");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).expect("our own file");
        fs::rename(new, self.accounts_file()).expect("the agent directory is writable");
    }

    pub fn rewrite_accounts(&self, edit: impl FnOnce(&mut Value)) {
        let mut file = self.read_accounts();
        edit(&mut file);
        self.replace_accounts(&file.to_string());
    }

    /// Written in place, as pi does.
    pub fn log_pi_in(&self, login: &SimLogin) {
        fs::write(self.auth_file(), auth_json(login)).expect("written");
        fs::set_permissions(self.auth_file(), fs::Permissions::from_mode(0o600)).expect("its mode is set");
    }

    pub fn file_of_pi(&self) -> Value {
        let text = fs::read_to_string(self.auth_file()).expect("auth.json is there");
        serde_json::from_str(&text).expect("auth.json is never torn")
    }

    pub fn login_of_pi(&self) -> Value {
        self.file_of_pi()["openai-codex"].clone()
    }

    /// The names of all files in the agent directory and below it.
    pub fn files(&self) -> Vec<String> {
        fn below(dir: &Path) -> Vec<String> {
            let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry"));
            let names = entries.map(|entry| match entry.path().is_dir() {
                true => below(&entry.path()),
                false => vec![entry.file_name().to_string_lossy().into_owned()],
            });
            names.flatten().collect()
        }
        below(self.dir.path())
    }

    /// Waits until every request that was made upstream has ended.
    pub fn sim_is_at_rest(&self) {
        eventually_blocking("every request upstream has ended", || {
            self.sim().log().iter().all(|logged| logged.end != RequestEnd::Open)
        });
    }

    /// The real binary in this environment, without anything of the user's, without pauses between refreshes and
    /// without usage polls.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = super::command(arguments);
        command
            .env("PI_CODING_AGENT_DIR", self.dir.path())
            .env("CODEX_HOME", self.dir.path().join("codex"))
            .env("MULTICODEX_STATE_DIR", self.state_dir())
            .env("MULTICODEX_UPSTREAM_URL", self.upstream_url())
            .env("MULTICODEX_AUTH_URL", self.auth_url())
            .env("MULTICODEX_TEST_REDEEM_SPACING_MS", "0");
        command
    }

    /// [`TestEnv::command`] for async tests, without stderr.
    pub fn async_command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = self.command(arguments);
        command.stderr(std::process::Stdio::null());
        command.into()
    }

    /// A running sidecar whose messages a test reads one by one.
    pub fn raw_client(&self) -> RawClient {
        RawClient::spawn(self.command(&["serve"]), Framing::Lines)
    }

    /// A running sidecar behind the typed client, with `initialize` done.
    pub async fn sidecar(&self) -> Sidecar {
        Sidecar::start(self.async_command(&["serve"])).await
    }
}
