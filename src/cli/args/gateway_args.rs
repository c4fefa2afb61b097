//! The arguments of `gateway` and `run`.

use std::ffi::OsString;

use clap::{Args, Subcommand, ValueEnum};

use crate::gateway::setup::Client;

#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct GatewayArgs {
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, value_name = "N", default_value_t = 41455)]
    pub port: u16,
    #[command(subcommand)]
    pub action: Option<GatewayAction>,
}

#[derive(Clone, Debug, Subcommand)]
pub enum GatewayAction {
    /// Print the key, after the gateway has proved that it has it.
    Key {
        /// Make a new key; the old one is refused from then on.
        #[arg(long, conflicts_with = "instance")]
        rotate: bool,
        /// The gateway within a process, instead of the permanent one.
        #[arg(long, value_name = "PID")]
        instance: Option<u32>,
    },
    /// Print the configuration that lets a program use the gateway.
    Config {
        #[arg(value_enum)]
        client: GatewayClient,
    },
}

#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Show the command, and do not run it.
    #[arg(long)]
    pub print: bool,
    /// The command and its arguments.
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GatewayClient {
    Codex,
    Opencode,
    Zed,
    Pi,
    /// The OpenAI SDKs, and programs that read their variables.
    Sdk,
}

impl From<GatewayClient> for Client {
    fn from(client: GatewayClient) -> Self {
        match client {
            GatewayClient::Codex => Client::Codex,
            GatewayClient::Opencode => Client::Opencode,
            GatewayClient::Zed => Client::Zed,
            GatewayClient::Pi => Client::Pi,
            GatewayClient::Sdk => Client::Sdk,
        }
    }
}
