//! Compares this machine's clock with upstream's, by the `Date` of an answer. Resets and token expiries are dates, so a
//! wrong clock misjudges both.

use std::time::Duration;

use crate::pool::At;

/// HTTP dates are whole seconds, and answers take time, so a smaller difference proves nothing.
const SKEWED: Duration = Duration::from_secs(60);
/// A clock must be right by this much before it counts as right again, so that a clock near the limit does not cause
/// repeated warnings.
const RIGHT: Duration = Duration::from_secs(30);

/// How far this clock is ahead of upstream's, or behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockSkew {
    pub off: Duration,
    pub ahead: bool,
}

impl ClockSkew {
    /// Upstream wrote `date` at some moment between the two others, and cut it to the second.
    pub fn between(date: At, asked_at: At, answered_at: At) -> Self {
        let ahead = asked_at.since(date + Duration::from_secs(1));
        let behind = date.since(answered_at);
        ClockSkew { off: ahead.max(behind), ahead: ahead > behind }
    }

    pub fn matters(self) -> bool {
        self.off > SKEWED
    }

    pub fn is_over(self) -> bool {
        self.off <= RIGHT
    }

    pub fn direction(self) -> &'static str {
        if self.ahead { "ahead of" } else { "behind" }
    }

    /// Rounded, so that the same skew gives the same text the next time.
    pub fn roughly(self) -> &'static str {
        const HOUR: u64 = 60 * 60;
        match self.off.as_secs() {
            0..300 => "more than a minute",
            300..HOUR => "more than five minutes",
            HOUR..86_400 => "more than an hour",
            _ => "more than a day",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_by_what_no_answer_takes() {
        const NOON: At = At(1_800_000_000_000);
        let check = |date_secs: i64, off: u64, ahead: bool, told: Option<&str>| {
            let date = At(NOON.0 + date_secs * 1000);
            let skew = ClockSkew::between(date, NOON, NOON + Duration::from_secs(2));
            assert_eq!((skew.off.as_secs(), skew.ahead), (off, ahead), "{date_secs}");
            assert_eq!(skew.matters().then(|| skew.roughly()), told, "{date_secs}");
        };
        check(0, 0, false, None);
        check(2, 0, false, None);
        check(-1, 0, false, None);
        check(-61, 60, true, None);
        check(-62, 61, true, Some("more than a minute"));
        check(62, 60, false, None);
        check(63, 61, false, Some("more than a minute"));
        check(-301, 300, true, Some("more than five minutes"));
        check(7202, 7200, false, Some("more than an hour"));
        check(-90_001, 90_000, true, Some("more than a day"));
        let border = |secs| ClockSkew { off: Duration::from_secs(secs), ahead: true };
        assert_eq!([30, 31, 60, 61].map(|secs| border(secs).is_over()), [true, false, false, false]);
        assert_eq!([30, 31, 60, 61].map(|secs| border(secs).matters()), [false, false, false, true]);
    }
}
