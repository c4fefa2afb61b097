//! The options of a sidecar.

use std::time::Duration;

use super::login::logins::LoginOptions;
use crate::http::BaseUrl;
use crate::pool::PollSchedule;
use crate::store::Paths;

/// The paths of all files, decided once by the command line.
#[derive(Clone, Debug)]
pub struct Options {
    pub paths: Paths,
    pub upstream_url: BaseUrl,
    pub auth_url: BaseUrl,
    /// The pause between two refreshes of this machine: upstream revokes logins that are refreshed in a burst.
    pub refresh_spacing: Duration,
    pub login: LoginOptions,
    /// How often accounts that are not in use are checked.
    pub upkeep_interval: Duration,
    pub usage_schedule: PollSchedule,
    pub start: Start,
}

/// What is done before the first answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// pi's login is merged.
    Merging,
    NotMerging,
    /// No file is changed, not even one that should be repaired.
    ReadOnly,
}
