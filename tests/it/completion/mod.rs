//! Completions through the real binary.

pub mod bodies;
pub mod network;
pub mod streaming;
pub mod waiting;
