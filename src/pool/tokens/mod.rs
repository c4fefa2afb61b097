//! Credentials as data: whether a refresh token may be sent, and how logins found in files join the accounts.

pub(crate) mod import;
pub(crate) mod known;
pub(crate) mod ledger;
pub(crate) mod merge;
pub(crate) mod sign_in;
pub(crate) mod sync;
