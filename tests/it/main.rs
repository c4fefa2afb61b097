//! The integration tests, one crate with a module for each subject. They use the real binary where possible.
#![expect(clippy::expect_used, reason = "tests")]

mod accounts;
mod bench_report;
mod cli;
mod clients;
mod completion;
mod crash_recovery;
mod credentials;
mod env;
mod faults;
mod gateway;
mod import;
mod layers;
mod login;
mod reset_credits;
mod rpc;
mod schema;
mod scripts;
mod secret_leaks;
mod security;
mod sim;
mod simulated_weeks;
mod soak;
mod websocket;
