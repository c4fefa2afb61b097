//! The options of one or a few subcommands.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use crate::protocol::{ImportSource, ResetScope};

#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Output {
    /// Print the result of the protocol's method as JSON.
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
    /// Settings to change; without any, show them.
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
    /// The session; its completions stay with one account while that can serve.
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
