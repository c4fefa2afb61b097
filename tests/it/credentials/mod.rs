//! Refresh tokens with the real binary.

pub mod concurrent_edits;
pub mod linked;
pub mod proper_lockfile;
pub mod refresh;
