use super::*;
use crate::pool::testing::{id, limited, pool_of, reading, window};
use crate::pool::{Failover, RotationSettings, Strategy, WEEK};

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

fn reset_first() -> RotationSettings {
    RotationSettings { strategy: Strategy::ResetFirst, ..RotationSettings::default() }
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
        Failover::new(Demand::default()).next(&mut pool, NOW);
    }
    assert_eq!(turns, "abcab");
    pool.remove(&id("a"));
    assert_eq!(eligible(&pool), "cb");
}

#[test]
fn the_least_recently_used_of_equals_goes_first() {
    let mut pool = pool_with(&[("a", &[]), ("b", &[]), ("c", &[])], reset_first());
    for (name, at) in [("a", 20), ("b", 10)] {
        let mut failover = Failover::new(Demand { account: Some(id(name)), ..Demand::default() });
        failover.next(&mut pool, At(at));
        failover.succeeded(&mut pool, At(at));
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
        reset_first(),
    );
    let mut failover = Failover::new(Demand { account: Some(id("c")), ..Demand::default() });
    failover.next(&mut pool, NOW);
    failover.failed(&mut pool, &limited(), NOW);
    pool.set_disabled(&id("d"), true);
    pool.pin(&id("a"));
    let told: Vec<String> = pool
        .ranking(&Demand::default(), NOW)
        .iter()
        .map(|ranked| {
            let reasons: Vec<String> = ranked.reasons.iter().map(|reason| reason.words(NOW)).collect();
            format!("{}: {}", ranked.account, reasons.join(", "))
        })
        .collect();
    assert_eq!(
        told,
        [
            "a: pinned, 7d resets in 2d0h, never used",
            "b: nothing of it is used, never used",
            "e: usage unknown, never used",
            "c: usage limit reached, back in 1h0m",
            "d: disabled by you",
        ]
    );
    let named = Demand { account: Some(id("c")), ..Demand::default() };
    assert_eq!(order(&pool, &named)[0], ("c".into(), Some(1)));
    assert_eq!(order(&pool, &named)[1], ("a".into(), None));
}
