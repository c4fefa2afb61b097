//! The gateway: HTTP on loopback for programs that use the Responses API, with the same completions as stdio.
//!
//! - [`server`]: listens and accepts; [`service`]: runs a request through its checks to its endpoint.
//! - [`admission`], [`key`]: which requests are accepted. [`endpoint`]: what they ask for.
//! - [`responses`]: completions, as [`event_stream`]s or whole; [`failure`]: a failed one as HTTP has it.
//! - [`methods`]: `gateway/start` and `gateway/stop`. [`setup`]: how programs are configured to use it.
//! - [`models`], [`usage`], [`health`]: the other endpoints.
//!
//! It decides nothing about accounts, translates no event, and answers no other machine: it binds to loopback, and
//! refuses a request for another host or from a page of another origin. Headers that name the caller never go upstream.

mod admission;
mod body;
mod endpoint;
mod error;
mod event_stream;
mod failure;
mod health;
mod key;
mod methods;
mod models;
mod responses;
mod server;
mod service;
mod session;
pub mod setup;
mod usage;

pub use self::health::{ProofError, proves_key};
pub use self::key::new_key;
pub use self::methods::GatewayControl;
pub use self::server::{Gateway, GatewayOptions, StartError};
