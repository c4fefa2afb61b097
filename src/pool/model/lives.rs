//! Applies events to both pools and checks that they agree.

use std::time::Duration;

use super::*;
use crate::pool::testing::{credential, failure, pool_of, reading, window};

#[derive(Clone, Debug)]
pub(crate) enum Event {
    Pass(i64),
    Complete { session: bool, model: bool, outcomes: Vec<Outcome> },
    Read { who: usize, used: f64, resets_in: i64, requested_ago: i64 },
    Disable { who: usize, disabled: bool },
    Login { who: usize },
    Pin { who: usize },
    Reset,
}

fn as_failure(outcome: Outcome, now: i64) -> Failure {
    match outcome {
        Outcome::UsageLimit { quoted } => {
            Failure { resets_at: quoted.map(|ms| At(now + ms)), ..failure(FailureKind::UsageLimit) }
        }
        Outcome::RateLimit { retry_after } => {
            Failure { retry_after: retry_after.map(Duration::from_secs), ..failure(FailureKind::RateLimit) }
        }
        Outcome::Fails(kind) => failure(kind),
        Outcome::Success => unreachable!("a success is no failure"),
    }
}

/// Runs one completion in both.
fn complete(pool: &mut Pool, model: &mut Model, session: bool, with_model: bool, outcomes: &[Outcome]) {
    let demand = Demand {
        account: None,
        session: session.then(|| "s".to_owned()),
        model: with_model.then(|| "m".to_owned()),
    };
    let now = At(model.now);
    let ranked_first = pool.ranking(&demand, now).into_iter().find(|ranked| ranked.rank == Some(1));
    let active = pool.active(now);
    let mut failover = Failover::new(demand);
    let (mut tried, mut transient, mut tried_again) = (Vec::new(), Vec::new(), false);
    for step in 0.. {
        let drained = |who: usize| {
            let account = &model.accounts[who];
            account.disabled || account.shut || model.cooling(who).is_some_and(|cooling| cooling.usage)
        };
        if model.pin.is_some_and(drained) {
            model.pin = None;
        }
        let available: Vec<usize> = (0..4).filter(|&who| model.available(who, with_model)).collect();
        let fresh: Vec<usize> = available.iter().copied().filter(|who| !tried.contains(who)).collect();
        let again: Vec<usize> = available.iter().copied().filter(|who| transient.contains(who)).collect();
        let refused: Vec<usize> = (0..4)
            .filter(|&who| with_model && model.available(who, false) && !tried.contains(&who))
            .collect();
        let next = failover.next(pool, now);
        let expected = if !fresh.is_empty() {
            let allowed = usize::try_from(model.settings.max_attempts).expect("small");
            model.pick(fresh, session).filter(|_| tried.len() < allowed)
        } else if !refused.is_empty()
            && tried.len() < usize::try_from(model.settings.max_attempts).expect("small")
        {
            model.pick(refused, session)
        } else if !tried_again && !again.is_empty() {
            tried_again = true;
            model.pick(again, session)
        } else {
            None
        };
        if step == 0 {
            let first = ranked_first.as_ref().map(|ranked| ranked.account.clone());
            assert_eq!(first, expected.filter(|_| !available.is_empty()).map(|who| id(NAMES[who])));
            if !session && !with_model {
                assert_eq!(active, first);
            }
        }
        let Some(who) = expected else {
            assert!(matches!(next, Next::Stop(_)), "{next:?}");
            return check_ending(&next, model, with_model, step);
        };
        assert_eq!(next, Next::Attempt { account: id(NAMES[who]), attempt: step + 1 });
        assert!(step < model.settings.max_attempts + 3);
        if !tried.contains(&who) {
            tried.push(who);
        }
        transient.retain(|held| *held != who);
        model.choices += 1;
        model.accounts[who].chosen = model.choices;
        let outcome = outcomes[usize::try_from(step).expect("small") % outcomes.len()];
        let held = model.cooling(who);
        model_and_pool(pool, model, &mut failover, who, outcome, with_model);
        if session && matches!(outcome, Outcome::Success) {
            model.seat = Some((who, model.now));
        }
        if let (Some(before), Some(after)) = (held, model.cooling(who)) {
            assert!(before.certainty == Certainty::Guess || after.until >= before.until);
        }
        if matches!(outcome, Outcome::Success) {
            return;
        }
        if matches!(outcome, Outcome::Fails(FailureKind::ServerError)) {
            transient.push(who);
        }
    }
}

