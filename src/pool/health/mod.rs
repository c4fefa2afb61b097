//! What is wrong with an account, since when and until when: cooldowns, back-off, and the usage readings that change
//! them.

pub(crate) mod cooldown;
pub(crate) mod file_flags;
pub(crate) mod reset;
pub(crate) mod status;
pub(crate) mod usage_reading;
