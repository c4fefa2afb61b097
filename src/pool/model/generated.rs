//! Lives made up by proptest.

use proptest::prelude::{Just, any, prop_oneof, proptest};
use proptest::sample::select;
use proptest::strategy::Strategy as Generator;

use super::lives::{Event, live_through};
use super::*;

pub(crate) fn any_event() -> impl Generator<Value = Event> {
    let outcome = prop_oneof![
        4 => Just(Outcome::Success),
        3 => proptest::option::of(1..200 * HOUR).prop_map(|quoted| Outcome::UsageLimit { quoted }),
        2 => proptest::option::of(0..600u64).prop_map(|retry_after| Outcome::RateLimit { retry_after }),
        3 => Just(Outcome::Fails(FailureKind::ServerError)),
        1 => Just(Outcome::Fails(FailureKind::ModelUnsupported)),
        1 => Just(Outcome::Fails(FailureKind::WorkspaceDenied)),
        1 => Just(Outcome::Fails(FailureKind::LoginRequired)),
        1 => Just(Outcome::Fails(FailureKind::Deactivated)),
    ];
    let used = prop_oneof![Just(0.0), Just(50.0), Just(95.0), Just(100.0)];
    prop_oneof![
        4 => prop_oneof![0..20 * SECOND, 0..20 * HOUR].prop_map(Event::Pass),
        8 => (any::<bool>(), any::<bool>(), proptest::collection::vec(outcome, 1..6))
            .prop_map(|(session, model, outcomes)| Event::Complete { session, model, outcomes }),
        4 => (0..4usize, used, 1..100i64, 0..20 * SECOND).prop_map(|(who, used, hours, requested_ago)| {
            Event::Read { who, used, resets_in: hours * HOUR, requested_ago }
        }),
        1 => (0..4usize, any::<bool>()).prop_map(|(who, disabled)| Event::Disable { who, disabled }),
        2 => (0..4usize).prop_map(|who| Event::Login { who }),
        1 => (0..4usize).prop_map(|who| Event::Pin { who }),
        1 => Just(Event::Reset),
    ]
}

pub(crate) fn any_settings() -> impl Generator<Value = RotationSettings> {
    (select(&Strategy::ALL), select(&AffinityMode::ALL), 1..6u32, prop_oneof![Just(0.0), Just(10.0)])
        .prop_map(|(strategy, affinity, max_attempts, reserve_percent)| {
            let priority = [(id("b"), 7), (id("c"), -7)].into();
            RotationSettings {
                strategy,
                affinity,
                max_attempts,
                reserve_percent,
                priority,
                ..RotationSettings::default()
            }
        })
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]
    #[test]
    fn the_pool_lives_like_the_naive_one(
        settings in any_settings(),
        events in proptest::collection::vec(any_event(), 1..60),
    ) {
        live_through(settings, &events);
    }
}
