//! The promises to users, checked over days of use with two windows, two sessions and every strategy. The naive pool
//! checks which account is chosen; this checks which may never be.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::{Just, any, prop_oneof, proptest};
use proptest::strategy::Strategy as Generator;

use super::generated::any_settings;
use super::*;
use crate::pool::testing::{credential, failure, pool_of, reading, window};

#[derive(Clone, Debug)]
enum Event {
    Pass(i64),
    Complete { session: Option<bool>, fails: Vec<Outcome> },
    Read { who: usize, day: f64, week: f64, week_resets_in: i64 },
    Disable { who: usize, disabled: bool },
    Login { who: usize },
    Pin { who: usize },
    Reset,
}

fn any_event() -> impl Generator<Value = Event> {
    let outcome = prop_oneof![
        4 => proptest::option::of(1..5 * HOUR).prop_map(|quoted| Outcome::UsageLimit { quoted }),
        2 => proptest::option::of(0..600u64).prop_map(|retry_after| Outcome::RateLimit { retry_after }),
        2 => Just(Outcome::Fails(FailureKind::ServerError)),
        1 => Just(Outcome::Fails(FailureKind::WorkspaceDenied)),
        1 => Just(Outcome::Fails(FailureKind::LoginRequired)),
    ];
    let used = || prop_oneof![Just(0.0), Just(50.0), Just(95.0), Just(100.0)];
    prop_oneof![
        4 => prop_oneof![0..20 * SECOND, 0..20 * HOUR].prop_map(Event::Pass),
        9 => (proptest::option::of(any::<bool>()), proptest::collection::vec(outcome, 0..5))
            .prop_map(|(session, fails)| Event::Complete { session, fails }),
        5 => (0..4usize, used(), used(), 1..150i64).prop_map(|(who, day, week, hours)| {
            Event::Read { who, day, week, week_resets_in: hours * HOUR }
        }),
        1 => (0..4usize, any::<bool>()).prop_map(|(who, disabled)| Event::Disable { who, disabled }),
        2 => (0..4usize).prop_map(|who| Event::Login { who }),
        1 => (0..4usize).prop_map(|who| Event::Pin { who }),
        1 => Just(Event::Reset),
    ]
}

struct Days {
    pool: Pool,
    now: At,
    /// The week's reset in the last reading, of accounts whose week was used up in it.
    week_is_up_until: HashMap<AccountId, At>,
    /// Refused with a limit in that state: not to be tried before the reset.
    barred_until: HashMap<AccountId, At>,
    /// Who served each session last, and when.
    seats: HashMap<String, (AccountId, At)>,
    logins: i64,
}

impl Days {
    fn can_be_used(&self, id: &AccountId) -> bool {
        self.pool.get(id).is_some_and(|account| account.state(self.now) == State::Ready)
    }

    /// Returns whether a session may leave this account by itself, because the account is used only as a last resort.
    fn is_second_choice(&self, id: &AccountId) -> bool {
        let Some(account) = self.pool.get(id) else { return true };
        let reserve = self.pool.settings().reserve_percent;
        let windows = account.health.usage.as_ref().map_or(&[][..], |usage| &usage.windows);
        account.backoff_until(self.now).is_some()
            || windows.iter().any(|window| reserve > 0.0 && 100.0 - window.used_at(self.now) < reserve)
    }

