//! The command line: arguments in, exit code out. The only place that prints.

pub mod args;
mod commands;
#[cfg(feature = "sim")]
mod demo;
mod directories;

mod logging;
mod mistake;
mod notice;
mod one_shot;
mod options;
mod print;
mod progress;
mod runtime;
mod serve;
mod signals;
mod start;
mod terminal;

use std::ffi::OsString;
use std::io::{IsTerminal, stdin};
use std::process::ExitCode;

use clap::CommandFactory;
use clap::builder::StyledStr;

use self::args::{Cli, Command, parse};
use self::commands::{
    accounts, complete, credentials, gateway, generate, login, reports, reset_credit, run, settings,
};
use self::options::ServeOptions;

/// The exit code of a mistake: a wrong argument, or a directory that cannot be used.
const MISTAKE: u8 = 2;

/// Runs the subcommand. Returns the exit code: 0; 1 when it failed; 2 after a mistake on the command line; 130 after an
/// interrupt.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let ended = match parse(&args) {
        Ok(cli) => dispatch(cli),
        Err(error) if error.use_stderr() => {
            let root = Cli::command();
            Err(mistake::explain(&error, args::called(&root, &args)))
        }
        Err(asked_for) => print_help(&asked_for.render()),
    };
    ended.unwrap_or_else(|message| {
        print::print_error(&format!("multicodex: {message}"));
        ExitCode::from(MISTAKE)
    })
}

fn dispatch(cli: Cli) -> Result<ExitCode, String> {
    let options = || {
        ServeOptions::resolve(&cli.sidecar, &|name| std::env::var_os(name)).map_err(|error| error.to_string())
    };
    match cli.command {
        None if stdin().is_terminal() => print_help(&Cli::command().render_long_help()),
        None | Some(Command::Serve) => serve::serve(options()?),
        Some(Command::Accounts { output }) => accounts::list(options()?, output.json),
        Some(Command::Show { account }) => accounts::show(options()?, account),
        Some(Command::Use { account, clear }) => accounts::pin(options()?, account, clear),
        Some(Command::Disable { account }) => accounts::disable(options()?, account),
        Some(Command::Enable { account }) => accounts::enable(options()?, account),
        Some(Command::Label { account, label }) => accounts::label(options()?, account, label),
        Some(Command::Remove { account, yes }) => accounts::remove(options()?, account, yes),
        Some(Command::Login { label, login }) => login::login(options()?, label, login),
        Some(Command::Reauth { account, login }) => login::reauth(options()?, account, login),
        Some(Command::Refresh { account, force, output }) => {
            credentials::refresh(options()?, account, force, output.json)
        }
        Some(Command::Token { account }) => credentials::token(options()?, account),
        Some(Command::Import { from, path, output }) => {
            credentials::import(options()?, from.into(), path, output.json)
        }
        Some(Command::Verify { online, output }) => reports::verify(options()?, online, output.json),
        Some(Command::Status { output }) => reports::status(options()?, output.json),
        Some(Command::Rotation { change }) => settings::rotation(options()?, change),
        Some(Command::Footer { change }) => settings::footer(options()?, change),
        Some(Command::Reset { scope }) => settings::reset(options()?, scope.into()),
        Some(Command::ResetCredit { account, credit, dry_run, output }) => {
            reset_credit::reset_credit(options()?, account, credit, dry_run, output.json)
        }
        Some(Command::History { account, limit, output }) => {
            reports::history(options()?, account, limit, output.json)
        }
        Some(Command::Stats { account, days, output }) => {
            reports::stats(options()?, account, days, output.json)
        }
        Some(Command::Paths { output }) => reports::paths(options()?, output.json),
        Some(Command::Complete(args)) => complete::complete(options()?, args),
        Some(Command::Gateway(args)) => gateway::gateway(options()?, &cli.sidecar, args),
        Some(Command::Run(args)) => run::run(options()?, args),
        Some(Command::Completions { shell }) => generate::completions(shell),
        Some(Command::Man { dir }) => generate::man(dir.as_deref()),
        #[cfg(feature = "sim")]
        Some(Command::Demo) => demo::demo(),
        #[cfg(feature = "sim")]
        Some(Command::Simulate { port, accounts }) => {
            simulate(crate::sim::SimulateOptions { port, accounts, agent_dir: cli.sidecar.agent_dir })
        }
    }
}

fn print_help(text: &StyledStr) -> Result<ExitCode, String> {
    let text = if terminal::shows_colours() { text.ansi().to_string() } else { text.to_string() };
    print::print(&text).map(|()| ExitCode::SUCCESS)
}

/// `multicodex simulate`: runs until it is interrupted.
#[cfg(feature = "sim")]
fn simulate(options: crate::sim::SimulateOptions) -> Result<ExitCode, String> {
    let simulating = async { crate::sim::simulate(options).await.map_err(|error| error.to_string()) };
    runtime::on_a_runtime(simulating).map(|()| ExitCode::SUCCESS)
}
