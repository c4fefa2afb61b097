//! Flags and environment variables, one table of both: flag beats variable beats default.

mod flags;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use lexopt::Arg;

use self::flags::{Flags, number, positive, unknown_option, usage};
use super::ask::Asked;
use crate::http::{BaseUrl, BaseUrlError};
use crate::pool::STALE_AFTER;
use crate::protocol::{ImportSource, LoginWait, Method};
use crate::rpc;
use crate::sidecar::LoginOptions;
use crate::store::{PathOptions, Paths, ProcessEnv};

const SERVE_FLAGS: &[&str] = &[
    "agent-dir",
    "state-dir",
    "codex-home",
    "upstream-url",
    "auth-url",
    "log",
    "log-file",
    "log-format",
    "max-requests",
    "max-message-bytes",
];
const NO_FLAGS: &[&str] = &[];
const LOGIN_FLAGS: &[&str] = &["label"];
const HISTORY_FLAGS: &[&str] = &["limit"];
const STATS_FLAGS: &[&str] = &["days"];
const IMPORT_FLAGS: &[&str] = &["from", "path"];
#[cfg(feature = "sim")]
const SIMULATE_FLAGS: &[&str] = &["port", "accounts", "agent-dir"];

const DEFAULT_UPSTREAM: &str = "https://chatgpt.com/backend-api";
const DEFAULT_AUTH: &str = "https://auth.openai.com";

/// What to do.
#[derive(Debug)]
pub enum Command {
    Serve(Box<ServeOptions>),
    Login(Box<LoginCommand>),
    /// One method, for a person.
    Ask(Box<ServeOptions>, Asked),
    Help,
    Version,
    #[cfg(feature = "sim")]
    Demo,
    #[cfg(feature = "sim")]
    Simulate(crate::sim::SimulateOptions),
}

#[derive(Debug)]
pub struct ServeOptions {
    pub paths: Paths,
    pub upstream_url: BaseUrl,
    pub auth_url: BaseUrl,
    /// A `tracing` filter, e.g. `info` or `multicodex=debug`, when one was chosen.
    pub log: Option<String>,
    pub log_format: Option<LogFormat>,
    pub rpc: rpc::Config,
    pub refresh_spacing_ms: u64,
    pub upkeep_interval_ms: u64,
    pub usage_interval_ms: u64,
    pub login: LoginOptions,
}

/// `multicodex login`
#[derive(Debug)]
pub struct LoginCommand {
    pub sidecar: ServeOptions,
    pub label: Option<String>,
    pub device: bool,
    pub open: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// A mistake on the command line or in the environment; the text says what to change.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(String);

/// How options read the environment; tests hand in their own.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// # Errors
///
/// An unknown flag or subcommand, a value that does not parse, a URL that a token may not be sent to.
pub fn parse(
    args: impl IntoIterator<Item = OsString>,
    env: Environment<'_>,
    stdin_is_terminal: bool,
) -> Result<Command, UsageError> {
    let mut parser = lexopt::Parser::from_args(args);
    let mut flags = Flags::default();
    let mut subcommand: Option<String> = None;
    let mut account: Option<String> = None;
    while let Some(arg) = parser.next().map_err(usage)? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Short('V') | Arg::Long("version") => return Ok(Command::Version),
            Arg::Long(name @ ("json" | "force" | "online" | "device" | "no-open")) => {
                flags.switches.push(name.to_owned())
            }
            Arg::Long(name) => {
                let name = name.to_owned();
                // Before its value is asked for, which an unknown one may not have.
                if !is_known(&name) {
                    return Err(unknown_option(&name));
                }
                let value = parser.value().map_err(usage)?;
                flags.values.push((name, value));
            }
            Arg::Value(value) if subcommand.is_none() => {
                subcommand = Some(value.to_string_lossy().into_owned());
            }
            Arg::Value(value)
                if account.is_none()
                    && matches!(subcommand.as_deref(), Some("refresh" | "token" | "history" | "stats")) =>
            {
                account = Some(value.to_string_lossy().into_owned());
            }
            other => return Err(usage(other.unexpected())),
        }
    }
    if let Some(asked) = asked(subcommand.as_deref(), account, &mut flags)? {
        return serve(&flags, env).map(|options| Command::Ask(Box::new(options), asked));
    }
    match subcommand.as_deref() {
        None if stdin_is_terminal => flags.only(SERVE_FLAGS).map(|()| Command::Help),
        Some("help") => flags.only(&[]).map(|()| Command::Help),
        None | Some("serve") => {
            flags.only(SERVE_FLAGS)?;
            serve(&flags, env).map(|options| Command::Serve(Box::new(options)))
        }
        Some("login") => login(&mut flags, env).map(|command| Command::Login(Box::new(command))),
        #[cfg(feature = "sim")]
        Some("demo") => flags.only(&[]).map(|()| Command::Demo),
        #[cfg(feature = "sim")]
        Some("simulate") => simulate(&flags).map(Command::Simulate),
        Some(other) => Err(UsageError(format!("unknown subcommand \"{other}\"; see multicodex --help"))),
    }
}

