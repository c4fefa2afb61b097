use super::*;
use crate::pool::testing::{reading, window};
use crate::pool::{AdditionalLimit, Certainty, Reserve, WEEK};
use proptest::prelude::*;

fn mark(since: i64, kind: FailureKind) -> HealthEvidence {
    HealthEvidence {
        kind,
        code: None,
        message: String::new(),
        since: At(since),
        source: Source::ResponseBody,
    }
}

fn any_mark() -> impl Strategy<Value = HealthEvidence> {
    let kinds = prop_oneof![Just(FailureKind::UsageLimit), Just(FailureKind::Deactivated)];
    (0..6i64, kinds).prop_map(|(since, kind)| mark(since, kind))
}

fn any_cooldown() -> impl Strategy<Value = Cooldown> {
    let certainty =
        prop_oneof![Just(Certainty::Guess), Just(Certainty::Prediction), Just(Certainty::Directive)];
    (any_mark(), certainty, 0..4i64, proptest::option::of(0..2i64)).prop_map(
        |(why, certainty, until, quoted)| Cooldown {
            until: At(until),
            certainty,
            quoted_reset: quoted.map(At),
            why,
        },
    )
}

/// There are only a few times, so evidence often has the same age, or is older than its withdrawal.
fn any_health() -> impl Strategy<Value = Health> {
    use proptest::option::of;
    let standing = prop_oneof![
        Just(HealthStatus::Good),
        any_mark().prop_map(HealthStatus::NeedsLogin),
        any_mark().prop_map(HealthStatus::Deactivated),
    ];
    let backoff = (any_mark(), 1..3u32, 0..3i64).prop_map(|(why, failures, until)| Backoff {
        until: At(until),
        failures,
        why,
    });
    let usage = (0..3i64, 0..3u8, any::<bool>(), 0..4u8).prop_map(|(at, used, lists, parts)| {
        let mut reading = reading(&[window(WEEK, f64::from(used), None)], At(at));
        let limit = |id: &str| AdditionalLimit {
            limit_id: id.into(),
            name: None,
            windows: reading.windows.clone(),
            refuses: false,
        };
        reading.limits = [limit("x"), limit("y")].into_iter().take(usize::from(parts)).collect();
        reading.lists_limits = lists;
        reading.resets_left = (parts > 0).then_some(u32::from(used));
        reading.reserve = (parts > 1).then_some(Reserve { granted: used > 1, ordinary_model: None });
        if parts == 3 {
            reading.windows.clear();
        }
        Usage::from(reading)
    });
    let times = (of(0..6i64), of(0..6i64), of(0..6i64));
    let limits = proptest::collection::vec((prop_oneof![Just("x"), Just("y")], any_cooldown()), 0..3);
    let models = proptest::collection::vec((prop_oneof![Just("m"), Just("n")], 0..5i64, 0..5i64), 0..3);
    (standing, of(any_cooldown()), limits, of(backoff), models, of(usage), times).prop_map(
        |(standing, cooldown, limits, backoff, models, usage, (reinstated, used, withdrawn))| {
            let mut health = Health {
                standing,
                reinstated_at: reinstated.map(At),
                cooldown,
                backoff,
                usage,
                last_used_at: used.map(At),
                withdrawn_at: withdrawn.map(At),
                ..Health::default()
            };
            for (limit, cooldown) in limits {
                if let Err(slot) = health.limit_slot(limit) {
                    health.limit_cooldowns.insert(slot, (limit.to_owned(), cooldown));
                }
            }
            for (model, until, since) in models {
                health.record_exclusion(ModelExclusion {
                    model: model.to_owned(),
                    until: At(until),
                    since: At(since),
                });
            }
            join(&Health::default(), &health)
        },
    )
}

