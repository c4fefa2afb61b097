//! The `multicodex` command; everything it does is in the library.

use std::io::IsTerminal;
use std::process::ExitCode;

use multicodex::cli::{self, Command};

fn main() -> ExitCode {
    let environment = |name: &str| std::env::var_os(name);
    let ended = match cli::parse(std::env::args_os().skip(1), &environment, std::io::stdin().is_terminal()) {
        Ok(Command::Serve(options)) => cli::serve(*options),
        Ok(Command::Login(command)) => cli::login(*command),
        Ok(Command::Ask(options, asked)) => cli::ask(*options, &asked),
        Ok(Command::Help) => cli::help(),
        Ok(Command::Version) => cli::version(),
        #[cfg(feature = "sim")]
        Ok(Command::Demo) => cli::demo(),
        #[cfg(feature = "sim")]
        Ok(Command::Simulate(options)) => cli::simulate(options),
        Err(error) => Err(error.to_string()),
    };
    ended.unwrap_or_else(|message| cli::refuse(&message))
}
