//! Usage windows as readings: every number carries when and from where it was learned, and a missing one is unknown.

use std::time::Duration;

use super::At;

/// 5 hours, in the minutes windows are named by.
pub const FIVE_HOURS: u32 = 300;
/// 7 days, in the minutes windows are named by.
pub const WEEK: u32 = 10_080;
/// Readings older than this are shown as stale and asked for again.
pub const STALE_AFTER: Duration = Duration::from_secs(5 * 60);

/// One rate-limit window. Identified by its length, never by the slot it came in (upstream.md 2.2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// 300 = "5h", 10080 = "7d"; other lengths exist (weekly-only free plans, monthly ones).
    pub window_minutes: u32,
    /// 0–100 and above.
    pub used_percent: f64,
    pub resets_at: Option<At>,
}

impl Window {
    /// Used percent as of `now`: a window whose reset has passed began anew, so it counts as 0 % until it is read
    /// again.
    pub fn used_at(&self, now: At) -> f64 {
        if self.resets_at.is_some_and(|reset| reset <= now) { 0.0 } else { self.used_percent }
    }

    /// When it resets next; unknown once the reset that was read has passed.
    pub fn next_reset(&self, now: At) -> Option<At> {
        self.resets_at.filter(|reset| *reset > now)
    }

    pub fn is_exhausted(&self, now: At) -> bool {
        self.used_at(now) >= 100.0
    }
}

/// `5h`, `7d`, `30d`, `90m`: the largest unit that divides the length.
pub fn window_name(minutes: u32) -> String {
    const HOUR: u32 = 60;
    const DAY: u32 = 24 * HOUR;
    match minutes {
        0 => "0m".to_owned(),
        days if days.is_multiple_of(DAY) => format!("{}d", days / DAY),
        hours if hours.is_multiple_of(HOUR) => format!("{}h", hours / HOUR),
        minutes => format!("{minutes}m"),
    }
}

/// The latest reset among the windows that are used up: the account is back only when all of them are (peers.md
/// (b) 10). `None` when none is, or when none of those says when it resets.
pub fn latest_exhausted_reset(windows: &[Window], now: At) -> Option<At> {
    windows.iter().filter(|window| window.is_exhausted(now)).filter_map(|window| window.next_reset(now)).max()
}

/// A limit of its own beside the main one, e.g. `codex_bengalfox`.
#[derive(Clone, Debug, PartialEq)]
pub struct AdditionalLimit {
    pub limit_id: String,
    pub name: Option<String>,
    pub windows: Vec<Window>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Credits {
    pub has_credits: bool,
    pub unlimited: bool,
    pub balance: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageSource {
    UsageEndpoint,
    ResponseHeaders,
    StreamEvent,
}

/// What one upstream answer said about usage. Absent parts were not in the answer and leave what is known alone.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageReading {
    /// Windows of the main limit (`codex`), shortest first.
    pub windows: Vec<Window>,
    pub limits: Vec<AdditionalLimit>,
    pub credits: Option<Credits>,
    pub plan: Option<String>,
    pub source: UsageSource,
    /// When the request that carried it was sent; a reading may not end a cooldown that is younger than that.
    pub requested_at: At,
    pub fetched_at: At,
}

/// What is known about one account's usage, the latest reading of each part.
#[derive(Clone, Debug, PartialEq)]
pub struct Usage {
    pub windows: Vec<Window>,
    pub limits: Vec<AdditionalLimit>,
    pub credits: Option<Credits>,
    pub source: UsageSource,
    pub fetched_at: At,
}

impl Usage {
    /// The windows of the main limit, or of the limit named.
    pub fn windows_of(&self, limit_id: Option<&str>) -> &[Window] {
        match limit_id {
            None => &self.windows,
            Some(id) => self
                .limits
                .iter()
                .find(|limit| limit.limit_id == id)
                .map_or(&[], |limit| limit.windows.as_slice()),
        }
    }

