//! The command line as `clap` reads it: every subcommand, argument and help text is declared here once.
//!
//! Flags of the sidecar ([`SidecarArgs`]) are also environment variables; [`super::options`] resolves flag before
//! variable before default.

mod command_args;
mod gateway_args;
mod parse;
mod sidecar_args;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

pub use self::command_args::{CompleteArgs, From, LoginArgs, Output, Scope, SettingArgs};
pub use self::gateway_args::{GatewayAction, GatewayArgs, GatewayClient, RunArgs};
pub use self::parse::{called, parse};
pub use self::sidecar_args::SidecarArgs;

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
    /// Show the account in use and the state of all, or everything about one account.
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
        /// The label of a new account; its e-mail by default.
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
        /// A file other than the usual one; its login is copied.
        #[arg(long, value_name = "FILE")]
        path: Option<PathBuf>,
        #[command(flatten)]
        output: Output,
    },
    /// Check files, locks, settings and logins, and say what to do about each finding.
    Verify {
        /// Also ask upstream, with the present tokens.
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
    /// Redeem a reset credit, which resets an account's usage windows once.
    ResetCredit {
        /// Id, label or e-mail.
        account: String,
        /// Which credit; the one that expires first by default.
        #[arg(long, value_name = "ID")]
        credit: Option<String>,
        /// Only show what is known; redeem nothing.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        output: Output,
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
        /// How many days the sums cover.
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
    /// Serve the accounts over HTTP on loopback, for programs that speak the Responses API.
    Gateway(GatewayArgs),
    /// Run a command that uses the accounts: `multicodex run -- codex`.
    Run(RunArgs),
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
        /// The port; a free one by default.
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// How many accounts it knows.
        #[arg(long, default_value_t = 3)]
        accounts: usize,
    },
}