/// The subcommands that ask one method.
fn asked(
    subcommand: Option<&str>,
    account: Option<String>,
    flags: &mut Flags,
) -> Result<Option<Asked>, UsageError> {
    let (asked, own_flags) = match subcommand {
        Some("accounts") => (Asked::Accounts { json: flags.switch("json") }, NO_FLAGS),
        Some("refresh") => {
            let (force, json) = (flags.switch("force"), flags.switch("json"));
            (Asked::Refresh { account, force, json }, NO_FLAGS)
        }
        Some("token") => (Asked::Token { account }, NO_FLAGS),
        Some("import") => {
            let from = import_source(flags.get("from"))?;
            let path = flags.path("path")?.map(text).transpose()?;
            (Asked::Import { from, path, json: flags.switch("json") }, IMPORT_FLAGS)
        }
        Some("verify") => {
            let (online, json) = (flags.switch("online"), flags.switch("json"));
            (Asked::Verify { online, json }, NO_FLAGS)
        }
        Some("history") => {
            let limit = flags.number("limit")?;
            (Asked::History { account, limit, json: flags.switch("json") }, HISTORY_FLAGS)
        }
        Some("stats") => {
            let days = flags.number("days")?;
            (Asked::Stats { account, days, json: flags.switch("json") }, STATS_FLAGS)
        }
        _ => return Ok(None),
    };
    flags.only(&[SERVE_FLAGS, own_flags].concat())?;
    Ok(Some(asked))
}

/// Whether any subcommand has an option of this name that takes a value.
fn is_known(name: &str) -> bool {
    #[cfg(feature = "sim")]
    if SIMULATE_FLAGS.contains(&name) {
        return true;
    }
    [LOGIN_FLAGS, IMPORT_FLAGS, HISTORY_FLAGS, STATS_FLAGS, SERVE_FLAGS]
        .iter()
        .any(|flags| flags.contains(&name))
}

fn import_source(value: Option<OsString>) -> Result<ImportSource, UsageError> {
    match value.as_deref().map(OsStr::to_string_lossy).as_deref() {
        None | Some("pi") => Ok(ImportSource::Pi),
        Some("codex") => Ok(ImportSource::Codex),
        Some(other) => Err(UsageError(format!("--from: \"{other}\" is neither pi nor codex"))),
    }
}

/// The protocol's paths are JSON strings.
fn text(path: PathBuf) -> Result<String, UsageError> {
    path.into_os_string()
        .into_string()
        .map_err(|path| UsageError(format!("--path: \"{}\" is not UTF-8", path.to_string_lossy())))
}

