//! Points in time as the pool sees them: always handed in, never read.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Milliseconds since the Unix epoch, the unit of every `…At` member on the wire and in the shared files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At(pub i64);

impl At {
    pub const fn from_secs(secs: i64) -> Self {
        At(secs.saturating_mul(1000))
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this is; zero when it is not after it, as happens when a clock is set back.
    pub fn since(self, earlier: At) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for At {
    type Output = At;

    fn add(self, rhs: Duration) -> At {
        At(self.0.saturating_add(i64::try_from(rhs.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for At {
    type Output = At;

    fn sub(self, rhs: Duration) -> At {
        At(self.0.saturating_sub(i64::try_from(rhs.as_millis()).unwrap_or(i64::MAX)))
    }
}
