//! Which account is used: one order for picking and for showing, so that what `rotation` shows is what happens.

use std::cmp::Reverse;
use std::fmt;

use super::eligibility::{Need, is_below_reserve, why_not, why_not_named};
use super::{Account, AccountId, AffinityMode, At, FIVE_HOURS, Pool, Strategy, WEEK, WhyNotEligible, Window};

/// What a completion asks of the pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Only this account, and no rotation.
    pub account: Option<AccountId>,
    pub session: Option<String>,
    pub model: Option<String>,
}

/// One account's place in the order of choice.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    pub account: AccountId,
    /// From 1; none when the account is not eligible.
    pub rank: Option<u32>,
    /// The most decisive first.
    pub reasons: Vec<Reason>,
}

/// What put an account where it is. Displayed in words for the user.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    NotEligible(WhyNotEligible),
    Named,
    Pinned,
    Session,
    BackingOff {
        until: At,
    },
    /// The last reading showed a window used up, though upstream has not refused.
    Exhausted,
    /// Nothing of any known window is used.
    Untouched,
    /// The longest window's next reset.
    ResetsAt(At),
    UsedPercent(f64),
    UsageUnknown,
    Priority(i32),
    NeverUsed,
    LastUsed(At),
}

impl Pool {
    /// Every account, in the order they would be tried; those that would not be are last, in the file's order.
    pub fn ranking(&self, demand: &Demand, now: At) -> Vec<Ranked> {
        let lookout = Lookout::new(self, demand, now);
        let mut eligible = Vec::with_capacity(self.accounts.len());
        let mut passed_over = Vec::new();
        for index in 0..self.accounts.len() {
            match lookout.why_not(index) {
                None => eligible.push((lookout.place(index), index)),
                Some(why) => passed_over.push((why, index)),
            }
        }
        eligible.sort_unstable();
        let in_reserve = eligible.iter().filter(|(place, _)| place.in_reserve).count();
        let chosen = if in_reserve < eligible.len() { eligible.len() - in_reserve } else { eligible.len() };
        let ranked = eligible.iter().enumerate().map(|(nth, &(place, index))| {
            let kept_back = nth >= chosen;
            let rank = (!kept_back).then(|| u32::try_from(nth + 1).unwrap_or(u32::MAX));
            let kept_back = kept_back.then_some(Reason::NotEligible(WhyNotEligible::BelowReserve));
            let reasons = kept_back.into_iter().chain(lookout.reasons(index, &place)).collect();
            Ranked { account: self.accounts[index].id.clone(), rank, reasons }
        });
        let passed_over = passed_over.into_iter().map(|(why, index)| Ranked {
            account: self.accounts[index].id.clone(),
            rank: None,
            reasons: vec![Reason::NotEligible(why)],
        });
        ranked.chain(passed_over).collect()
    }

    /// The account to try first, leaving out `excluded`.
    pub fn best(&self, demand: &Demand, excluded: &[AccountId], now: At) -> Option<AccountId> {
        self.best_where(demand, now, |id, why_not| why_not.is_none() && !excluded.contains(id))
    }

    /// The first in the order among those that `admits`, eligible or not. One look at each account, and nothing is
    /// allocated.
    pub(super) fn best_where(
        &self,
        demand: &Demand,
        now: At,
        admits: impl Fn(&AccountId, Option<WhyNotEligible>) -> bool,
    ) -> Option<AccountId> {
        let lookout = Lookout::new(self, demand, now);
        let admitted = (0..self.accounts.len()).filter(|&i| admits(&self.accounts[i].id, lookout.why_not(i)));
        let best = admitted.min_by_key(|&index| lookout.place(index))?;
        Some(self.accounts[best].id.clone())
    }
}

/// All that one decision looks at, found once.
struct Lookout<'a> {
    pool: &'a Pool,
    demand: &'a Demand,
    need: Need<'a>,
    pinned: Option<usize>,
    session: Option<usize>,
    now: At,
}

/// An account's place among the eligible ones: the smallest is tried first, and no two are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place<'a> {
    not_pinned: bool,
    in_reserve: bool,
    backing_off: bool,
    not_in_session: bool,
    exhausted: bool,
    /// By strategy, smallest first.
    preference: Preference,
    /// Never used comes first. Joining counts as a use.
    last_used_at: Option<At>,
    id: &'a AccountId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Preference {
    Reset(ByReset),
    Used { unknown: bool, thousandths: i64 },
    Turn(u64),
    Priority(Reverse<i32>, ByReset),
}

