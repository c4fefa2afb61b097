//! Which account serves a completion: eligibility, ranking, the reasons for both, and session affinity.

pub(crate) mod affinity;
pub(crate) mod availability;
pub(crate) mod eligibility;
pub(crate) mod preference;
pub(crate) mod ranking;
pub(crate) mod reason;
pub(crate) mod select;