    fn complete(&mut self, session: Option<bool>, fails: &[Outcome]) {
        let session = session.map(|one| if one { "one" } else { "two" }.to_owned());
        let sticks = self.pool.settings().affinity == AffinityMode::Session;
        let seat = session.as_ref().filter(|_| sticks).and_then(|session| self.seats.get(session)).cloned();
        let seat =
            seat.filter(|(_, at)| self.now.since(*at) < Duration::from_secs(24 * 3600)).map(|(id, _)| id);
        let may_leave = |days: &Days, seat: &AccountId| {
            days.pool.pinned().is_some_and(|pin| pin != seat)
                || !days.can_be_used(seat)
                || days.is_second_choice(seat)
        };
        let has_to_stay = seat.filter(|seat| !may_leave(self, seat));
        let mut failover = Failover::new(Demand { session: session.clone(), ..Demand::default() });
        let mut tried: Vec<AccountId> = Vec::new();
        let mut fails = fails.iter();
        loop {
            let ready: Vec<AccountId> = NAMES
                .iter()
                .map(|name| id(name))
                .filter(|id| self.can_be_used(id) && !tried.contains(id))
                .collect();
            let next = failover.next(&mut self.pool, self.now);
            let Next::Attempt { account, .. } = next else {
                let allowed = usize::try_from(self.pool.settings().max_attempts).expect("small");
                assert!(ready.is_empty() || tried.len() >= allowed, "{ready:?} were not tried");
                return;
            };
            // An account that failed for a moment gets one further attempt after all others were tried.
            let is_again = tried.contains(&account);
            assert!(ready.contains(&account) || is_again && ready.is_empty(), "{account} before {ready:?}");
            if let Some(until) = self.barred_until.get(&account) {
                assert!(self.now >= *until, "{account} is used up until {until:?}");
            }
            if let Some(seat) = has_to_stay.as_ref().filter(|_| tried.is_empty()) {
                assert_eq!(*seat, account, "the session was moved for no reason");
            }
            match fails.next() {
                Some(&outcome) => self.refuse(&mut failover, &account, outcome),
                None => {
                    failover.accepted(&mut self.pool, self.now);
                    failover.succeeded(&mut self.pool, self.now);
                    if let Some(session) = session {
                        self.seats.insert(session, (account, self.now));
                    }
                    return;
                }
            }
            tried.push(account);
        }
    }

    fn refuse(&mut self, failover: &mut Failover, account: &AccountId, outcome: Outcome) {
        let refusal = match outcome {
            Outcome::UsageLimit { quoted } => {
                if let Some(until) = self.week_is_up_until.get(account) {
                    self.barred_until.insert(account.clone(), *until);
                }
                let resets_at = quoted.map(|ms| At(self.now.0 + ms));
                Failure { resets_at, ..failure(FailureKind::UsageLimit) }
            }
            Outcome::RateLimit { retry_after } => Failure {
                retry_after: retry_after.map(Duration::from_secs),
                ..failure(FailureKind::RateLimit)
            },
            Outcome::Fails(kind) => failure(kind),
            Outcome::Success => unreachable!("not generated"),
        };
        failover.failed(&mut self.pool, &refusal, self.now);
    }

    fn live(&mut self, event: &Event) {
        match event {
            Event::Pass(ms) => self.now = At(self.now.0 + ms),
            Event::Complete { session, fails } => self.complete(*session, fails),
            &Event::Read { who, day, week, week_resets_in } => {
                let who = id(NAMES[who]);
                let resets_at = At(self.now.0 + week_resets_in);
                let windows = [
                    window(FIVE_HOURS, day, Some(At(self.now.0 + 5 * HOUR))),
                    window(WEEK, week, Some(resets_at)),
                ];
                self.pool.apply_usage(&who, reading(&windows, self.now), self.now);
                // The reading of the week is newer than the evidence for the bar.
                self.barred_until.remove(&who);
                self.week_is_up_until.remove(&who);
                if week >= 100.0 {
                    self.week_is_up_until.insert(who, resets_at);
                }
            }
            &Event::Disable { who, disabled } => self.pool.set_disabled(&id(NAMES[who]), disabled),
            &Event::Login { who } => {
                self.logins += 1;
                self.pool.set_credential(&id(NAMES[who]), credential(NAMES[who], self.logins));
            }
            &Event::Pin { who } => self.pool.pin(&id(NAMES[who])),
            Event::Reset => {
                self.pool.reset(ResetScope::All, self.now);
                self.barred_until.clear();
            }
        }
    }
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]
    #[test]
    fn promises_are_kept_through_days_of_use(
        settings in any_settings(),
        events in proptest::collection::vec(any_event(), 1..80),
    ) {
        let mut pool = pool_of(&NAMES);
        pool.set_settings(settings);
        let mut days = Days {
            pool,
            now: At(20_000 * HOUR),
            week_is_up_until: HashMap::new(),
            barred_until: HashMap::new(),
            seats: HashMap::new(),
            logins: 1,
        };
        for event in &events {
            days.live(event);
        }
    }
}
