//! The command line as a person uses it.

pub mod command_line;
pub mod complete;
pub mod options;
pub mod screens;
pub mod shell;
