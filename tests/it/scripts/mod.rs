//! Plays the scripts of `tests/scripts`.

pub mod pattern;
pub mod play;
pub mod script;
pub mod script_client;
