//! What each strategy prefers, as a pair of numbers: the smallest is tried first.

use crate::pool::{Account, At, FIVE_HOURS, RotationSettings, SPEND_CAP, Strategy, WEEK, Window};

/// `windows` belong to the limit in question; `chosen` is the number of the choice that used the account last.
pub(crate) fn preference(
    account: &Account,
    windows: impl Iterator<Item = Window> + Clone,
    settings: &RotationSettings,
    chosen: u64,
    now: At,
) -> (i64, i64) {
    match settings.strategy {
        Strategy::ResetFirst => by_reset(windows, now).order(),
        // Thousandths of a percent have the order of the percentage, and are `Ord`.
        Strategy::LeastUsed => most_used(windows, now).map_or((1, 0), |used| (0, (used * 1000.0) as i64)),
        Strategy::RoundRobin => (0, i64::try_from(chosen).unwrap_or(i64::MAX)),
        Strategy::Priority => {
            let (group, at) = by_reset(windows, now).order();
            (-i64::from(settings.priority_of(account)) * ByReset::GROUPS + group, at)
        }
    }
}

/// `reset-first`, the first variant first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByReset {
    Untouched,
    At {
        window_minutes: u32,
        at: At,
    },
    /// Usage is known, but not when it resets.
    Sometime,
    UsageUnknown,
}

impl ByReset {
    const GROUPS: i64 = 4;

    fn order(self) -> (i64, i64) {
        match self {
            ByReset::Untouched => (0, 0),
            ByReset::At { at, .. } => (1, at.millis()),
            ByReset::Sometime => (2, 0),
            ByReset::UsageUnknown => (3, 0),
        }
    }
}

/// Returns the largest used percentage of the 5h and 7d windows and of the spend cap, or of all windows when none of
/// these is known.
pub(crate) fn most_used(windows: impl Iterator<Item = Window> + Clone, now: At) -> Option<f64> {
    let used = |window: Window| window.used_at(now);
    let usual = |window: &Window| [FIVE_HOURS, WEEK, SPEND_CAP].contains(&window.window_minutes);
    let most = windows.clone().filter(usual).map(used).reduce(f64::max);
    most.or_else(|| windows.map(used).reduce(f64::max))
}

/// By the reset of the weekly window, or of the longest one.
pub(crate) fn by_reset(windows: impl Iterator<Item = Window> + Clone, now: At) -> ByReset {
    let weekly = windows.clone().find(|window| window.window_minutes == WEEK);
    let Some(longest) = weekly.or_else(|| windows.clone().max_by_key(|window| window.window_minutes)) else {
        return ByReset::UsageUnknown;
    };
    if windows.clone().all(|window| window.used_at(now) <= 0.0) {
        return ByReset::Untouched;
    }
    let at = |at| ByReset::At { window_minutes: longest.window_minutes, at };
    longest.next_reset(now).map_or(ByReset::Sometime, at)
}