    /// Takes over every part that `reading` has. Windows of one limit are replaced together, since a plan change
    /// drops some; the usage endpoint lists all limits, other sources only the one that answered.
    pub fn update(&mut self, reading: UsageReading) {
        if !reading.windows.is_empty() {
            self.windows = reading.windows;
        }
        if reading.source == UsageSource::UsageEndpoint && !reading.limits.is_empty() {
            self.limits = reading.limits;
        } else {
            for limit in reading.limits {
                match self.limits.iter_mut().find(|known| known.limit_id == limit.limit_id) {
                    Some(known) => *known = limit,
                    None => self.limits.push(limit),
                }
            }
        }
        if reading.credits.is_some() {
            self.credits = reading.credits;
        }
        self.source = reading.source;
        self.fetched_at = reading.fetched_at;
    }
}

impl From<UsageReading> for Usage {
    fn from(reading: UsageReading) -> Self {
        Usage {
            windows: reading.windows,
            limits: reading.limits,
            credits: reading.credits,
            source: reading.source,
            fetched_at: reading.fetched_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(window_minutes: u32, used_percent: f64, resets_at: Option<i64>) -> Window {
        Window { window_minutes, used_percent, resets_at: resets_at.map(At) }
    }

    fn reading(windows: Vec<Window>, limits: Vec<AdditionalLimit>, source: UsageSource) -> UsageReading {
        UsageReading {
            windows,
            limits,
            credits: None,
            plan: None,
            source,
            requested_at: At(1),
            fetched_at: At(2),
        }
    }

    fn limit(id: &str, used: f64) -> AdditionalLimit {
        AdditionalLimit { limit_id: id.into(), name: None, windows: vec![window(FIVE_HOURS, used, None)] }
    }

    #[test]
    fn the_account_is_back_when_the_last_exhausted_window_is() {
        let check = |windows: &[Window], expected: Option<i64>| {
            assert_eq!(latest_exhausted_reset(windows, At(100)), expected.map(At), "{windows:?}");
        };
        check(&[], None);
        check(&[window(FIVE_HOURS, 99.9, Some(200))], None);
        check(&[window(FIVE_HOURS, 100.0, None)], None);
        check(&[window(FIVE_HOURS, 100.0, Some(100))], None);
        check(&[window(FIVE_HOURS, 100.0, Some(200)), window(WEEK, 40.0, Some(900))], Some(200));
        check(&[window(FIVE_HOURS, 100.0, Some(200)), window(WEEK, 101.0, Some(900))], Some(900));
    }

    #[test]
    fn a_window_past_its_reset_counts_as_unused() {
        let passed = window(WEEK, 80.0, Some(100));
        assert_eq!((passed.used_at(At(99)), passed.next_reset(At(99))), (80.0, Some(At(100))));
        assert_eq!((passed.used_at(At(100)), passed.next_reset(At(100))), (0.0, None));
    }

    #[test]
    fn parts_that_a_reading_lacks_stay() {
        let mut usage = Usage::from(reading(
            vec![window(WEEK, 10.0, None)],
            vec![limit("a", 1.0), limit("b", 2.0)],
            UsageSource::UsageEndpoint,
        ));
        usage.update(reading(vec![], vec![limit("b", 3.0)], UsageSource::ResponseHeaders));
        assert_eq!(usage.windows, [window(WEEK, 10.0, None)]);
        assert_eq!(usage.limits, [limit("a", 1.0), limit("b", 3.0)]);
        usage.update(reading(
            vec![window(FIVE_HOURS, 5.0, None)],
            vec![limit("b", 4.0)],
            UsageSource::UsageEndpoint,
        ));
        assert_eq!(usage.windows, [window(FIVE_HOURS, 5.0, None)]);
        assert_eq!(usage.limits, [limit("b", 4.0)]);
    }

    #[test]
    fn a_window_is_named_after_its_length() {
        for (minutes, name) in
            [(300, "5h"), (10080, "7d"), (43200, "30d"), (1440, "1d"), (90, "90m"), (60, "1h"), (0, "0m")]
        {
            assert_eq!(window_name(minutes), name);
        }
    }
}
