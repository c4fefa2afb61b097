//! The command line: options in, exit code out. The only place that prints.

mod ask;
#[cfg(feature = "sim")]
mod demo;
mod help;
mod interrupted;
mod logging;
mod login;
mod options;
mod print;
mod runtime;
mod serve;
mod terminal;

use std::process::ExitCode;

pub use ask::{Asked, ask};
pub use login::login;
pub use options::{Command, Environment, LogFormat, LoginCommand, ServeOptions, UsageError, parse};
pub use serve::serve;

#[cfg(feature = "sim")]
pub use demo::demo;

/// `--help`
pub fn help() -> Result<ExitCode, String> {
    print::print(help::HELP).map(|()| ExitCode::SUCCESS)
}

/// `--version`
pub fn version() -> Result<ExitCode, String> {
    print::print(&format!("multicodex {}\n", env!("CARGO_PKG_VERSION"))).map(|()| ExitCode::SUCCESS)
}

/// `multicodex simulate`: runs until it is interrupted.
#[cfg(feature = "sim")]
pub fn simulate(options: crate::sim::SimulateOptions) -> Result<ExitCode, String> {
    let simulating = async { crate::sim::simulate(options).await.map_err(|error| error.to_string()) };
    runtime::on_a_runtime(simulating).map(|()| ExitCode::SUCCESS)
}

/// A mistake in how the command was called or in where it was told to work: a message on stderr, exit code 2.
pub fn refuse(message: &str) -> ExitCode {
    print::complain(&format!("multicodex: {message}"));
    ExitCode::from(2)
}
