//! `multicodex serve`: logs, runtime, signals, and the sidecar in between.

use std::io::{ErrorKind, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::options::{LogFormat, ServeOptions};
use crate::pool::Tempo;
use crate::rpc::{self, Outbox};
use crate::sidecar::{self, Sidecar, Start};
use crate::store::{Paths, make_private_dir, open_log};

/// Serves one client on stdin and stdout, and gives the exit code.
pub fn serve(options: ServeOptions) -> Result<ExitCode, String> {
    start_logging(&options)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime did not start: {error}"))?;
    let ended = runtime.block_on(run(options));
    // Blocking file work that hangs must not keep the process.
    runtime.shutdown_background();
    ended
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
        redeem_spacing: Duration::from_millis(options.redeem_spacing_ms),
        login: options.login,
        upkeep_interval: Duration::from_millis(options.upkeep_interval_ms),
        usage_tempo: Tempo::every(Duration::from_millis(options.usage_interval_ms)),
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

pub(super) fn start_logging(options: &ServeOptions) -> Result<(), String> {
    let filter = options.log.parse::<Targets>().map_err(|error| format!("--log: {error}"))?;
    // Alone it would be taken for a part of the program that logs nothing.
    let mut alone = options.log.split(',').filter(|part| !part.is_empty() && !part.contains('='));
    if let Some(word) = alone.find(|word| word.parse::<LevelFilter>().is_err()) {
        return Err(format!(
            "--log: \"{word}\" is no level; there are off, error, warn, info, debug and trace"
        ));
    }
    match &options.paths.log_file {
        Some(path) => {
            let file = open_log(path).map_err(|error| error.to_string())?;
            install(filter, options.log_format, false, std::sync::Mutex::new(file));
        }
        None => install(filter, options.log_format, std::io::stderr().is_terminal(), std::io::stderr),
    }
    Ok(())
}

fn install<W>(filter: Targets, format: LogFormat, colour: bool, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colour);
    let logs = tracing_subscriber::registry();
    match format {
        LogFormat::Text => logs.with(lines.with_filter(filter)).init(),
        LogFormat::Json => logs.with(lines.json().with_filter(filter)).init(),
    }
}
