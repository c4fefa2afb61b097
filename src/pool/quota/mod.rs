//! What an account still offers when its usage is up: Luna Reserve and reset credits, and what is made of
//! them when no account can serve.

pub(crate) mod plan;
pub(crate) mod reserve;
pub(crate) mod reset_credit;
pub(crate) mod reset_ledger;
