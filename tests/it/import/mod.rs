//! Logins of other programs.

pub mod pi_and_codex;
