//! The `multicodex` command; everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    multicodex::cli::run(std::env::args_os().skip(1))
}
