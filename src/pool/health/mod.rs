//! What is known to be wrong with an account, since when and until when: cooldowns, back-off, usage readings that change them.

pub(crate) mod cooldown;
pub(crate) mod file_flags;
pub(crate) mod reset;
pub(crate) mod status;
pub(crate) mod usage_reading;
