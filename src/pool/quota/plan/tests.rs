use super::*;
use crate::pool::testing::{id, limited, pool_of, reading, window};
use crate::pool::{
    AdditionalLimit, FIVE_HOURS, Failover, Failure, Reserve, ResetCreditList, RotationSettings, UsageReading,
    WEEK,
};

const NOW: At = At(1_800_000_000_000);
const HOUR: i64 = 3_600_000;

fn in_hours(hours: i64) -> At {
    At(NOW.0 + hours * HOUR)
}

fn week_is_up() -> UsageReading {
    let mut reading =
        reading(&[window(FIVE_HOURS, 10.0, None), window(WEEK, 100.0, Some(in_hours(100)))], NOW);
    reading.resets_left = Some(0);
    reading
}

fn with_reserve(used: f64) -> UsageReading {
    let mut reading = week_is_up();
    reading.reserve = Some(Reserve { granted: true, ordinary_model: None });
    reading.limits = vec![AdditionalLimit {
        limit_id: RESERVE_LIMIT.into(),
        name: Some(RESERVE_MODEL.into()),
        windows: vec![window(WEEK, used, None)],
        refuses: false,
    }];
    reading
}

/// Every account was refused, and then read.
fn dry(readings: &[(&str, UsageReading)]) -> Pool {
    let names: Vec<&str> = readings.iter().map(|(name, _)| *name).collect();
    let mut pool = pool_of(&names);
    for (name, reading) in readings {
        refuse(&mut pool, name, &Failure { resets_at: Some(in_hours(100)), ..limited() });
        pool.apply_usage(&id(name), reading.clone(), NOW);
    }
    pool
}

fn refuse(pool: &mut Pool, name: &str, failure: &Failure) {
    let mut failover = Failover::new(Demand { account: Some(id(name)), ..Demand::default() });
    failover.next(pool, NOW);
    failover.failed(pool, failure, NOW);
}

fn credits(pool: &mut Pool, name: &str, list: &[(&str, i64)]) {
    let credit = |(id, hours): &(&str, i64)| ResetCredit {
        id: (*id).to_owned(),
        expires_at: Some(in_hours(*hours)),
        status: None,
    };
    let list = ResetCreditList {
        available: u32::try_from(list.len()).unwrap_or(0),
        credits: list.iter().map(credit).collect(),
        requested_at: NOW,
        fetched_at: NOW,
    };
    pool.apply_reset_credits(&id(name), list, NOW);
}

fn told(pool: &Pool, model: &str, rules: PlanRules) -> Vec<(String, bool)> {
    let demand = Demand { model: Some(model.into()), ..Demand::default() };
    let name = |step: Step| match step {
        Step::Reserve => "reserve",
        Step::ResetCredit { .. } => "resetCredit",
        Step::Wait { .. } => "wait",
    };
    let plan = pool.plan(&demand, rules, NOW);
    plan.iter().map(|step| (format!("{} {}", name(step.step), step.account), step.allowed)).collect()
}

fn steps(expected: &[(&str, bool)]) -> Vec<(String, bool)> {
    expected.iter().map(|(step, allowed)| ((*step).to_owned(), *allowed)).collect()
}

#[test]
fn the_plan_is_reserve_then_credit_then_to_wait_and_nothing_unasked_by_default() {
    let mut pool = dry(&[("a", week_is_up()), ("b", with_reserve(50.0)), ("c", with_reserve(20.0))]);
    credits(&mut pool, "a", &[("late", 300)]);
    credits(&mut pool, "b", &[("soon", 30)]);
    let expected = [("reserve c", false), ("resetCredit b", false), ("wait a", false)];
    assert_eq!(told(&pool, "gpt-6.2-sol", PlanRules::default()), steps(&expected));
    let reasons: Vec<String> = pool
        .plan(&Demand::default(), PlanRules::default(), NOW)
        .into_iter()
        .map(|step| step.reason)
        .collect();
    assert_eq!(
        reasons,
        [
            "Luna Reserve could answer, with gpt-5.6-luna; the setting `reserve` does not allow it",
            "a reset credit, which expires in 1d6h, resets its 7d window; redeem it with `accounts/resetCredit`",
            "it is back in 4d4h",
        ]
    );
}

#[test]
fn nothing_is_planned_while_an_account_can_serve() {
    let mut pool = pool_of(&["a", "b"]);
    refuse(&mut pool, "a", &limited());
    assert_eq!(told(&pool, "m", PlanRules::default()), []);
    refuse(&mut pool, "b", &limited());
    assert_eq!(told(&pool, "m", PlanRules::default()), steps(&[("wait a", false)]));
    assert_eq!(told(&pool_of(&[]), "m", PlanRules::default()), []);
}

#[test]
fn the_reserve_is_used_only_as_the_setting_or_the_completion_says() {
    let mut pool = dry(&[("a", with_reserve(0.0))]);
    let mut check = |setting, said, model: &str, expected: bool| {
        pool.set_settings(RotationSettings { reserve: setting, ..RotationSettings::default() });
        let rules = PlanRules { allow_reserve: said, ..PlanRules::default() };
        assert_eq!(
            told(&pool, model, rules)[0],
            ("reserve a".to_owned(), expected),
            "{setting:?} {said:?} {model}"
        );
    };
    use ReserveUse::*;
    check(Never, None, "gpt-6.2-sol", false);
    check(Never, None, "gpt-5.6-luna", false);
    check(Never, Some(true), "gpt-6.2-sol", true);
    check(Luna, None, "gpt-6.2-sol", false);
    check(Luna, None, "gpt-5.6-luna", true);
    check(Luna, Some(false), "gpt-5.6-luna", false);
    check(Any, None, "gpt-6.2-sol", true);
    check(Any, Some(false), "gpt-6.2-sol", false);
}

