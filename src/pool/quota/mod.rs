//! What an account still offers when its usage is up: Luna Reserve and reset credits.

pub(crate) mod reserve;
pub(crate) mod reset_credit;
pub(crate) mod reset_ledger;
