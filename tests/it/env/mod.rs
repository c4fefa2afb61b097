//! The one harness: a simulated backend with an agent directory, and clients of the real binary.

mod eventually;
mod raw_client;
mod sidecar;
pub mod skip;
mod test_env;

use std::time::Duration;

pub use eventually::{eventually, eventually_blocking};
pub use raw_client::{Framing, RawClient, command};
pub use sidecar::{Refused, Sidecar, email, expired, expiring};
pub use test_env::{A_DAY_MS, TestEnv};

/// Nothing takes longer unless it is broken. Generous, because the machine may be busy.
pub const DEADLINE: Duration = Duration::from_secs(20);
