//! One file at a time: read it without trusting it, lock it, replace it atomically.

pub(crate) mod atomic;
pub(crate) mod inspect;
pub(crate) mod lock;
pub(crate) mod permissions;
pub(crate) mod probe;
pub(crate) mod proper_lockfile;
pub(crate) mod read;
