//! multicodex: a JSON-RPC 2.0 sidecar on stdin and stdout that manages several ChatGPT/Codex accounts and moves a
//! completion to the next account when it meets a limit before any output was shown.
//!
//! **Decisions are pure and take `now`; only the rim touches the world.** In reading order:
//!
//! - [`pool`]: accounts, usage, choosing, the rotation walk. No I/O, no clock, no randomness, no serde, no tokio.
//! - [`protocol`]: what crosses the pipe, and the schema made from it. Names neither `pool` nor `secret`.
//! - [`rpc`]: framing, one reader, one writer, the life cycle. Knows no method of ours but the life cycle's own.
//! - [`upstream`] and [`auth`]: ChatGPT's responses, usage and token endpoints, over the one client in [`http`].
//! - [`store`] and [`watch`]: the files shared with others, and who changed them.
//! - [`sidecar`]: the methods; asks the pool, does the I/O, tells the pool.
//! - [`gateway`]: the same completions over HTTP on loopback, when asked for.
//! - [`render`]: answers as text for people, for the command line and for `command`.
//! - [`cli`]: flags, logs, signals. [`client`] and [`sim`] (feature `sim`) are the Rust client and the simulated
//!   backend that `multicodex demo` and the tests use.
//!
//! Invariants, as absences: a token never reaches a client but through `accounts/token`; nothing is written to stdout
//! but protocol messages; a shared file is never overwritten in place, and never at all when it does not parse; the
//! pool's lock is never held over an await. A test reads the `use` lines and holds the layers to `tests/it/layers.rs`.

#[cfg(not(unix))]
compile_error!("multicodex is for Linux and macOS; under Windows it runs in WSL");

pub mod auth;
pub mod cli;
#[cfg(feature = "sim")]
pub mod client;
pub mod clock;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod gateway;
pub mod http;
pub mod pool;
pub mod protocol;
pub mod render;
pub mod rpc;
pub mod secret;
pub mod sidecar;
#[cfg(feature = "sim")]
pub mod sim;
pub mod store;
pub mod upstream;
pub mod watch;
