//! The integration tests, one crate: modules by subject. All that can runs against the real binary.
#![expect(clippy::expect_used, reason = "tests")]

mod layers;
mod schema;
#[cfg(feature = "sim")]
mod script;
#[cfg(feature = "sim")]
mod script_pattern;
#[cfg(feature = "sim")]
mod script_peer;
#[cfg(feature = "sim")]
mod scripts;
#[cfg(feature = "sim")]
mod sim;
