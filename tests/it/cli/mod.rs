//! The command line as a person uses it.

pub mod command_line;
pub mod options;
pub mod screens;
