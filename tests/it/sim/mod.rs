//! The simulator by itself.

pub mod bench;
pub mod simulator;
