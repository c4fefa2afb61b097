//! `multicodex simulate`: the simulator as a process of its own, with accounts in it.

use std::io::{self, Write};
use std::path::PathBuf;

use super::account::SimAccount;
use super::accounts_file::accounts_json;
use super::server::{Sim, SimConfig};
use super::stream_plan::Pace;

const NAMES: [&str; 6] = ["ada", "bob", "cleo", "dan", "eve", "finn"];

#[derive(Clone, Debug, Default)]
pub struct SimulateOptions {
    /// 0: a free one.
    pub port: u16,
    pub accounts: usize,
    /// Where to write a `codex-accounts.json`. One that is there is left alone, and this is refused.
    pub agent_dir: Option<PathBuf>,
}

/// Prints the environment that points the sidecar here, and then runs for ever.
///
/// # Errors
///
/// When the port is taken, or the accounts file is there or cannot be written.
pub async fn simulate(options: SimulateOptions) -> io::Result<()> {
    let pace = Pace { first_ms: 200, each_ms: 25 };
    let sim = Sim::start(SimConfig { port: options.port, pace, ..SimConfig::default() }).await?;
    let logins: Vec<_> =
        (0..options.accounts).map(|at| sim.handle().add_account(SimAccount::named(&name(at)))).collect();
    let mut told =
        format!("MULTICODEX_UPSTREAM_URL={}\nMULTICODEX_AUTH_URL={}\n", sim.upstream_url(), sim.auth_url());
    if let Some(dir) = &options.agent_dir {
        std::fs::create_dir_all(dir)?;
        let path = dir.join("codex-accounts.json");
        write_new(&path, &accounts_json(&logins))
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        told.push_str(&format!("PI_CODING_AGENT_DIR={}\n", dir.display()));
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

/// Real accounts are not to be lost to a simulation.
fn write_new(path: &std::path::Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
