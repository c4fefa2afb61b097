//! `completions` and `man`: texts generated from the declaration of the command line.

use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::cli::args::Cli;
use crate::cli::print::print;

pub(in crate::cli) fn completions(shell: Shell) -> Result<ExitCode, String> {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "multicodex", &mut script);
    print(&String::from_utf8_lossy(&script)).map(|()| ExitCode::SUCCESS)
}

/// Prints `multicodex.1`, or writes it and a page for each subcommand to `dir`.
pub(in crate::cli) fn man(dir: Option<&Path>) -> Result<ExitCode, String> {
    match dir {
        Some(dir) => clap_mangen::generate_to(Cli::command(), dir)
            .map_err(|error| format!("{}: {error}", dir.display()))
            .map(|()| ExitCode::SUCCESS),
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(|error| error.to_string())?;
            print(&String::from_utf8_lossy(&page)).map(|()| ExitCode::SUCCESS)
        }
    }
}
