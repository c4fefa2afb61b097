//! Completions through the real binary.

pub mod network;
pub mod streaming;
pub mod waiting;