#[test]
fn a_reserve_counts_only_where_its_own_limit_and_a_usage_limit_say_so() {
    let granted = |pool: &Pool, age: Option<u64>| {
        pool.reserves(&Demand::default(), age.map(Duration::from_secs), NOW).len()
    };
    let pool = dry(&[("a", with_reserve(0.0))]);
    assert_eq!((granted(&pool, None), granted(&pool, Some(60))), (1, 1));
    let later = At(NOW.0 + 61_000);
    assert_eq!(pool.reserves(&Demand::default(), Some(FRESH), later).len(), 0, "the reading is too old");
    let mut revoked = with_reserve(0.0);
    revoked.reserve = Some(Reserve { granted: false, ordinary_model: None });
    assert_eq!(granted(&dry(&[("a", revoked)]), None), 0);
    let mut disabled = dry(&[("a", with_reserve(0.0))]);
    disabled.set_disabled(&id("a"), true);
    assert_eq!(granted(&disabled, None), 0);
    let mut refused = dry(&[("a", with_reserve(0.0))]);
    let own = Failure { limit_id: Some(RESERVE_LIMIT.into()), ..limited() };
    refuse(&mut refused, "a", &own);
    assert_eq!(granted(&refused, None), 0, "its limit cools");
    let mut pool = pool_of(&["a"]);
    let organization = Failure {
        code: Some("organization_usage_limit_exceeded".into()),
        whole_workspace: true,
        ..limited()
    };
    refuse(&mut pool, "a", &organization);
    pool.apply_usage(&id("a"), with_reserve(0.0), NOW);
    assert_eq!(granted(&pool, None), 0, "the limit is one of the organization");
}

#[test]
fn a_credit_is_for_an_account_whose_longest_window_alone_is_in_the_way() {
    let check = |windows: &[Window], expected: bool, why: &str| {
        let mut reading = reading(windows, NOW);
        reading.resets_left = Some(1);
        let mut pool = dry(&[("a", reading)]);
        credits(&mut pool, "a", &[("c", 30)]);
        assert_eq!(pool.resettable(&Demand::default(), Some(FRESH), NOW).len() == 1, expected, "{why}");
    };
    let week = |used: f64, hours: i64| window(WEEK, used, Some(in_hours(hours)));
    check(&[window(FIVE_HOURS, 10.0, None), week(100.0, 100)], true, "the week is up");
    check(&[week(100.0, 100)], true, "a plan with a week only");
    check(&[window(FIVE_HOURS, 100.0, None), week(100.0, 100)], false, "both are up");
    check(&[window(FIVE_HOURS, 100.0, None), week(40.0, 100)], false, "only the short one is");
    check(&[window(FIVE_HOURS, 10.0, None), week(40.0, 100)], false, "nothing is");
    check(&[week(100.0, 1)], false, "it resets within the hour");
    check(&[], false, "nothing is known");

    let mut pool = dry(&[("a", week_is_up())]);
    assert_eq!(pool.resettable(&Demand::default(), None, NOW), [], "there is no credit");
    let mut counted = week_is_up();
    counted.resets_left = Some(1);
    pool.apply_usage(&id("a"), counted, NOW);
    assert_eq!(pool.resettable(&Demand::default(), None, NOW).len(), 1, "one that is only counted");
    let old = At(NOW.0 + 61_000);
    assert_eq!(pool.resettable(&Demand::default(), Some(FRESH), old), [], "the reading is too old");
    let mut capped = week_is_up();
    capped.resets_left = Some(1);
    capped.spend = Some(SpendControl { reached: true, ..SpendControl::default() });
    pool.apply_usage(&id("a"), capped, NOW);
    assert_eq!(pool.resettable(&Demand::default(), None, NOW), [], "a spend cap is in the way, too");
}

#[test]
fn a_credit_is_allowed_by_its_setting_unless_the_journal_objects() {
    let mut pool = dry(&[("a", week_is_up())]);
    credits(&mut pool, "a", &[("c", 30)]);
    pool.set_settings(RotationSettings {
        reset_credits: ResetCreditUse::WhenDry,
        wait_for_reset: Some(Duration::from_secs(200 * 3600)),
        ..RotationSettings::default()
    });
    assert_eq!(told(&pool, "m", PlanRules::default()), steps(&[("resetCredit a", true), ("wait a", true)]));
    for why_not in [
        WhyNotAutomatic::RestsUntil(in_hours(1)),
        WhyNotAutomatic::OutcomeUnknown,
        WhyNotAutomatic::DidNotHelp,
    ] {
        let rules = PlanRules { credits: Some(why_not), ..PlanRules::default() };
        assert_eq!(told(&pool, "m", rules)[0], ("resetCredit a".to_owned(), false));
        let plan = pool.plan(&Demand::default(), rules, NOW);
        assert!(plan[0].reason.ends_with(&why_not.words(NOW)), "{}", plan[0].reason);
    }
}

#[test]
fn accounts_that_are_out_are_read_again_unless_a_reading_after_the_refusal_is_fresh() {
    let mut pool = pool_of(&["a", "b"]);
    let unread = |pool: &Pool, at: At| pool.unread_and_out(&Demand::default(), FRESH, at);
    assert_eq!(unread(&pool, NOW), []);
    pool.apply_usage(&id("a"), week_is_up(), NOW);
    refuse(&mut pool, "a", &limited());
    assert_eq!(unread(&pool, NOW), [id("a")], "what was read before the refusal");
    let after = At(NOW.0 + 1000);
    pool.apply_usage(&id("a"), reading(&[window(WEEK, 100.0, None)], after), after);
    assert_eq!(unread(&pool, after), []);
    assert_eq!(unread(&pool, At(after.0 + 60_001)), [id("a")]);
}
