//! Access tokens for attempts, and the refresh of tokens: once per token, journaled, stored before it is used.

pub(crate) mod findings;
pub(crate) mod freshness;
pub(crate) mod linked;
pub(crate) mod pending_writes;
pub(crate) mod put_back;
pub(crate) mod refresh_token;
pub(crate) mod refresher;
pub(crate) mod single_flight;
pub(crate) mod token;
pub(crate) mod upkeep;
