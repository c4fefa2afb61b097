//! The options of a sidecar: flag before environment variable before default.

use std::ffi::OsString;
use std::str::FromStr;
#[cfg(feature = "sim")]
use std::time::Duration;

use super::args::SidecarArgs;
use super::mistake::shown;
use crate::http::{BaseUrl, BaseUrlError};
use crate::pool::STALE_AFTER;
use crate::protocol::{LoginWait, Method};
use crate::rpc;
use crate::sidecar::LoginOptions;
use crate::store::{PathOptions, Paths, ProcessEnv};

const DEFAULT_UPSTREAM: &str = "https://chatgpt.com/backend-api";
const DEFAULT_AUTH: &str = "https://auth.openai.com";

/// Milliseconds between two refreshes on a host, because upstream revokes logins that are refreshed in quick
/// succession.
const REFRESH_SPACING_MS: u64 = 250;
const UPKEEP_INTERVAL_MS: u64 = 60_000;

#[derive(Debug)]
pub struct ServeOptions {
    pub paths: Paths,
    pub upstream_url: BaseUrl,
    pub auth_url: BaseUrl,
    /// A `tracing` filter, e.g. `info` or `multicodex=debug`, if one was chosen.
    pub log: Option<String>,
    pub log_format: Option<LogFormat>,
    pub rpc: rpc::Config,
    pub refresh_spacing_ms: u64,
    pub upkeep_interval_ms: u64,
    pub usage_interval_ms: u64,
    pub login: LoginOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// A mistake in an option or a variable; the text says what to change.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OptionError(String);

/// How options read the environment; tests pass their own function.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// A value, and the flag or variable it came from.
type Chosen = Option<(&'static str, OsString)>;

impl ServeOptions {
    /// # Errors
    ///
    /// A value that does not parse, or a URL that a token may not be sent to.
    pub fn resolve(args: &SidecarArgs, env: Environment<'_>) -> Result<Self, OptionError> {
        let choose = |flag: &'static str, given: &Option<OsString>, variable: &'static str| -> Chosen {
            let given = given.clone().map(|value| (flag, value));
            given.or_else(|| from_variable(env, variable))
        };
        let path_options = PathOptions {
            agent_dir: args.agent_dir.clone(),
            state_dir: args.state_dir.clone(),
            codex_home: args.codex_home.clone(),
            log_file: args.log_file.clone(),
        };
        let config = rpc::Config::default();
        let log = choose("--log", &args.log, "MULTICODEX_LOG");
        ServeOptions {
            paths: Paths::resolve(&path_options, env, &ProcessEnv::of_this_process())
                .map_err(|error| OptionError(error.to_string()))?,
            upstream_url: url(
                choose("--upstream-url", &args.upstream_url, "MULTICODEX_UPSTREAM_URL"),
                DEFAULT_UPSTREAM,
            )?,
            auth_url: url(choose("--auth-url", &args.auth_url, "MULTICODEX_AUTH_URL"), DEFAULT_AUTH)?,
            log: log.map(|(_, value)| value.to_string_lossy().into_owned()),
            log_format: log_format(choose("--log-format", &args.log_format, "MULTICODEX_LOG_FORMAT"))?,
            rpc: rpc::Config {
                max_requests: at_least_one(
                    choose("--max-requests", &args.max_requests, "MULTICODEX_MAX_REQUESTS"),
                    config.max_requests,
                )?,
                max_message_bytes: at_least_one(
                    choose("--max-message-bytes", &args.max_message_bytes, "MULTICODEX_MAX_MESSAGE_BYTES"),
                    config.max_message_bytes,
                )?,
                uncounted: &[LoginWait::NAME],
            },
            refresh_spacing_ms: REFRESH_SPACING_MS,
            upkeep_interval_ms: UPKEEP_INTERVAL_MS,
            usage_interval_ms: STALE_AFTER.as_millis() as u64,
            login: LoginOptions::default(),
        }
        .with_test_switches(env)
    }

    #[cfg(not(feature = "sim"))]
    fn with_test_switches(self, _: Environment<'_>) -> Result<Self, OptionError> {
        Ok(self)
    }

    /// What tests shorten: pauses between refreshes, polling intervals, the time for logins, and the callback's ports.
    #[cfg(feature = "sim")]
    fn with_test_switches(mut self, env: Environment<'_>) -> Result<Self, OptionError> {
        let chosen = |variable| from_variable(env, variable);
        self.refresh_spacing_ms =
            number(chosen("MULTICODEX_TEST_REDEEM_SPACING_MS"), self.refresh_spacing_ms)?;
        self.upkeep_interval_ms = number(chosen("MULTICODEX_TEST_UPKEEP_MS"), self.upkeep_interval_ms)?;
        self.usage_interval_ms = number(chosen("MULTICODEX_TEST_USAGE_INTERVAL_MS"), self.usage_interval_ms)?;
        if let Some((name, value)) = chosen("MULTICODEX_TEST_CALLBACK_PORTS") {
            let ports = value.to_string_lossy();
            self.login.callback_ports = ports
                .split(',')
                .map(|port| number(Some((name, port.into())), 0))
                .collect::<Result<_, _>>()?;
        }
        if let Some(chosen) = chosen("MULTICODEX_TEST_LOGIN_LIVES_MS") {
            self.login.browser_lives = Duration::from_millis(number(Some(chosen), 0)?);
            self.login.device_lives = self.login.browser_lives;
        }
        Ok(self)
    }
}

/// An empty variable counts as unset.
fn from_variable(env: Environment<'_>, variable: &'static str) -> Chosen {
    env(variable).filter(|value| !value.is_empty()).map(|value| (variable, value))
}

fn url(chosen: Chosen, default: &str) -> Result<BaseUrl, OptionError> {
    let (name, value) = chosen.unwrap_or(("default", default.into()));
    let parsed = value.to_string_lossy().parse();
    parsed.map_err(|error: BaseUrlError| OptionError(format!("{name}: {error}")))
}

fn log_format(chosen: Chosen) -> Result<Option<LogFormat>, OptionError> {
    let Some((name, value)) = chosen else { return Ok(None) };
    match value.to_str() {
        Some("text") => Ok(Some(LogFormat::Text)),
        Some("json") => Ok(Some(LogFormat::Json)),
        _ => Err(OptionError(format!(
            "{name}: \"{}\" is neither text nor json",
            shown(&value.to_string_lossy())
        ))),
    }
}

/// Zero requests would make every request fail.
fn at_least_one(chosen: Chosen, default: usize) -> Result<usize, OptionError> {
    let name = chosen.as_ref().map_or("", |(name, _)| name);
    match number(chosen.clone(), default)? {
        0 => Err(OptionError(format!("{name}: must be at least 1"))),
        number => Ok(number),
    }
}

fn number<T: FromStr>(chosen: Chosen, default: T) -> Result<T, OptionError> {
    let Some((name, value)) = chosen else { return Ok(default) };
    value.to_str().and_then(|text| text.parse().ok()).ok_or_else(|| {
        OptionError(format!("{name}: \"{}\" is not a number that fits", shown(&value.to_string_lossy())))
    })
}