/// `reset-first`, the first variant first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ByReset {
    Untouched,
    At(At),
    /// Usage is known, but not when it resets.
    Sometime,
    UsageUnknown,
}

impl<'a> Lookout<'a> {
    fn new(pool: &'a Pool, demand: &'a Demand, now: At) -> Self {
        let index_of = |id: &AccountId| pool.by_id.get(id).copied();
        let with_affinity = pool.settings.affinity == AffinityMode::Session;
        let session = demand.session.as_deref().filter(|_| with_affinity);
        Lookout {
            pool,
            demand,
            need: pool.need(demand),
            pinned: pool.pin.as_ref().and_then(index_of),
            session: session.and_then(|session| pool.affinity.get(session, now)).and_then(index_of),
            now,
        }
    }

    fn why_not(&self, index: usize) -> Option<WhyNotEligible> {
        let account = &self.pool.accounts[index];
        match &self.demand.account {
            None => why_not(account, self.need, self.now),
            Some(named) if *named == account.id => why_not_named(account, self.need, self.now),
            Some(_) => Some(WhyNotEligible::NotAsked),
        }
    }

    fn place(&self, index: usize) -> Place<'a> {
        let pool = self.pool;
        let account = &pool.accounts[index];
        let windows = self.windows(account);
        let preference = match pool.settings.strategy {
            Strategy::ResetFirst => Preference::Reset(by_reset(windows, self.now)),
            Strategy::LeastUsed => match most_used(windows, self.now) {
                // Thousandths of a percent are ordered like the percentage, and are `Ord`.
                Some(percent) => Preference::Used { unknown: false, thousandths: (percent * 1000.0) as i64 },
                None => Preference::Used { unknown: true, thousandths: 0 },
            },
            Strategy::RoundRobin => Preference::Turn(pool.chosen[index]),
            Strategy::Priority => {
                Preference::Priority(Reverse(self.priority(account)), by_reset(windows, self.now))
            }
        };
        Place {
            not_pinned: self.pinned != Some(index),
            in_reserve: self.pinned != Some(index) && is_below_reserve(windows, &pool.settings, self.now),
            backing_off: account.backoff_until(self.now).is_some(),
            not_in_session: self.session != Some(index),
            exhausted: windows.iter().any(|window| window.is_exhausted(self.now)),
            preference,
            last_used_at: account.health.last_used_at.max(pool.joined.get(&account.id).copied()),
            id: &account.id,
        }
    }

    fn windows(&self, account: &'a Account) -> &'a [Window] {
        account.health.usage.as_ref().map_or(&[], |usage| usage.windows_of(self.need.limit))
    }

    fn priority(&self, account: &Account) -> i32 {
        self.pool.settings.priority.get(&account.id).copied().unwrap_or(0)
    }

    fn reasons(&self, index: usize, place: &Place<'_>) -> Vec<Reason> {
        let account = &self.pool.accounts[index];
        let by_reset = |by_reset| match by_reset {
            ByReset::Untouched => Some(Reason::Untouched),
            ByReset::At(at) => Some(Reason::ResetsAt(at)),
            ByReset::Sometime => None,
            ByReset::UsageUnknown => Some(Reason::UsageUnknown),
        };
        let (first, second) = match place.preference {
            Preference::Reset(reset) => (by_reset(reset), None),
            Preference::Used { unknown: true, .. } => (Some(Reason::UsageUnknown), None),
            Preference::Used { .. } => {
                (most_used(self.windows(account), self.now).map(Reason::UsedPercent), None)
            }
            Preference::Turn(_) => (None, None),
            Preference::Priority(Reverse(priority), reset) => {
                (Some(Reason::Priority(priority)), by_reset(reset))
            }
        };
        [
            self.demand.account.is_some().then_some(Reason::Named),
            (!place.not_pinned).then_some(Reason::Pinned),
            account.backoff_until(self.now).map(|until| Reason::BackingOff { until }),
            (!place.not_in_session).then_some(Reason::Session),
            place.exhausted.then_some(Reason::Exhausted),
            first,
            second,
            Some(account.health.last_used_at.map_or(Reason::NeverUsed, Reason::LastUsed)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// By the reset of the weekly window, or of the longest there is.
fn by_reset(windows: &[Window], now: At) -> ByReset {
    let weekly = windows.iter().find(|window| window.window_minutes == WEEK);
    let Some(longest) = weekly.or_else(|| windows.iter().max_by_key(|window| window.window_minutes)) else {
        return ByReset::UsageUnknown;
    };
    if windows.iter().all(|window| window.used_at(now) <= 0.0) {
        return ByReset::Untouched;
    }
    longest.next_reset(now).map_or(ByReset::Sometime, ByReset::At)
}

/// The largest used percent of the 5h and 7d windows, or of whatever there is when neither is known.
fn most_used(windows: &[Window], now: At) -> Option<f64> {
    let used = |window: &Window| window.used_at(now);
    let usual = |window: &&Window| [FIVE_HOURS, WEEK].contains(&window.window_minutes);
    let most = windows.iter().filter(usual).map(used).reduce(f64::max);
    most.or_else(|| windows.iter().map(used).reduce(f64::max))
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NotEligible(why) => why.fmt(f),
            Reason::Named => f.write_str("asked for by name"),
            Reason::Pinned => f.write_str("pinned"),
            Reason::Session => f.write_str("served this session last"),
            Reason::BackingOff { until } => write!(f, "failed lately, ranked last until {until}"),
            Reason::Exhausted => f.write_str("last reading shows a window used up"),
            Reason::Untouched => f.write_str("untouched"),
            Reason::ResetsAt(at) => write!(f, "resets {at}"),
            Reason::UsedPercent(percent) => write!(f, "{percent:.0} % used"),
            Reason::UsageUnknown => f.write_str("usage unknown"),
            Reason::Priority(priority) => write!(f, "priority {priority}"),
            Reason::NeverUsed => f.write_str("never used"),
            Reason::LastUsed(at) => write!(f, "last used {at}"),
        }
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::pool::testing::{id, limited, pool_of, reading, window};
    use crate::pool::{RotationSettings, Walk};

    const NOW: At = At(1_000_000_000);
    const HOUR: i64 = 3_600_000;

    fn in_hours(hours: i64) -> At {
        At(NOW.0 + hours * HOUR)
    }

    /// (minutes, percent, hours until the reset)
    type Windows = [(u32, f64, i64)];

    fn pool_with(accounts: &[(&str, &Windows)], settings: RotationSettings) -> Pool {
        let names: Vec<&str> = accounts.iter().map(|(name, _)| *name).collect();
        let mut pool = pool_of(&names);
        pool.set_settings(settings);
        for (name, windows) in accounts {
            let windows: Vec<Window> = windows
                .iter()
                .map(|&(minutes, used, hours)| window(minutes, used, Some(in_hours(hours))))
                .collect();
            pool.apply_usage(&id(name), reading(&windows, NOW), NOW);
        }
        pool
    }

    fn order(pool: &Pool, demand: &Demand) -> Vec<(String, Option<u32>)> {
        let ranking = pool.ranking(demand, NOW);
        ranking.iter().map(|ranked| (ranked.account.to_string(), ranked.rank)).collect()
    }

    fn eligible(pool: &Pool) -> String {
        let ranked = order(pool, &Demand::default());
        ranked.into_iter().filter_map(|(name, rank)| rank.map(|_| name)).collect()
    }

    #[test]
    fn each_strategy_has_its_order() {
        let check = |strategy, accounts: &[(&str, &Windows)], expected: &str| {
            let mut settings = RotationSettings { strategy, ..RotationSettings::default() };
            settings.priority = [(id("b"), -1), (id("z"), 5)].into();
            assert_eq!(eligible(&pool_with(accounts, settings)), expected, "{strategy:?}");
        };
        let untouched: &Windows = &[(300, 0.0, 5), (WEEK, 0.0, 168)];
        let soon: &Windows = &[(300, 90.0, 1), (WEEK, 50.0, 10)];
        let late: &Windows = &[(300, 1.0, 1), (WEEK, 20.0, 100)];
        let monthly: &Windows = &[(300, 1.0, 1), (43_200, 20.0, 60)];
        let used_up: &Windows = &[(300, 100.0, 1), (WEEK, 99.0, 2)];
        let rolled_over: &Windows = &[(300, 80.0, -1), (WEEK, 40.0, -1)];
        let half_rolled: &Windows = &[(300, 80.0, 1), (WEEK, 40.0, -1)];
        use Strategy::*;
        check(ResetFirst, &[("a", &[]), ("b", late), ("c", soon), ("d", untouched)], "dcba");
        check(ResetFirst, &[("a", used_up), ("b", &[]), ("c", late), ("d", monthly), ("e", soon)], "edcba");
        check(ResetFirst, &[("a", &[]), ("b", half_rolled), ("c", late), ("d", rolled_over)], "dcba");
        check(ResetFirst, &[("b", &[]), ("a", &[])], "ab");
        check(LeastUsed, &[("a", soon), ("b", &[]), ("c", late), ("d", untouched)], "dcab");
        check(LeastUsed, &[("a", monthly), ("b", &[(43_200, 0.5, 9)]), ("c", used_up)], "bac");
        check(LeastUsed, &[("a", &[(300, 10.2, 1)]), ("b", &[(300, 10.1, 1)])], "ba");
        check(RoundRobin, &[("a", soon), ("b", untouched), ("c", used_up)], "abc");
        check(Priority, &[("a", late), ("b", untouched), ("c", soon), ("z", &[])], "zcab");
    }

    #[test]
    fn round_robin_takes_turns() {
        let settings = RotationSettings { strategy: Strategy::RoundRobin, ..RotationSettings::default() };
        let mut pool = pool_with(&[("a", &[]), ("b", &[]), ("c", &[])], settings);
        let mut turns = String::new();
        for _ in 0..5 {
            turns.push_str(pool.active(NOW).expect("one is free").as_str());
            Walk::new(Demand::default()).next(&mut pool, NOW);
        }
        assert_eq!(turns, "abcab");
    }

    #[test]
    fn the_least_recently_used_of_equals_goes_first() {
        let mut pool = pool_of(&["a", "b", "c"]);
        for (name, at) in [("a", 20), ("b", 10)] {
            let mut walk = Walk::new(Demand { account: Some(id(name)), ..Demand::default() });
            walk.next(&mut pool, At(at));
            walk.succeeded(&mut pool, At(at));
        }
        assert_eq!(eligible(&pool), "cba");
    }

    #[test]
    fn the_reserve_is_kept_for_when_nothing_else_is_left() {
        let settings = RotationSettings { reserve_percent: 10.0, ..RotationSettings::default() };
        let low: &Windows = &[(300, 90.1, 1), (WEEK, 5.0, 3)];
        let mut pool = pool_with(&[("a", low), ("b", &[(WEEK, 90.0, 9)]), ("c", &[])], settings);
        let expected = [("b".into(), Some(1)), ("c".into(), Some(2)), ("a".into(), None)];
        assert_eq!(order(&pool, &Demand::default()), expected);
        let why = pool.ranking(&Demand::default(), NOW)[2].reasons[0];
        assert_eq!(why, Reason::NotEligible(WhyNotEligible::BelowReserve));
        pool.set_disabled(&id("b"), true);
        pool.set_disabled(&id("c"), true);
        assert_eq!(eligible(&pool), "a");
        pool.set_disabled(&id("c"), false);
        pool.pin(&id("a"));
        assert_eq!(eligible(&pool), "ac", "a pin outweighs the reserve");
    }

    #[test]
    fn reasons_are_told_in_words() {
        let mut pool = pool_with(
            &[("a", &[(WEEK, 10.0, 48)]), ("b", &[(WEEK, 0.0, 100)]), ("c", &[]), ("d", &[]), ("e", &[])],
            RotationSettings::default(),
        );
        let mut walk = Walk::new(Demand { account: Some(id("c")), ..Demand::default() });
        walk.next(&mut pool, NOW);
        walk.failed(&mut pool, &limited(), NOW);
        pool.set_disabled(&id("d"), true);
        pool.pin(&id("a"));
        let told: Vec<String> = pool
            .ranking(&Demand::default(), NOW)
            .iter()
            .map(|ranked| {
                let reasons: Vec<String> = ranked.reasons.iter().map(ToString::to_string).collect();
                format!("{}: {}", ranked.account, reasons.join(", "))
            })
            .collect();
        assert_eq!(
            told,
            [
                "a: pinned, resets 1970-01-14 13:46 UTC, never used",
                "b: untouched, never used",
                "e: usage unknown, never used",
                "c: usage limit reached until 1970-01-12 14:46 UTC",
                "d: disabled",
            ]
        );
        let named = Demand { account: Some(id("c")), ..Demand::default() };
        assert_eq!(order(&pool, &named)[0], ("c".into(), Some(1)));
        assert_eq!(order(&pool, &named)[1], ("a".into(), None));
    }
}
