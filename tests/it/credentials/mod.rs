//! Refresh tokens at the real boundary.

pub mod concurrent_edits;
pub mod linked;
pub mod proper_lockfile;
pub mod refresh;
