//! The one place that reads the wall clock; everything else is handed `now`.

use std::time::UNIX_EPOCH;

use crate::pool::At;

/// Now, in milliseconds since the Unix epoch; a clock set before 1970 reads as 0.
pub fn now() -> At {
    #[expect(clippy::disallowed_methods, reason = "this is the place the ban points to")]
    let since_epoch = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    At(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
