//! `multicodex serve`: signals, the pipe, and the sidecar in between.

use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::logging::{Reader, start_logging};
use super::options::ServeOptions;
use super::runtime::on_a_runtime;
use crate::pool::PollSchedule;
use crate::rpc::{self, Outbox};
use crate::sidecar::{self, Sidecar, Start};
use crate::store::{Paths, make_private_dir};

/// Serves one client on stdin and stdout, and gives the exit code.
pub fn serve(options: ServeOptions) -> Result<ExitCode, String> {
    start_logging(&options, Reader::Client)?;
    on_a_runtime(run(options))
}

async fn run(options: ServeOptions) -> Result<ExitCode, String> {
    have_directories(&options.paths)?;
    let (input, output) = rpc::stdio().map_err(|error| format!("stdin or stdout cannot be used: {error}"))?;
    let terminate = rpc::asked_to_end().map_err(|error| format!("signals cannot be handled: {error}"))?;
    let rpc_config = options.rpc.clone();
    let sidecar = Sidecar::start(sidecar_options(options));
    let methods = sidecar::methods(sidecar.clone()).map_err(|error| error.to_string())?;
    let build = |outbox: Outbox| {
        tokio::spawn(sidecar.clone().run_notifier(outbox));
        tokio::spawn(sidecar.clone().run_status());
        methods
    };
    tokio::spawn(sidecar.clone().run_watch());
    tokio::spawn(sidecar.clone().run_persist());
    tokio::spawn(sidecar.clone().run_imports());
    tokio::spawn(sidecar.clone().run_upkeep());
    tokio::spawn(sidecar.clone().run_usage_polls());
    tokio::spawn(sidecar.clone().run_history());
    let ended = rpc::serve(input, output, rpc_config, build, terminate, sidecar.finish()).await;
    Ok(ExitCode::from(ended.exit_code()))
}

/// The sidecar's share of the options.
pub(super) fn sidecar_options(options: ServeOptions) -> sidecar::Options {
    sidecar::Options {
        paths: options.paths,
        upstream_url: options.upstream_url,
        auth_url: options.auth_url,
        refresh_spacing: Duration::from_millis(options.refresh_spacing_ms),
        login: options.login,
        upkeep_interval: Duration::from_millis(options.upkeep_interval_ms),
        usage_tempo: PollSchedule::every(Duration::from_millis(options.usage_interval_ms)),
        start: Start::Merging,
    }
}

/// The agent dir that is not there yet is made when there is something to keep in it, the state dir at once.
pub(super) fn have_directories(paths: &Paths) -> Result<(), String> {
    refuse_no_directory(&paths.agent_dir, "--agent-dir")?;
    refuse_no_directory(&paths.state_dir, "--state-dir")?;
    make_private_dir(&paths.state_dir).map_err(|error| error.to_string())
}

fn refuse_no_directory(dir: &Path, flag: &str) -> Result<(), String> {
    match dir.metadata() {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(format!("{} is not a directory; {flag} names another", dir.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("{} cannot be used: {error}; {flag} names another", dir.display())),
    }
}