fn serve(flags: &Flags, env: Environment<'_>) -> Result<ServeOptions, UsageError> {
    let choose = |flag: &'static str, variable: &'static str| {
        let set = flags.get(flag).map(|value| (format!("--{flag}"), value));
        set.or_else(|| {
            env(variable).filter(|value| !value.is_empty()).map(|value| (variable.to_owned(), value))
        })
    };
    let path_options = PathOptions {
        agent_dir: flags.path("agent-dir")?,
        state_dir: flags.path("state-dir")?,
        codex_home: flags.path("codex-home")?,
        log_file: flags.path("log-file")?,
    };
    let url = |flag, variable, default: &str| match choose(flag, variable) {
        Some((name, value)) => value
            .to_string_lossy()
            .parse()
            .map_err(|error: BaseUrlError| UsageError(format!("{name}: {error}"))),
        None => default.parse().map_err(usage),
    };
    let config = rpc::Config::default();
    let log_format = match choose("log-format", "MULTICODEX_LOG_FORMAT") {
        None => None,
        Some((name, value)) => match value.to_str() {
            Some("text") => Some(LogFormat::Text),
            Some("json") => Some(LogFormat::Json),
            _ => {
                return Err(UsageError(format!(
                    "{name}: \"{}\" is neither text nor json",
                    value.to_string_lossy()
                )));
            }
        },
    };
    Ok(ServeOptions {
        paths: Paths::resolve(&path_options, env, &ProcessEnv::of_this_process()).map_err(usage)?,
        upstream_url: url("upstream-url", "MULTICODEX_UPSTREAM_URL", DEFAULT_UPSTREAM)?,
        auth_url: url("auth-url", "MULTICODEX_AUTH_URL", DEFAULT_AUTH)?,
        log: choose("log", "MULTICODEX_LOG").map(|(_, value)| value.to_string_lossy().into_owned()),
        log_format,
        rpc: rpc::Config {
            max_requests: positive(choose("max-requests", "MULTICODEX_MAX_REQUESTS"), config.max_requests)?,
            max_message_bytes: positive(
                choose("max-message-bytes", "MULTICODEX_MAX_MESSAGE_BYTES"),
                config.max_message_bytes,
            )?,
            uncounted: &[LoginWait::NAME],
        },
        refresh_spacing_ms: number(choose("", "MULTICODEX_TEST_REDEEM_SPACING_MS"), 250)?,
        upkeep_interval_ms: number(choose("", "MULTICODEX_TEST_UPKEEP_MS"), 60_000)?,
        usage_interval_ms: number(
            choose("", "MULTICODEX_TEST_USAGE_INTERVAL_MS"),
            STALE_AFTER.as_millis() as u64,
        )?,
        login: login_options(&|variable| choose("", variable))?,
    })
}

/// Only tests choose anything but the defaults: ports that are free, and lives that end while they look on.
fn login_options(
    choose: &dyn Fn(&'static str) -> Option<(String, OsString)>,
) -> Result<LoginOptions, UsageError> {
    let mut options = LoginOptions::default();
    if let Some((name, value)) = choose("MULTICODEX_TEST_CALLBACK_PORTS") {
        let ports = value.to_string_lossy();
        options.callback_ports = ports
            .split(',')
            .map(|port| number(Some((name.clone(), port.into())), 0))
            .collect::<Result<_, _>>()?;
    }
    if let Some(chosen) = choose("MULTICODEX_TEST_LOGIN_LIVES_MS") {
        options.browser_lives = Duration::from_millis(number(Some(chosen), 0)?);
        options.device_lives = options.browser_lives;
    }
    Ok(options)
}

fn login(flags: &mut Flags, env: Environment<'_>) -> Result<LoginCommand, UsageError> {
    let (device, open) = (flags.switch("device"), !flags.switch("no-open"));
    flags.only(&[SERVE_FLAGS, LOGIN_FLAGS].concat())?;
    let label = flags.get("label").map(|label| label.to_string_lossy().into_owned());
    Ok(LoginCommand { sidecar: serve(flags, env)?, label, device, open })
}

#[cfg(feature = "sim")]
fn simulate(flags: &Flags) -> Result<crate::sim::SimulateOptions, UsageError> {
    flags.only(SIMULATE_FLAGS)?;
    let named = |flag: &str| flags.get(flag).map(|value| (format!("--{flag}"), value));
    Ok(crate::sim::SimulateOptions {
        port: number(named("port"), 0)?,
        accounts: number(named("accounts"), 3)?,
        agent_dir: flags.path("agent-dir")?,
    })
}
