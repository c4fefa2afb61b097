//! The command line as `clap` reads it: every subcommand, argument and help text is declared here once.
//!
//! Flags of the sidecar ([`SidecarArgs`]) are also environment variables; [`super::options`] resolves flag before
//! variable before default.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{NonEmptyStringValueParser, OsStringValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::protocol::{ImportSource, ResetScope};

/// A JSON-RPC sidecar that manages several ChatGPT/Codex accounts and moves on to the next one at a limit.
///
/// Without a subcommand it serves the protocol on stdin and stdout.
#[derive(Debug, Parser)]
#[command(name = "multicodex", version, max_term_width = 100, args_override_self = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub sidecar: SidecarArgs,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Speak the protocol on stdin and stdout (the default).
    Serve,
    /// List the accounts.
    Accounts {
        #[command(flatten)]
        output: Output,
    },
    /// Show the account in use and how all stand, or everything about one account.
    Show {
        /// Id, label or e-mail.
        account: Option<String>,
    },
    /// Pin an account until it meets a limit; without one, show the accounts.
    Use {
        /// Id, label or e-mail.
        #[arg(conflicts_with = "clear")]
        account: Option<String>,
        /// Remove the pin instead.
        #[arg(long)]
        clear: bool,
    },
    /// Take an account out of rotation and keep it.
    Disable {
        /// Id, label or e-mail.
        account: String,
    },
    /// Put a disabled account back into rotation.
    Enable {
        /// Id, label or e-mail.
        account: String,
    },
    /// Change the label of an account.
    Label {
        /// Id, label or e-mail.
        account: String,
        /// The new label.
        label: String,
    },
    /// Remove an account and its tokens. Asks first on a terminal.
    Remove {
        /// Id, label or e-mail.
        account: String,
        /// Do not ask.
        #[arg(long, short = 'y')]
        yes: bool,
    },
    /// Add an account, or log a known one in again.
    Login {
        /// What a new account is called; its e-mail by default.
        #[arg(long)]
        label: Option<String>,
        #[command(flatten)]
        login: LoginArgs,
    },
    /// Log an account in again: the named one, else the only one that needs it, else the active one.
    Reauth {
        /// Id, label or e-mail.
        account: Option<String>,
        #[command(flatten)]
        login: LoginArgs,
    },
    /// Renew tokens that expire, and read the usage.
    Refresh {
        /// Id, label or e-mail; all accounts by default.
        account: Option<String>,
        /// Renew every token, and try once more what was refused or lost.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Print a valid access token, and nothing else.
    Token {
        /// Id, label or e-mail; the account in use by default.
        account: Option<String>,
    },
    /// Take over the login of pi, or a copy of the Codex CLI's.
    Import {
        /// Whose login.
        #[arg(long, value_enum, default_value_t = From::Pi)]
        from: From,
        /// Another file than the usual one; the login in it is copied.
        #[arg(long, value_name = "FILE")]
        path: Option<PathBuf>,
        #[command(flatten)]
        output: Output,
    },
    /// Check files, locks, settings and logins, and say what to do about each finding.
    Verify {
        /// Also ask upstream, with the tokens as they are.
        #[arg(long)]
        online: bool,
        #[command(flatten)]
        output: Output,
    },
    /// One line for prompts and status bars: the account in use and its limits.
    Status {
        #[command(flatten)]
        output: Output,
    },
    /// Show how accounts are chosen, or change it: `multicodex rotation strategy=least-used`.
    Rotation {
        #[command(flatten)]
        change: SettingArgs,
    },
    /// Show how the footer looks, or change it: `multicodex footer usageMode=used`.
    Footer {
        #[command(flatten)]
        change: SettingArgs,
    },
    /// Clear the pin, the cooldowns, or both.
    Reset {
        #[arg(value_enum, default_value_t = Scope::All)]
        scope: Scope,
    },
    /// The last attempts, with tokens and times.
    History {
        /// Id, label or e-mail; all accounts by default.
        account: Option<String>,
        /// How many attempts.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32))]
        limit: Option<u32>,
        #[command(flatten)]
        output: Output,
    },
    /// Sums of attempts and tokens by account and by day.
    Stats {
        /// Id, label or e-mail; all accounts by default.
        account: Option<String>,
        /// Over how many days.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32))]
        days: Option<u32>,
        #[command(flatten)]
        output: Output,
    },
    /// Show where the files are.
    Paths {
        #[command(flatten)]
        output: Output,
    },
    /// Stream the answer to a prompt through the best account.
    Complete(CompleteArgs),
    /// Print a completion script for a shell.
    Completions {
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the man page, or write one page for each subcommand to a directory.
    Man {
        /// An existing directory.
        dir: Option<PathBuf>,
    },
    /// Watch a completion move between simulated accounts.
    #[cfg(feature = "sim")]
    Demo,
    /// Run the simulated ChatGPT backend on loopback until it is interrupted.
    #[cfg(feature = "sim")]
    Simulate {
        /// A free one by default.
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// How many accounts it knows.
        #[arg(long, default_value_t = 3)]
        accounts: usize,
    },
}

/// Options of the sidecar. Each is also an environment variable; a flag outweighs it.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Options of the sidecar (each also an environment variable)")]
pub struct SidecarArgs {
    /// The directory of pi's files [PI_CODING_AGENT_DIR, default ~/.pi/agent].
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true)]
    pub agent_dir: Option<PathBuf>,
    /// Where cooldowns, usage and history are kept [MULTICODEX_STATE_DIR, default the platform's state directory].
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true)]
    pub state_dir: Option<PathBuf>,
    /// The directory of the Codex CLI [CODEX_HOME, default ~/.codex].
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true)]
    pub codex_home: Option<PathBuf>,
    /// The backend [MULTICODEX_UPSTREAM_URL, default https://chatgpt.com/backend-api].
    #[arg(long, global = true, value_name = "URL", value_parser = OsStringValueParser::new(), hide_short_help = true)]
    pub upstream_url: Option<OsString>,
    /// The login server [MULTICODEX_AUTH_URL, default https://auth.openai.com].
    #[arg(long, global = true, value_name = "URL", value_parser = OsStringValueParser::new(), hide_short_help = true)]
    pub auth_url: Option<OsString>,
    /// A level, or target=level,… [MULTICODEX_LOG, default warn].
    #[arg(long, global = true, value_name = "LEVEL", value_parser = OsStringValueParser::new(), hide_short_help = true)]
    pub log: Option<OsString>,
    /// Log to this file instead of stderr [MULTICODEX_LOG_FILE].
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub log_file: Option<PathBuf>,
    /// `text` or `json` [MULTICODEX_LOG_FORMAT, default text].
    #[arg(long, global = true, value_name = "FORMAT", value_parser = OsStringValueParser::new(), hide_short_help = true)]
    pub log_format: Option<OsString>,
    /// Requests in flight at most [MULTICODEX_MAX_REQUESTS, default 1024].
    #[arg(long, global = true, value_name = "N", value_parser = OsStringValueParser::new(), allow_hyphen_values = true, hide_short_help = true)]
    pub max_requests: Option<OsString>,
    /// Size of a message at most [MULTICODEX_MAX_MESSAGE_BYTES, default 67108864].
    #[arg(long, global = true, value_name = "N", value_parser = OsStringValueParser::new(), allow_hyphen_values = true, hide_short_help = true)]
    pub max_message_bytes: Option<OsString>,
}

