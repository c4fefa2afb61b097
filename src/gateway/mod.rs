//! The gateway: HTTP on loopback for programs that speak the Responses API, in front of the completion that stdio has.
//!
//! - [`server`]: listens and accepts; [`service`]: leads a request over its checks to its endpoint.
//! - [`admission`], [`key`]: who may ask. [`endpoint`]: what is asked for.
//! - [`responses`]: completions, as [`event_stream`]s or whole; [`failure`]: a failed one as HTTP has it.
//! - [`methods`]: `gateway/start` and `gateway/stop`. [`setup`]: how programs are made to use it.
//! - [`models`], [`usage`], [`health`]: what else is answered.
//!
//! It decides nothing about accounts, translates no event, and answers no other machine: it binds to loopback, and a
//! request for another host, or from a page of another origin, is refused. What names the caller never goes upstream.

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
