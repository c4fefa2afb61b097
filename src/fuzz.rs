//! The properties that fuzzers try to break, by name. `tests/fuzz` runs them with coverage; here they run on its seeds,
//! on every input that once broke one, and on mutations of those.

pub use crate::auth::fuzz::{callback, jwt, pasted};
pub use crate::pool::rotation;
pub use crate::rpc::fuzz::{framing, message};
pub use crate::store::fuzz::{accounts_file, auth_file, settings_file};
pub use crate::upstream::fuzz::{continuation, refusal, request, sse, usage};

#[cfg(test)]
mod replay;
