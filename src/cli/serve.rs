//! `multicodex serve`: signals, the pipe, and the sidecar in between.

use std::process::ExitCode;

use super::directories::have_directories;
use super::logging::{Reader, start_logging};
use super::options::ServeOptions;
use super::runtime::on_a_runtime;
use super::start::sidecar_options;
use crate::gateway::{GatewayControl, GatewayOptions};
use crate::rpc::{self, Outbox};
use crate::sidecar::{self, Sidecar};
use crate::store::GatewayFile;

/// Serves one client on stdin and stdout. Returns the exit code.
pub fn serve(options: ServeOptions) -> Result<ExitCode, String> {
    // Before the log file, which may be in a directory that this creates.
    have_directories(&options.paths)?;
    start_logging(&options, Reader::Client)?;
    on_a_runtime(run(options))
}

async fn run(options: ServeOptions) -> Result<ExitCode, String> {
    let (input, output) = rpc::stdio().map_err(|error| format!("stdin or stdout cannot be used: {error}"))?;
    let terminate = rpc::asked_to_end().map_err(|error| format!("signals cannot be handled: {error}"))?;
    let rpc_config = options.rpc.clone();
    let gateway_options = GatewayOptions {
        port: 0,
        file: GatewayFile::of_process(&options.paths.state_dir, std::process::id()),
        max_requests: options.rpc.max_requests,
        max_body_bytes: options.rpc.max_message_bytes,
    };
    let sidecar = Sidecar::start(sidecar_options(options));
    let control = GatewayControl::new(sidecar.clone(), gateway_options);
    let mut methods = sidecar::methods(sidecar.clone()).map_err(|error| error.to_string())?;
    control.methods().and_then(|more| methods.merge(more)).map_err(|error| error.to_string())?;
    let build = |outbox: Outbox| {
        sidecar.connect(outbox);
        methods
    };
    sidecar.spawn_tasks();
    let finish = async {
        control.stop().await;
        sidecar.finish().await;
    };
    let ended = rpc::serve(input, output, rpc_config, build, terminate, finish).await;
    Ok(ExitCode::from(ended.exit_code()))
}
