//! `gateway`, `gateway key` and `gateway config`.

use std::process::ExitCode;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use crate::cli::args::{GatewayAction, GatewayArgs, SidecarArgs};
use crate::cli::directories::have_directories;
use crate::cli::logging::{Reader, start_logging};
use crate::cli::one_shot::print;
use crate::cli::options::ServeOptions;
use crate::cli::print::print_error;
use crate::cli::runtime::on_a_runtime;
use crate::cli::signals::{finish_in_time, interrupted};
use crate::cli::start::sidecar_options;
use crate::gateway::setup::{self, Client};
use crate::gateway::{Gateway, GatewayOptions, new_key, proves_key};
use crate::sidecar::Sidecar;
use crate::store::GatewayFile;

const USUAL_URL: &str = "http://127.0.0.1:41455";

/// How long to wait for another gateway that has just started and has not written its address yet.
const OTHER_IS_READY_WITHIN: Duration = Duration::from_secs(5);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(50);

pub(in crate::cli) fn gateway(
    options: ServeOptions,
    given: &SidecarArgs,
    args: GatewayArgs,
) -> Result<ExitCode, String> {
    let file = GatewayFile::permanent(&options.paths.state_dir);
    match args.action {
        None => serve(options, file, args.port),
        Some(GatewayAction::Key { rotate: true, instance: _ }) => rotate(&file),
        Some(GatewayAction::Key { rotate: false, instance }) => key(match instance {
            Some(pid) => GatewayFile::of_process(&options.paths.state_dir, pid),
            None => file,
        }),
        Some(GatewayAction::Config { client }) => config(&options, &file, given, client.into()),
    }
}

/// Serves until it is interrupted. Returns exit code 1 when the port is taken.
fn serve(options: ServeOptions, file: GatewayFile, port: u16) -> Result<ExitCode, String> {
    // Before the log file, which may be in a directory that this creates.
    have_directories(&options.paths)?;
    start_logging(&options, Reader::Person(LevelFilter::WARN))?;
    on_a_runtime(async {
        let Some(_claim) = file.claim().map_err(|error| error.to_string())? else {
            return show_other(&file).await;
        };
        GatewayFile::remove_left_behind(&options.paths.state_dir);
        let gateway_options = GatewayOptions {
            port,
            file,
            max_requests: options.rpc.max_requests,
            max_body_bytes: options.rpc.max_message_bytes,
        };
        let sidecar = Sidecar::start(sidecar_options(options));
        let gateway = match Gateway::start(sidecar.clone(), gateway_options).await {
            Ok(gateway) => gateway,
            Err(error) => return Ok(failed(&error.to_string())),
        };
        sidecar.spawn_tasks();
        sidecar.warm_up();
        print(format!("multicodex gateway listens at {}\n", gateway.url())).await?;
        interrupted().await;
        let stopped = gateway.stop().await;
        finish_in_time(&sidecar).await;
        Ok(stopped.map_or_else(|error| failed(&error.to_string()), |()| ExitCode::SUCCESS))
    })
}

/// Another gateway already serves this state directory: shows that one.
async fn show_other(file: &GatewayFile) -> Result<ExitCode, String> {
    let until = tokio::time::Instant::now() + OTHER_IS_READY_WITHIN;
    loop {
        let record = file.read().map_err(|error| error.to_string())?.unwrap_or_default();
        if let (Some(url), Some(key)) = (record.url, record.key) {
            match proves_key(&url, &key).await {
                Ok(()) => {
                    print(format!("multicodex gateway listens at {url}\n")).await?;
                    return Ok(ExitCode::SUCCESS);
                }
                Err(error) if tokio::time::Instant::now() > until => return Ok(failed(&error.to_string())),
                Err(_) => {}
            }
        }
        if tokio::time::Instant::now() > until {
            return Ok(failed(
                "another gateway is starting in this state directory and did not become ready",
            ));
        }
        tokio::time::sleep(LOOK_AGAIN_AFTER).await;
    }
}

/// Returns exit code 1 when no gateway runs, or another program listens at its address.
fn key(file: GatewayFile) -> Result<ExitCode, String> {
    on_a_runtime(async {
        let record = file.read().map_err(|error| error.to_string())?.unwrap_or_default();
        let (Some(url), Some(key)) = (record.url, record.key) else {
            return Ok(failed("no gateway runs here; start it with `multicodex gateway`"));
        };
        if let Err(error) = proves_key(&url, &key).await {
            return Ok(failed(&error.to_string()));
        }
        print(format!("{}\n", key.expose())).await?;
        Ok(ExitCode::SUCCESS)
    })
}

fn rotate(file: &GatewayFile) -> Result<ExitCode, String> {
    let key = new_key().map_err(|error| error.to_string())?;
    if let Err(error) = file.change(|record| record.key = Some(key.clone())) {
        return Ok(failed(&error.to_string()));
    }
    crate::cli::print::print(&format!("{}\n", key.expose())).map(|()| ExitCode::SUCCESS)
}

fn config(
    options: &ServeOptions,
    file: &GatewayFile,
    given: &SidecarArgs,
    client: Client,
) -> Result<ExitCode, String> {
    let running = file.read().ok().flatten().and_then(|record| record.url);
    let mut key_command = ["multicodex", "gateway", "key"].map(str::to_owned).to_vec();
    if given.state_dir.is_some() {
        key_command.push("--state-dir".to_owned());
        key_command.push(options.paths.state_dir.to_string_lossy().into_owned());
    }
    let text = setup::snippet(client, running.as_deref().unwrap_or(USUAL_URL), &key_command);
    crate::cli::print::print(&text).map(|()| ExitCode::SUCCESS)
}

fn failed(message: &str) -> ExitCode {
    print_error(&format!("multicodex: {message}"));
    ExitCode::FAILURE
}
