//! The integration tests, one crate: modules by subject. All that can runs against the real binary.
#![expect(clippy::expect_used, reason = "tests")]

mod between;
mod canary;
mod command_line;
mod examples;
mod import;
mod killed;
mod layers;
mod linked;
mod login;
mod marks;
mod network;
mod notices;
mod options;
mod peer;
mod proper_lockfile;
mod real_pi;
mod redeem;
mod schema;
mod script;
mod script_pattern;
mod script_peer;
mod scripts;
mod security;
mod settings;
mod shared_files;
mod sim;
mod sim_bench;
mod soak;
mod stage;
mod streaming;
mod transport;
mod usage;
mod usage_polls;
mod waiting;
mod world;
