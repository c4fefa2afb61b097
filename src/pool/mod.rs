//! The pool: accounts and every decision about them, as plain data and plain functions.
//!
//! Absences that tests hold: no I/O, no clock (`now` is a parameter), no randomness, no serde, no tokio, no wire types.

mod account;
mod cooldown;
mod failure;
mod identity;
mod settings;
mod time;
mod usage;

pub use account::{Account, Credential, Health, Mark, ModelExclusion, Standing};
pub use cooldown::{Backoff, Certainty, Cooldown};
pub use failure::{Failure, FailureKind, Source};
pub use identity::{AccountId, Identity};
pub use settings::{AffinityMode, RotationSettings, Strategy};
pub use time::At;
pub use usage::{AdditionalLimit, Credits, STALE_AFTER, Usage, UsageReading, UsageSource, Window};
