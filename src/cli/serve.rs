//! `multicodex serve`: logs, runtime, signals, and the sidecar in between.

use std::future::Future;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::options::{LogFormat, ServeOptions};
use crate::rpc::{self, Outbox};
use crate::sidecar::{self, Sidecar};
use crate::store::open_log;
use crate::watch::Watch;

/// What is still under way at the end gets this long; the protocol promises an exit within 2 s.
const LAST_WORK: Duration = Duration::from_millis(1500);

/// Serves one client on stdin and stdout, and gives the exit code.
pub fn serve(options: ServeOptions) -> Result<ExitCode, String> {
    start_logging(&options)?;
    rustls::crypto::ring::default_provider().install_default().ok();
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
    options.paths.prepare().map_err(|error| error.to_string())?;
    let (input, output) = rpc::stdio().map_err(|error| format!("stdin or stdout cannot be used: {error}"))?;
    let terminate = terminate().map_err(|error| format!("signals cannot be handled: {error}"))?;
    let watched = vec![
        options.paths.accounts_file.clone(),
        options.paths.settings_file.clone(),
        options.paths.state_file(),
    ];
    let sidecar = Sidecar::start(sidecar::Options {
        paths: options.paths,
        upstream_url: options.upstream_url,
        auth_url: options.auth_url,
        redeem_spacing: Duration::from_millis(options.redeem_spacing_ms),
    });
    let methods = |outbox: Outbox| {
        tokio::spawn(sidecar.clone().run_notifier(outbox));
        sidecar::methods(sidecar.clone())
    };
    let (watch, changed) = Watch::start(watched);
    tokio::spawn(sidecar.clone().run_watch(changed));
    tokio::spawn(sidecar.clone().run_persist());
    let ended = rpc::serve(input, output, options.rpc, methods, terminate).await;
    drop(watch);
    finish(&sidecar).await;
    ended.map(|ended| ExitCode::from(ended.exit_code())).map_err(|error| error.to_string())
}

async fn finish(sidecar: &Arc<Sidecar>) {
    if tokio::time::timeout(LAST_WORK, sidecar.finish()).await.is_err() {
        tracing::warn!("ended before everything was written");
    }
}

/// Resolves at SIGTERM. SIGINT is ignored while stdin is a pipe: a terminal's Ctrl-C reaches the whole process group,
/// the client's business included.
fn terminate() -> std::io::Result<impl Future<Output = ()>> {
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let ignore_interrupt = !std::io::stdin().is_terminal();
    Ok(async move {
        loop {
            tokio::select! {
                _ = term.recv() => return,
                _ = interrupt.recv() => if !ignore_interrupt { return },
            }
        }
    })
}

fn start_logging(options: &ServeOptions) -> Result<(), String> {
    let filter = EnvFilter::try_new(&options.log).map_err(|error| format!("--log: {error}"))?;
    match &options.paths.log_file {
        Some(path) => {
            let file = open_log(path).map_err(|error| error.to_string())?;
            install(filter, options.log_format, false, std::sync::Mutex::new(file));
        }
        None => install(filter, options.log_format, std::io::stderr().is_terminal(), std::io::stderr),
    }
    Ok(())
}

fn install<W>(filter: EnvFilter, format: LogFormat, colour: bool, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(colour);
    match format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().init(),
    }
}