#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Output {
    /// Print the answer of the protocol's method as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, Args)]
pub struct LoginArgs {
    /// Log in with a code that is typed on another device.
    #[arg(long)]
    pub device: bool,
    /// Do not open a browser.
    #[arg(long)]
    pub no_open: bool,
}

#[derive(Clone, Debug, Args)]
pub struct SettingArgs {
    /// Settings to change; without any they are shown.
    #[arg(value_name = "SETTING=VALUE", value_parser = NonEmptyStringValueParser::new())]
    pub settings: Vec<String>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Clone, Debug, Args)]
pub struct CompleteArgs {
    /// The prompt; `-` reads it from stdin.
    #[arg(required_unless_present = "request")]
    pub prompt: Option<String>,
    /// The model.
    #[arg(long, default_value = "gpt-6.1-sol", conflicts_with = "request")]
    pub model: String,
    /// Completions of one session stay with one account while it can serve.
    #[arg(long)]
    pub session: Option<String>,
    /// Only this account: id, label or e-mail.
    #[arg(long)]
    pub account: Option<String>,
    /// A Responses request body as JSON, instead of a prompt; `-` reads it from stdin.
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    pub request: Option<PathBuf>,
    /// Print the collected response as JSON.
    #[arg(long, conflicts_with = "events")]
    pub json: bool,
    /// Print every notice as a line of JSON.
    #[arg(long)]
    pub events: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum From {
    Pi,
    Codex,
}

impl std::convert::From<From> for ImportSource {
    fn from(from: From) -> Self {
        match from {
            From::Pi => ImportSource::Pi,
            From::Codex => ImportSource::Codex,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scope {
    /// The pin.
    Manual,
    /// Cooldowns and back-off.
    Quota,
    All,
}

impl std::convert::From<Scope> for ResetScope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Manual => ResetScope::Manual,
            Scope::Quota => ResetScope::Quota,
            Scope::All => ResetScope::All,
        }
    }
}

/// `serve` and the flags of the sidecar, without the other subcommands. Clients start it, and building all subcommands
/// would cost them half a millisecond and 0.2 MiB each time.
#[derive(Parser)]
#[command(name = "multicodex", args_override_self = true)]
struct ServeOnly {
    #[command(flatten)]
    sidecar: SidecarArgs,
}

/// Reads the arguments behind the program's name.
///
/// # Errors
///
/// A mistake, and also what `--help` and `--version` print: their [`clap::Error::use_stderr`] is false.
pub fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    match parse_serve(args) {
        Some(serve) => Ok(serve),
        None => parse_any(args),
    }
}

