//! Reading usage from upstream: on demand and on a schedule.

pub(crate) mod fetch;
pub(crate) mod poll;
