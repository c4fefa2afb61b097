//! `run`: a command with its own gateway, which lives as long as the command.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tracing::level_filters::LevelFilter;

use crate::cli::args::RunArgs;
use crate::cli::directories::have_directories;
use crate::cli::logging::{Reader, start_logging};
use crate::cli::options::ServeOptions;
use crate::cli::print::{print, print_error};
use crate::cli::runtime::on_a_runtime;
use crate::cli::signals::finish_in_time;
use crate::cli::start::sidecar_options;
use crate::gateway::setup::{Access, Launch, key_command, launch};
use crate::gateway::{Gateway, GatewayOptions, new_key};
use crate::secret::Secret;
use crate::sidecar::Sidecar;
use crate::store::GatewayFile;

/// The exit codes of shells.
const NOT_FOUND: u8 = 127;
const NOT_RUNNABLE: u8 = 126;
const ENDED_BY_SIGNAL: u8 = 128;

/// Returns the exit code of the command.
pub(in crate::cli) fn run(options: ServeOptions, args: RunArgs) -> Result<ExitCode, String> {
    let Some((program, arguments)) = args.command.split_first() else {
        return Err("a command is missing; see multicodex run --help".to_owned());
    };
    let file = GatewayFile::of_process(&options.paths.state_dir, std::process::id());
    if args.print {
        let access = Access {
            url: "http://127.0.0.1:PORT".to_owned(),
            key: Secret::new("…"),
            key_command: key_command(&file),
        };
        return print(&shown(&launch(program, arguments, &access))).map(|()| ExitCode::SUCCESS);
    }
    have_directories(&options.paths)?;
    start_logging(&options, Reader::Person(LevelFilter::WARN))?;
    if is_called(program, "opencode") && opencode_is_logged_in() {
        print_error(
            "multicodex: opencode is logged in to OpenAI by itself and uses that login instead of the gateway; \
             `opencode auth logout` removes it",
        );
    }
    on_a_runtime(async {
        GatewayFile::remove_left_behind(&options.paths.state_dir);
        let gateway_options = GatewayOptions {
            port: 0,
            file: file.clone(),
            max_requests: options.rpc.max_requests,
            max_body_bytes: options.rpc.max_message_bytes,
        };
        // Before the command starts, so that no signal is lost.
        let signals = Forwarded::catch().map_err(|error| format!("signals cannot be handled: {error}"))?;
        let key = new_key().map_err(|error| error.to_string())?;
        let written = file.change(|record| record.key = Some(key.clone()));
        written.map_err(|error| error.to_string())?;
        let sidecar = Sidecar::start(sidecar_options(options));
        let gateway =
            Gateway::start(sidecar.clone(), gateway_options).await.map_err(|error| error.to_string())?;
        sidecar.spawn_tasks();
        sidecar.warm_up();
        let access = Access { url: gateway.url().to_owned(), key, key_command: key_command(&file) };
        let ended = run_to_its_end(&launch(program, arguments, &access), signals).await;
        if let Err(error) = gateway.stop().await {
            tracing::warn!(%error, "the gateway's file could not be removed");
        }
        finish_in_time(&sidecar).await;
        Ok(ended)
    })
}

async fn run_to_its_end(launch: &Launch, mut signals: Forwarded) -> ExitCode {
    let mut command = Command::new(&launch.program);
    command.args(&launch.arguments);
    command.envs(launch.variables.iter().map(|(name, value)| (*name, value.expose())));
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let program = launch.program.to_string_lossy();
            print_error(&format!("multicodex: {} cannot be run: {error}", crate::render::clean(&program)));
            let code = if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_RUNNABLE };
            return ExitCode::from(code);
        }
    };
    loop {
        tokio::select! {
            ended = child.wait() => return match ended {
                Ok(status) => exit_code(status),
                Err(error) => {
                    print_error(&format!("multicodex: waiting for the command failed: {error}"));
                    ExitCode::FAILURE
                }
            },
            signal = signals.next() => forward(&child, signal),
        }
    }
}

fn forward(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    if let Some(pid) = pid
        && let Err(error) = kill_process(pid, signal)
    {
        tracing::debug!(%error, "a signal does not reach the command");
    }
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    let signal = status.signal().and_then(|signal| u8::try_from(signal).ok());
    ExitCode::from(code.or(signal.map(|signal| ENDED_BY_SIGNAL.saturating_add(signal))).unwrap_or(1))
}

/// The signals that are passed to the command. On a terminal the command gets Ctrl-C and similar signals from the
/// terminal itself, as every foreground process does, so those are caught and not sent again.
struct Forwarded {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    quit: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
    on_a_terminal: bool,
}

impl Forwarded {
    fn catch() -> io::Result<Self> {
        Ok(Forwarded {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hang_up: signal(SignalKind::hangup())?,
            on_a_terminal: io::stdin().is_terminal()
                || io::stdout().is_terminal()
                || io::stderr().is_terminal(),
        })
    }

    async fn next(&mut self) -> Signal {
        loop {
            let signal = tokio::select! {
                _ = self.terminate.recv() => return Signal::TERM,
                _ = self.interrupt.recv() => Signal::INT,
                _ = self.quit.recv() => Signal::QUIT,
                _ = self.hang_up.recv() => Signal::HUP,
            };
            if !self.on_a_terminal {
                return signal;
            }
        }
    }
}

/// Returns the variables and the command as a person would type them.
fn shown(launch: &Launch) -> String {
    let variables = launch.variables.iter().map(|(name, value)| format!("{name}={}", value.shown()));
    let words = std::iter::once(&launch.program).chain(&launch.arguments).map(|word| {
        let word = word.to_string_lossy();
        // Only a NUL cannot be quoted, and arguments hold none.
        shlex::try_quote(&word).map(|quoted| quoted.into_owned()).unwrap_or_default()
    });
    let line: Vec<String> = variables.chain(words).collect();
    format!("{}\n", line.join(" "))
}

fn is_called(program: &OsString, name: &str) -> bool {
    Path::new(program).file_stem().is_some_and(|stem| stem == name)
}

/// Returns whether opencode has its own login, with which it ignores the provider's address.
fn opencode_is_logged_in() -> bool {
    let data = std::env::var_os("XDG_DATA_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let data = data.or_else(|| Some(directories::BaseDirs::new()?.home_dir().join(".local/share")));
    let text = data.and_then(|data| std::fs::read(data.join("opencode/auth.json")).ok());
    let logins = text.and_then(|text| serde_json::from_slice::<Value>(&text).ok()).unwrap_or_default();
    logins["openai"]["type"] == "oauth"
}
