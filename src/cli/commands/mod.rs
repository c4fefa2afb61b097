//! One file for each group of subcommands: which method is called, and how the answer is printed.

pub(super) mod accounts;
pub(super) mod complete;
pub(super) mod credentials;
pub(super) mod gateway;
pub(super) mod generate;
pub(super) mod login;
pub(super) mod reports;
pub(super) mod reset_credit;
pub(super) mod run;
pub(super) mod settings;