/// None when the arguments are not those of `serve` alone, and also for a mistake or `--help`, which needs the whole
/// declaration.
fn parse_serve(args: &[OsString]) -> Option<Cli> {
    let is_named = args.first().is_some_and(|first| first == "serve");
    let flags = if is_named { &args[1..] } else { args };
    let ServeOnly { sidecar } = ServeOnly::try_parse_from(with_program_name(flags)).ok()?;
    Some(Cli { command: is_named.then_some(Command::Serve), sidecar })
}

fn parse_any(args: &[OsString]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(with_program_name(args))
}

fn with_program_name(args: &[OsString]) -> impl Iterator<Item = OsString> {
    std::iter::once(OsString::from("multicodex")).chain(args.iter().cloned())
}

/// The name of the subcommand that the arguments call, also where they hold a mistake.
pub fn called<'a>(root: &'a clap::Command, args: &[OsString]) -> Option<&'a str> {
    args.iter().find_map(|arg| root.find_subcommand(arg)).map(clap::Command::get_name)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parsed(line: &str) -> Result<Cli, clap::Error> {
        parse(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_are_declared_without_contradiction() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_of_the_sidecar_stand_before_or_behind_a_subcommand() {
        for line in ["--agent-dir /a accounts", "accounts --agent-dir /a", "accounts --json --agent-dir=/a"] {
            assert_eq!(parsed(line).unwrap().sidecar.agent_dir, Some(PathBuf::from("/a")), "{line}");
        }
    }

    #[test]
    fn serve_is_read_alone_as_it_is_among_all_subcommands() {
        for line in [
            "",
            "serve",
            "--agent-dir /a",
            "serve --agent-dir /a --state-dir=/s",
            "serve --codex-home /c --upstream-url u --auth-url a --log debug --log-file /l --log-format json",
            "--max-requests -1 --max-message-bytes 5",
        ] {
            let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            let alone = parse_serve(&args).unwrap_or_else(|| panic!("{line} is serve's"));
            assert_eq!(format!("{alone:?}"), format!("{:?}", parse_any(&args).unwrap()), "{line}");
        }
        for line in
            ["accounts", "--agent-dir /a accounts", "--agent-dir /a serve", "--help", "serve again", "-V"]
        {
            let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            assert!(parse_serve(&args).is_none(), "{line}");
        }
    }

    #[test]
    fn the_last_of_a_repeated_flag_counts() {
        let cli = parsed("accounts --agent-dir /a --json --agent-dir /b --json").unwrap();
        assert_eq!(cli.sidecar.agent_dir, Some(PathBuf::from("/b")));
        let cli = parsed("--log warn --log=info serve").unwrap();
        assert_eq!(cli.sidecar.log, Some("info".into()));
        let cli = parsed("--log warn serve --log=info").unwrap();
        assert_eq!(cli.sidecar.log, Some("info".into()));
    }

    #[test]
    fn every_subcommand_has_its_own_help() {
        for command in Cli::command().get_subcommands() {
            let error = parsed(&format!("{} --help", command.get_name())).unwrap_err();
            assert!(!error.use_stderr(), "{}", command.get_name());
            let about = command.get_about().unwrap().to_string();
            assert!(error.to_string().contains(&about), "{}: {error}", command.get_name());
        }
    }
}