fn join(a: &Health, b: &Health) -> Health {
    let mut joined = a.clone();
    joined.absorb(b);
    joined
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]
    #[test]
    fn joining_is_commutative_associative_and_idempotent(a in any_health(), b in any_health(), c in any_health()) {
        prop_assert_eq!(join(&a, &b), join(&b, &a));
        prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        prop_assert_eq!(join(&a, &a), a.clone());
        prop_assert_eq!(join(&join(&a, &b), &b), join(&a, &b));
    }
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]
    #[test]
    fn evidence_from_a_clock_that_was_ahead_stays_and_can_be_outweighed(
        health in any_health(), behind in 0..20_000i64, later in 1..60_000u64,
    ) {
        let now = At(-behind);
        let mut settled = health.clone();
        settled.clamp_future(now);
        // Merging it with itself, as the state directory does, loses nothing.
        prop_assert_eq!(&join(&settled, &settled), &settled);
        prop_assert_eq!(
            (settled.cooldown.is_some(), settled.backoff.is_some(), settled.limit_cooldowns.len()),
            (health.cooldown.is_some(), health.backoff.is_some(), health.limit_cooldowns.len())
        );
        let mut twice = settled.clone();
        twice.clamp_future(now);
        prop_assert_eq!(&twice, &settled);
        // Evidence that is learned later counts, whatever the clock showed before.
        let then = now + Duration::from_millis(6_000 + later);
        let mut learned = settled.clone();
        learned.usage = Some(Usage::from(reading(&[window(WEEK, 77.0, None)], then)));
        learned.needs_login(mark(then.0, FailureKind::LoginRequired));
        let joined = join(&settled, &learned);
        prop_assert_eq!(joined.usage.map(|usage| usage.fetched_at), Some(then));
        prop_assert_eq!(joined.standing, HealthStatus::NeedsLogin(mark(then.0, FailureKind::LoginRequired)));
    }
}

#[test]
fn what_was_made_good_stays_good_until_newer_evidence() {
    let mut mine = Health::default();
    mine.needs_login(mark(5, FailureKind::Unauthorized));
    let theirs = mine.clone();
    assert!(mine.reinstate());
    assert_eq!(join(&mine, &theirs).standing, HealthStatus::Good);
    assert_eq!(join(&theirs, &mine).standing, HealthStatus::Good);
    assert!(!mine.reinstate());
    // Also with a clock that was set back.
    mine.needs_login(mark(3, FailureKind::LoginRequired));
    let joined = join(&theirs, &mine);
    assert_eq!(joined.standing, HealthStatus::NeedsLogin(mark(6, FailureKind::LoginRequired)));
}

#[test]
fn a_refusal_after_a_withdrawal_outlives_it() {
    let mut health = Health::default();
    let cooldown = Cooldown {
        until: At(1000),
        certainty: Certainty::Prediction,
        quoted_reset: None,
        why: mark(10, FailureKind::UsageLimit),
    };
    health.cool(None, cooldown.clone(), At(10));
    let mut remembered = health.clone();
    assert!(health.withdraw(At(10)));
    remembered.absorb(&health);
    assert_eq!(remembered.cooldown, None);
    health.cool(None, cooldown, At(10));
    let joined = join(&health, &health.clone());
    assert_eq!(joined.cooldown_of(None, At(11)).map(|cooldown| cooldown.until), Some(At(1000)));
}

#[test]
fn only_so_many_refused_models_are_remembered() {
    let mut health = Health::default();
    for i in 0..=MAX_MODEL_EXCLUSIONS {
        health.exclude_model(&format!("m{i}"), At(i64::try_from(i).unwrap_or(0)));
    }
    assert_eq!(health.model_exclusions.len(), MAX_MODEL_EXCLUSIONS);
    assert_eq!(
        (health.excluded_until("m0", At(1)), health.excluded_until("m1", At(1))),
        (None, Some(At(3_600_001)))
    );
}

#[test]
fn a_success_ends_the_back_off_that_another_sidecar_remembers() {
    let mut mine = Health::default();
    mine.back_off(mark(10, FailureKind::Network), At(10));
    let theirs = mine.clone();
    mine.succeed(At(11));
    assert_eq!(join(&mine, &theirs).backoff, None);
    assert_eq!(join(&theirs, &mine).backoff, None);
}