fn model_and_pool(
    pool: &mut Pool,
    model: &mut Model,
    failover: &mut Failover,
    who: usize,
    outcome: Outcome,
    with_model: bool,
) {
    let now = At(model.now);
    match outcome {
        Outcome::Success => {
            failover.accepted(pool, now);
            failover.succeeded(pool, now);
            if with_model {
                model.accounts[who].refused_model_until = 0;
            }
        }
        other => {
            failover.failed(pool, &as_failure(other, model.now), now);
        }
    }
    if !matches!(outcome, Outcome::Fails(FailureKind::ModelUnsupported)) || with_model {
        model.fail(who, outcome);
    }
}

fn check_ending(next: &Next, model: &Model, with_model: bool, attempts: u32) {
    let Next::Stop(ending) = next else { return };
    let ready = (0..4).any(|who| model.available(who, false));
    let returns = (0..4).filter(|&who| {
        let account = &model.accounts[who];
        !account.disabled && !account.shut
    });
    let earliest = returns.filter_map(|who| model.cooling(who)).map(|cooling| At(cooling.until)).min();
    let expected = match (ready, earliest) {
        (true, _) => (EndingKind::LastFailure, None),
        (false, Some(at)) => (EndingKind::NoAvailableAccount, Some(at)),
        (false, None) if ending.kind == EndingKind::LoginRequired => (EndingKind::LoginRequired, None),
        (false, None) => (EndingKind::NoAvailableAccount, None),
    };
    assert_eq!((ending.kind, ending.retry_at), expected, "{model:?} {with_model} {attempts}");
}

fn live(pool: &mut Pool, model: &mut Model, event: &Event) {
    let now = At(model.now);
    match event {
        Event::Pass(ms) => model.now += ms,
        Event::Complete { session, model: with_model, outcomes } => {
            complete(pool, model, *session, *with_model, outcomes);
        }
        &Event::Read { who, used, resets_in, requested_ago } => {
            let mut read = reading(&[window(WEEK, used, Some(At(model.now + resets_in)))], now);
            read.requested_at = At(model.now - requested_ago);
            pool.apply_usage(&id(NAMES[who]), read, now);
            model.read(who, used, model.now + resets_in, model.now - requested_ago);
        }
        &Event::Disable { who, disabled } => {
            pool.set_disabled(&id(NAMES[who]), disabled);
            model.accounts[who].disabled = disabled;
            model.pin = model.pin.filter(|pin| !(disabled && *pin == who));
        }
        &Event::Login { who } => {
            model.logins += 1;
            pool.set_credential(&id(NAMES[who]), credential(NAMES[who], model.logins));
            model.accounts[who].shut = false;
        }
        &Event::Pin { who } => {
            pool.pin(&id(NAMES[who]));
            model.pin = Some(who);
        }
        Event::Reset => {
            pool.reset(ResetScope::All, now);
            model.pin = None;
            for account in &mut model.accounts {
                (account.cooling, account.backoff, account.refused_model_until) = (None, None, 0);
            }
            // The pool orders what it learns in the same millisecond; the naive one does not.
            model.now += 1;
        }
    }
    for (who, name) in NAMES.iter().enumerate() {
        let account = pool.get(&id(name)).expect("nobody leaves");
        assert_eq!(
            account.cooldown_until(At(model.now)),
            model.cooling(who).map(|cooling| At(cooling.until)),
            "{name}"
        );
    }
    assert_eq!(pool.pinned(), model.pin.map(|pin| id(NAMES[pin])).as_ref());
}

/// Applies all events to both, and returns the pools.
pub(crate) fn live_through(settings: RotationSettings, events: &[Event]) -> (Pool, Model) {
    let mut pool = pool_of(&NAMES);
    pool.set_settings(settings.clone());
    let now = 20_000 * HOUR;
    let mut model = Model {
        accounts: [Naive::default(); 4],
        pin: None,
        seat: None,
        choices: 0,
        logins: 1,
        settings,
        now,
    };
    for event in events {
        live(&mut pool, &mut model, event);
    }
    (pool, model)
}
