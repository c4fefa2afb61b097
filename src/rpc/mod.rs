//! JSON-RPC 2.0 over a pair of byte streams, serving the methods of a jsonrpsee module.
//!
//! It knows no method and no type of the domain. It answers every request exactly once, loses and reorders no output,
//! and keeps only a few messages for a client that does not read.
//!
//! Decisions where the specification leaves room:
//!
//! - Ids are strings and the integers 0 to 2^64 - 1, spelled plainly; any other id is -32600 with id `null`,
//!   including larger integers, which could not be echoed exactly. A string comes back as an equal string,
//!   escapes normalised; one with a lone surrogate is not text and is refused.
//! - A request whose id is still in flight is -32600 with that id.
//! - `params` that are neither object nor array make the request invalid: -32600. `null` counts as absent.
//! - A batch of more than [`MAX_BATCH_ENTRIES`] entries is -32600 `message_too_large` as a whole.
//! - `exit` and `$/cancelRequest` sent with an id are obeyed and answered `null`.

mod block;
mod dispatch;
mod error;
#[cfg(target_os = "linux")]
mod fd;
mod framing;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod in_flight;
mod message;
mod outbox;
mod process;
mod serve;
mod stdio;
mod subscription;
mod writer;

pub use error::Refusal;
// The framing alone is public for tests/micro.
pub use framing::{Decoder, Frame, Framing, encode};
pub use message::MAX_BATCH_ENTRIES;
pub use outbox::{Closed, Outbox};
pub use process::asked_to_end;
pub use serve::{Config, Ended, serve};
pub use stdio::{Input, Output, stdio};
pub use subscription::{Subscription, register_subscription};

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests;
