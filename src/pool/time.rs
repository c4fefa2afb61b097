//! Points in time. They are always parameters; the pool never reads a clock.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Clocks are often corrected by this much, which is ignored.
const A_MOMENT: Duration = Duration::from_secs(5);

/// Milliseconds since the Unix epoch, the unit of every `…At` member on the wire and in the shared files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct At(pub i64);

/// A day in UTC, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i64);

impl At {
    pub const fn from_secs(secs: i64) -> Self {
        At(secs.saturating_mul(1000))
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    pub const fn day(self) -> Day {
        Day(self.0.div_euclid(24 * 60 * 60 * 1000))
    }

    /// Returns the first whole minute that is not before this, so that a client that comes back then is not too early.
    #[must_use]
    pub const fn to_the_next_minute(self) -> At {
        At(self.0.saturating_add(59_999).div_euclid(60_000).saturating_mul(60_000))
    }

    /// Returns whether this time of a past event is ahead of `now` by more than a moment: the clock was set back since.
    pub fn is_ahead_of(self, now: At) -> bool {
        self > now + A_MOMENT
    }

    /// Returns this time, or `now` when it is ahead.
    pub(crate) fn not_ahead_of(self, now: At) -> At {
        if self.is_ahead_of(now) { now } else { self }
    }

    /// Returns how long after `earlier` this is; zero when it is not after it, e.g. after a clock was set back.
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

/// Returns minutes in UTC, e.g. `2026-11-23 20:29 UTC`, for texts that people read.
impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.0.div_euclid(60_000);
        let (hour, minute) = (minutes.div_euclid(60).rem_euclid(24), minutes.rem_euclid(60));
        write!(f, "{} {hour:02}:{minute:02} UTC", self.day())
    }
}

/// `2026-11-23`
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// Returns the time from `now` to a time: `2d3h`, `2h13m`, `13m`, `<1m`. It is rounded down, so never shown as more
/// than is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Countdown {
    pub to: At,
    pub now: At,
}

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

impl Countdown {
    /// Formats a duration.
    pub fn of(length: Duration) -> Self {
        Countdown { to: At(0) + length, now: At(0) }
    }

    fn left(self) -> i64 {
        self.to.0.saturating_sub(self.now.0).max(0)
    }

    /// Until then the text stays the same; after it the text shows less, or nothing is left.
    pub fn good_until(self) -> At {
        let unit = if self.left() >= DAY { HOUR } else { MINUTE };
        match self.left() / unit {
            0 => self.to,
            whole => At(self.to.0 - whole * unit + 1),
        }
    }
}

impl fmt::Display for Countdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = self.left();
        let (days, hours, minutes) = (left / DAY, left / HOUR % 24, left / MINUTE % 60);
        match (days, hours, minutes) {
            (0, 0, 0) => f.write_str("<1m"),
            (0, 0, _) => write!(f, "{minutes}m"),
            (0, _, _) => write!(f, "{hours}h{minutes}m"),
            _ => write!(f, "{days}d{hours}h"),
        }
    }
}

/// Returns year, month and day of the proleptic Gregorian calendar. Years begin in March, so that the leap day is the
/// last day, and one formula gives the lengths of the months before it.
fn civil(days_since_epoch: i64) -> (i64, i64, i64) {
    const DAYS_FROM_MARCH_0000_TO_1970: i64 = 719_468;
    const DAYS_IN_400_YEARS: i64 = 146_097;
    let days = days_since_epoch.saturating_add(DAYS_FROM_MARCH_0000_TO_1970);
    let day_of_cycle = days.rem_euclid(DAYS_IN_400_YEARS);
    let year_of_cycle =
        (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = days.div_euclid(DAYS_IN_400_YEARS) * 400 + year_of_cycle + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_to_the_minute_in_utc() {
        let check = |secs, expected: &str| assert_eq!(At::from_secs(secs).to_string(), expected);
        check(0, "1970-01-01 00:00 UTC");
        check(-1, "1969-12-31 23:59 UTC");
        check(951_782_399, "2000-02-28 23:59 UTC");
        check(951_782_400, "2000-02-29 00:00 UTC");
        check(1_078_099_200, "2004-03-01 00:00 UTC");
        check(4_107_542_400, "2100-03-01 00:00 UTC");
        check(1_795_357_947, "2026-11-22 14:32 UTC");
    }

    #[test]
    fn a_minute_that_has_begun_is_over_at_the_next() {
        let next = [-1, 0, 1, 59_999, 60_000].map(|at| At(at).to_the_next_minute().0);
        assert_eq!(next, [0, 0, 60_000, 60_000, 60_000]);
        assert!(At(i64::MAX).to_the_next_minute().0 > 0);
    }

    #[test]
    fn days_that_no_calendar_has_are_shown_all_the_same() {
        // From a file that a person edited.
        assert_eq!(Day(i64::MAX).to_string(), "25252734927766554-09-25");
        assert_eq!(Day(i64::MIN).to_string(), "-25252734927764585-06-07");
    }

    #[test]
    fn a_countdown_never_tells_more_than_is_left_and_knows_when_it_reads_less() {
        let check = |left: i64, expected: &str| {
            let countdown = Countdown { to: At(left), now: At(0) };
            assert_eq!(countdown.to_string(), expected, "{left}");
            if left > 0 {
                let good_until = countdown.good_until();
                let at = |now: i64| Countdown { to: At(left), now: At(now) }.to_string();
                assert_eq!(at(good_until.0 - 1), expected, "{left}");
                assert!(good_until.0 == left || at(good_until.0) != expected, "{left}");
            }
        };
        check(-5, "<1m");
        check(0, "<1m");
        check(1, "<1m");
        check(MINUTE - 1, "<1m");
        check(MINUTE, "1m");
        check(HOUR - 1, "59m");
        check(HOUR, "1h0m");
        check(2 * HOUR + 13 * MINUTE + 59_999, "2h13m");
        check(DAY - 1, "23h59m");
        check(DAY, "1d0h");
        check(3 * DAY + 4 * HOUR + 59 * MINUTE, "3d4h");
        check(30 * DAY, "30d0h");
    }

    #[test]
    fn a_clock_set_back_counts_as_no_time() {
        assert_eq!(At(5).since(At(9)), Duration::ZERO);
        assert_eq!(At(9).since(At(5)), Duration::from_millis(4));
    }
}
