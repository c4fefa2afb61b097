//! multicodex: a JSON-RPC 2.0 sidecar on stdin/stdout that manages several ChatGPT/Codex accounts.

pub mod auth;
pub mod clock;
pub mod http;
pub mod pool;
pub mod secret;
pub mod upstream;
