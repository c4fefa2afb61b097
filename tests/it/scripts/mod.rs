//! Plays the scripts of `tests/scripts`.

pub mod notation;
pub mod pattern;
pub mod play;
pub mod script;
pub mod script_client;
