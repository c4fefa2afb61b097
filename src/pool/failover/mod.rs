//! What a failed attempt means and which account is tried next, until output begins.

pub(crate) mod failure;
pub(crate) mod failure_policy;
pub(crate) mod preamble_buffer;
pub(crate) mod state_machine;
pub(crate) mod step;
pub(crate) mod unexplained_401;
