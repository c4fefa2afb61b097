//! The one place that reads the wall clock. All other code takes `now` as a parameter.

use std::time::UNIX_EPOCH;

use crate::pool::At;

/// Now, in milliseconds since the Unix epoch; a clock set before 1970 reads as 0.
pub fn now() -> At {
    #[expect(clippy::disallowed_methods, reason = "this is the place the ban points to")]
    let since_epoch = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    At(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// The source of time of an owner of state.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Clock {
    System,
    #[cfg(test)]
    Simulated(simulated::SimulatedClock),
}

impl Clock {
    pub(crate) fn now(self) -> At {
        match self {
            Clock::System => now(),
            #[cfg(test)]
            Clock::Simulated(clock) => clock.now(),
        }
    }
}

#[cfg(test)]
pub(crate) mod simulated {
    use tokio::time::Instant;

    use super::Clock;
    use crate::pool::At;

    /// A clock that follows tokio's paused time, so that a test can pass an hour at once.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct SimulatedClock {
        start: At,
        started: Instant,
    }

    impl SimulatedClock {
        pub(super) fn now(self) -> At {
            self.start + self.started.elapsed()
        }
    }

    /// Returns a clock that shows `start` now. Call it in a runtime with paused time.
    pub(crate) fn starting_at(start: At) -> Clock {
        Clock::Simulated(SimulatedClock { start, started: Instant::now() })
    }
}
