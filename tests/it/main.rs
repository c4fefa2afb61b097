//! The integration tests, one crate: modules by subject. All that can runs against the real binary.
#![expect(clippy::expect_used, reason = "tests")]

mod import;
mod layers;
mod peer;
mod schema;
mod streaming;
mod transport;
mod world;
