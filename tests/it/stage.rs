//! A stage for tests at the real boundary: the simulated backend in this process, an agent dir, and sidecars as
//! children over pipes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use jsonrpsee::core::client::Error;
use multicodex::client::Client;
use multicodex::protocol::{
    Account, Accounts, AccountsParams, AccountsToken, Initialize, InitializeParams, Refresh, RefreshAnswer,
    RefreshParams, TokenAnswer, TokenParams,
};
use multicodex::sim::{Sim, SimAccount, SimConfig, SimHandle, SimLogin, accounts_json};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::Instant;

use crate::import::auth_json;
use crate::peer::A_DAY_MS;

pub struct Stage {
    pub sim: SimHandle,
    server: Sim,
    dir: TempDir,
}

impl Stage {
    /// All accounts are signed in and in the accounts file.
    pub async fn with(accounts: impl IntoIterator<Item = SimAccount>) -> Stage {
        Stage::on(SimConfig::default(), accounts).await
    }

    /// The same for many requests: the backend keeps no log of them, so none are counted.
    pub async fn unlogged(accounts: impl IntoIterator<Item = SimAccount>) -> Stage {
        Stage::on(SimConfig { log: false, ..SimConfig::default() }, accounts).await
    }

    async fn on(config: SimConfig, accounts: impl IntoIterator<Item = SimAccount>) -> Stage {
        let server = Sim::start(config).await.expect("a port on loopback");
        let stage = Stage { sim: server.handle(), server, dir: tempfile::tempdir().expect("a folder") };
        let logins: Vec<SimLogin> =
            accounts.into_iter().map(|account| stage.sim.add_account(account)).collect();
        stage.write_accounts(&accounts_json(&logins));
        stage
    }

    pub fn agent_dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn upstream_url(&self) -> String {
        self.server.upstream_url()
    }

    pub fn auth_url(&self) -> String {
        self.server.auth_url()
    }

    pub fn accounts_file(&self) -> PathBuf {
        self.dir.path().join("codex-accounts.json")
    }

    pub fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Where the simulated backend listens, e.g. `127.0.0.1:4000`.
    pub fn sim_address(&self) -> String {
        self.server.auth_url().trim_start_matches("http://").to_owned()
    }

    pub fn write_accounts(&self, text: &str) {
        let new = self.dir.path().join("new");
        fs::write(&new, text).expect("written");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).expect("its mode is set");
        fs::rename(new, self.accounts_file()).expect("renamed");
    }

    pub fn read_accounts(&self) -> Value {
        let text = fs::read_to_string(self.accounts_file()).expect("the accounts file is there");
        serde_json::from_str(&text).expect("the accounts file parses")
    }

    /// pi's `auth.json`.
    pub fn auth_file(&self) -> PathBuf {
        self.dir.path().join("auth.json")
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

    /// The real binary with everything pointed at this stage, and no rest between refreshes.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_multicodex"));
        command
            .args(arguments)
            .env("PI_CODING_AGENT_DIR", self.dir.path())
            .env("CODEX_HOME", self.dir.path().join("codex"))
            .env("MULTICODEX_STATE_DIR", self.state_dir())
            .env("MULTICODEX_UPSTREAM_URL", self.server.upstream_url())
            .env("MULTICODEX_AUTH_URL", self.server.auth_url())
            .env("MULTICODEX_TEST_REDEEM_SPACING_MS", "0")
            .env("MULTICODEX_TEST_USAGE_INTERVAL_MS", A_DAY_MS)
            .stderr(Stdio::null());
        command
    }

    pub async fn sidecar(&self) -> Sidecar {
        Sidecar::start(self.command(&["serve"])).await
    }
}

/// One running sidecar that was said `initialize` to. Dropping it is SIGKILL.
pub struct Sidecar {
    pub client: Client,
}

impl Sidecar {
    pub async fn start(command: Command) -> Sidecar {
        let client = Client::spawn(command).expect("the sidecar starts");
        client.request::<Initialize>(&InitializeParams::default()).await.expect("initialize");
        Sidecar { client }
    }

    pub async fn accounts(&self) -> Vec<Account> {
        self.client.request::<Accounts>(&AccountsParams::default()).await.expect("accounts").accounts
    }

    pub async fn account(&self, name: &str) -> Account {
        let accounts = self.accounts().await;
        accounts.into_iter().find(|account| account.label == email(name)).expect("the account is there")
    }

    pub async fn token(&self, name: &str) -> Result<TokenAnswer, Refused> {
        let params = TokenParams { account: Some(email(name)), min_valid_ms: None };
        self.client.request::<AccountsToken>(&params).await.map_err(Refused::from)
    }

    pub async fn refresh(&self, name: Option<&str>, force: bool) -> RefreshAnswer {
        let params = RefreshParams { account: name.map(email), force: Some(force) };
        self.client.request::<Refresh>(&params).await.expect("refresh")
    }

    /// The orderly end.
    pub async fn end(self) {
        let ended = self.client.end(Duration::from_secs(5)).await.expect("it ends in time");
        assert!(ended.success(), "{ended}");
    }
}

/// An error answer.
#[derive(Debug)]
pub struct Refused {
    pub code: i32,
    pub data: Value,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let Error::Call(error) = error else { panic!("not an answer: {error}") };
        let data = error.data().map_or(Value::Null, |data| serde_json::from_str(data.get()).expect("JSON"));
        Refused { code: error.code(), data }
    }
}

pub fn email(name: &str) -> String {
    format!("{name}@example.com")
}

/// An account whose first token has expired.
pub fn expired(name: &str) -> SimAccount {
    SimAccount { first_expires_in: Some(-60), ..SimAccount::named(name) }
}

/// An account whose first token lives for another minute, so that it is renewed before it is used.
pub fn expiring(name: &str) -> SimAccount {
    SimAccount { first_expires_in: Some(60), ..SimAccount::named(name) }
}

/// Looks again and again, for ten seconds.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds().await {
        assert!(Instant::now() < deadline, "it never came to this: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
