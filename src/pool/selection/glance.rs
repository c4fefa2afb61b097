//! What picking looks at, worked out ahead: one cache line for each account instead of a failover through all it holds, so
//! that thousands of accounts are looked over in microseconds. It decides nothing that the account itself would not.

use super::eligibility::lasting;
use crate::pool::{Account, At, FIVE_HOURS, RotationSettings, Strategy, WEEK, Window};

/// True of an account until it, or the settings, change.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Glance {
    /// Not eligible before that, for what the main limit binds; never while only a person can change it.
    pub out_until: At,
    /// Some model is not offered to it, perhaps the one asked for.
    pub excludes_models: bool,
    pub backing_off_until: At,
    /// Long ago when it was never used.
    pub last_used_at: At,
    pub merit: Merit,
    /// When `merit` stops being true, since a window resets.
    pub merit_until: At,
    /// Where its id comes among all ids: what decides when nothing else does.
    pub nth_by_id: u32,
}

/// How an account compares by its usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Merit {
    pub below_reserve: bool,
    /// A reading showed a window used up.
    pub exhausted: bool,
    /// What the strategy prefers, smallest first; as two numbers, since picking does little else than compare them.
    pub preference: (i64, i64),
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

const _: () = assert!(size_of::<Glance>() == 64, "one cache line");

const LONG_AGO: At = At(i64::MIN);
const NEVER: At = At(i64::MAX);

impl Glance {
    pub fn of(account: &Account, settings: &RotationSettings, chosen: u64, nth_by_id: u32) -> Self {
        let health = &account.health;
        let windows = health.usage.as_ref().map_or(&[][..], |usage| &usage.windows);
        let cooling_until = health.cooldown.as_ref().map_or(LONG_AGO, |cooldown| cooldown.until);
        Glance {
            out_until: if lasting(account).is_some() { NEVER } else { cooling_until },
            excludes_models: !health.model_exclusions.is_empty(),
            backing_off_until: health.backoff.as_ref().map_or(LONG_AGO, |backoff| backoff.until),
            last_used_at: health.last_used_at.unwrap_or(LONG_AGO),
            merit: Merit::of(account, windows, settings, chosen, LONG_AGO),
            merit_until: windows.iter().filter_map(|window| window.resets_at).min().unwrap_or(NEVER),
            nth_by_id,
        }
    }
}

impl Merit {
    /// By the windows of the limit in question.
    pub fn of(
        account: &Account,
        windows: &[Window],
        settings: &RotationSettings,
        chosen: u64,
        now: At,
    ) -> Self {
        let preference = match settings.strategy {
            Strategy::ResetFirst => by_reset(windows, now).order(),
            // Thousandths of a percent are ordered like the percentage, and are `Ord`.
            Strategy::LeastUsed => most_used(windows, now).map_or((1, 0), |used| (0, (used * 1000.0) as i64)),
            Strategy::RoundRobin => (0, i64::try_from(chosen).unwrap_or(i64::MAX)),
            Strategy::Priority => {
                let (group, at) = by_reset(windows, now).order();
                (-i64::from(settings.priority_of(&account.id)) * ByReset::GROUPS + group, at)
            }
        };
        let reserve = settings.reserve_percent;
        Merit {
            below_reserve: reserve > 0.0
                && windows.iter().any(|window| 100.0 - window.used_at(now) < reserve),
            exhausted: windows.iter().any(|window| window.is_exhausted(now)),
            preference,
        }
    }
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

/// The largest used percent of the 5h and 7d windows, or of whatever there is when neither is known.
pub(crate) fn most_used(windows: &[Window], now: At) -> Option<f64> {
    let used = |window: &Window| window.used_at(now);
    let usual = |window: &&Window| [FIVE_HOURS, WEEK].contains(&window.window_minutes);
    let most = windows.iter().filter(usual).map(used).reduce(f64::max);
    most.or_else(|| windows.iter().map(used).reduce(f64::max))
}

/// By the reset of the weekly window, or of the longest there is.
pub(crate) fn by_reset(windows: &[Window], now: At) -> ByReset {
    let weekly = windows.iter().find(|window| window.window_minutes == WEEK);
    let Some(longest) = weekly.or_else(|| windows.iter().max_by_key(|window| window.window_minutes)) else {
        return ByReset::UsageUnknown;
    };
    if windows.iter().all(|window| window.used_at(now) <= 0.0) {
        return ByReset::Untouched;
    }
    let at = |at| ByReset::At { window_minutes: longest.window_minutes, at };
    longest.next_reset(now).map_or(ByReset::Sometime, at)
}
