//! The transport, the notifications and the recorded sessions, with the real binary.

pub mod examples;
pub mod notices;
pub mod transport;
