//! multicodex: a JSON-RPC 2.0 sidecar on stdin/stdout that manages several ChatGPT/Codex accounts.

pub mod clock;
pub mod pool;
pub mod rpc;
pub mod secret;
