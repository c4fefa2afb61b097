//! The integration tests, one crate: modules by subject. All that can runs against the real binary.
#![expect(clippy::expect_used, reason = "tests")]

mod examples;
mod import;
mod layers;
mod peer;
mod proper_lockfile;
mod schema;
mod script;
mod script_pattern;
mod script_peer;
mod scripts;
mod sim;
mod streaming;
mod transport;
mod world;
