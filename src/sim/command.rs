//! `multicodex simulate`: the simulator as a separate process, with accounts.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::account::SimAccount;
use super::accounts_file::accounts_json;
use super::server::{Sim, SimConfig};
use super::stream_plan::Pace;

const NAMES: [&str; 6] = ["ada", "bob", "cleo", "dan", "eve", "finn"];

#[derive(Clone, Debug, Default)]
pub struct SimulateOptions {
    /// 0 takes a free one.
    pub port: u16,
    pub accounts: usize,
    /// Where to write a `codex-accounts.json`. A file with real accounts is left alone, and the command fails.
    pub agent_dir: Option<PathBuf>,
}

/// Prints the environment that points a sidecar here, and then runs until it is ended.
///
/// # Errors
///
/// The port is taken, or the accounts file holds real accounts or cannot be written.
pub async fn simulate(options: SimulateOptions) -> io::Result<()> {
    let pace = Pace { first_ms: 200, each_ms: 25 };
    let sim = Sim::start(SimConfig { port: options.port, pace, ..SimConfig::default() }).await?;
    let logins: Vec<_> =
        (0..options.accounts).map(|at| sim.handle().add_account(SimAccount::named(&name(at)))).collect();
    let mut told =
        format!("MULTICODEX_UPSTREAM_URL={}\nMULTICODEX_AUTH_URL={}\n", sim.upstream_url(), sim.auth_url());
    if let Some(dir) = &options.agent_dir {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let path = dir.join("codex-accounts.json");
        write_accounts(&path, &accounts_json(&logins))
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        // Its own state directory, so that nothing simulated is recorded about real accounts.
        let (agent, state) = (dir.display(), dir.join("state"));
        told.push_str(&format!("PI_CODING_AGENT_DIR={agent}\nMULTICODEX_STATE_DIR={}\n", state.display()));
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(told.as_bytes())?;
    stdout.flush()?;
    drop(stdout);
    std::future::pending().await
}

fn name(at: usize) -> String {
    NAMES.get(at).map_or_else(|| format!("user{}", at + 1), |name| (*name).to_owned())
}

/// Real accounts must not be lost to a simulation: only a file of an earlier simulation is replaced.
fn write_accounts(path: &Path, text: &str) -> io::Result<()> {
    match fs::read(path) {
        Ok(found) if !is_simulated(&found) => {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "holds accounts that are not simulated"));
        }
        Ok(_) => fs::remove_file(path)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

fn is_simulated(file: &[u8]) -> bool {
    let Ok(file) = serde_json::from_slice::<Value>(file) else { return false };
    let simulated =
        |entry: &Value| entry["refreshToken"].as_str().is_some_and(|token| token.starts_with("rt_sim_"));
    file["accounts"].as_array().is_some_and(|accounts| accounts.iter().all(simulated))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_simulated_accounts_are_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("codex-accounts.json");
        let mut tokens = super::super::tokens::Tokens::default();
        let ada = tokens.issue(0, &SimAccount::named("ada"), 60, crate::pool::At(0));
        let text = accounts_json(&[ada]);
        write_accounts(&path, &text).unwrap();
        write_accounts(&path, &text).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        for real in [text.replace("rt_sim_", "rt_"), "{}".to_owned(), String::new()] {
            fs::write(&path, &real).unwrap();
            assert_eq!(write_accounts(&path, &text).unwrap_err().kind(), ErrorKind::AlreadyExists);
            assert_eq!(fs::read_to_string(&path).unwrap(), real);
        }
    }
}
