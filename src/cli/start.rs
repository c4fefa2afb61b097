//! Converts the options of the command line into those of the sidecar.

use std::time::Duration;

use super::options::ServeOptions;
use crate::pool::PollSchedule;
use crate::sidecar::{self, Start};

pub(super) fn sidecar_options(options: ServeOptions) -> sidecar::Options {
    sidecar::Options {
        paths: options.paths,
        upstream_url: options.upstream_url,
        auth_url: options.auth_url,
        refresh_spacing: Duration::from_millis(options.refresh_spacing_ms),
        login: options.login,
        upkeep_interval: Duration::from_millis(options.upkeep_interval_ms),
        usage_schedule: PollSchedule::every(Duration::from_millis(options.usage_interval_ms)),
        start: Start::Merging,
    }
}
