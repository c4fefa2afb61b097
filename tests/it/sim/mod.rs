//! The simulator alone.

pub mod bench;
pub mod simulator;
