use std::time::Duration;

use super::*;
use crate::pool::testing::{account, credential, failure, id, limited, pool_of, reading, window};
use crate::pool::{
    Credential, FailureKind, HealthEvidence, Reason, ResetScope, RotationSettings, Speaker, State, Strategy,
    WEEK,
};

const NOW: At = At(1_000_000_000);

fn in_secs(secs: i64) -> At {
    At(NOW.0 + secs * 1000)
}

fn attempt(name: &str, attempt: u32) -> Next {
    Next::Attempt { account: id(name), attempt }
}

fn last_failure() -> Next {
    stop(EndingKind::LastFailure, None)
}

fn moved(until: Option<i64>) -> AfterFailure {
    AfterFailure::Moved { until: until.map(in_secs), pin_cleared: false }
}

fn named(name: &str) -> Failover {
    Failover::new(Demand { account: Some(id(name)), ..Demand::default() })
}

fn for_model(model: &str) -> Failover {
    Failover::new(Demand { model: Some(model.into()), ..Demand::default() })
}

/// Runs a failover in which each attempt fails as given. Returns the steps, the last one included.
fn walk_through(failover: &mut Failover, pool: &mut Pool, failures: &[Failure]) -> Vec<Next> {
    let mut handed_out = Vec::new();
    for failure in failures {
        handed_out.push(failover.next(pool, NOW));
        failover.failed(pool, failure, NOW);
    }
    handed_out.push(failover.next(pool, NOW));
    handed_out
}

#[test]
fn the_table() {
    let check = |failure: Failure, after: AfterFailure, state: State, backing_off: bool, next: Next| {
        let mut pool = pool_of(&["a", "b"]);
        let mut failover = for_model("m");
        assert_eq!(failover.next(&mut pool, NOW), attempt("a", 1));
        assert_eq!(failover.failed(&mut pool, &failure, NOW), after, "{failure:?}");
        let a = pool.get(&id("a")).expect("a stays");
        assert_eq!((a.state(NOW), a.backoff_until(NOW).is_some()), (state, backing_off), "{failure:?}");
        assert_eq!(failover.next(&mut pool, NOW), next, "{failure:?}");
    };
    use FailureKind::*;
    let b = || attempt("b", 2);
    let quoting = |kind, secs| Failure { resets_at: Some(in_secs(secs)), ..failure(kind) };
    let after = |kind, secs| Failure { retry_after: Some(Duration::from_secs(secs)), ..failure(kind) };

    check(quoting(UsageLimit, 90_000), moved(Some(90_000)), State::Cooling, false, b());
    check(failure(UsageLimit), moved(Some(3600)), State::Cooling, false, b());
    check(quoting(Credits, 50), moved(Some(50)), State::Cooling, false, b());
    check(after(RateLimit, 2), moved(Some(2)), State::Cooling, false, b());
    check(failure(LoginRequired), moved(None), State::NeedsLogin, false, b());
    check(failure(Deactivated), moved(None), State::Deactivated, false, b());
    for kind in [WorkspaceDenied, TokenUnavailable, Storage, OutcomeUnknown] {
        check(failure(kind), moved(None), State::Ready, false, b());
    }
    for kind in
        [Overloaded, ServerError, Network, Challenge, StreamInterrupted, IdleTimeout, UpstreamProtocol]
    {
        check(failure(kind), moved(Some(30)), State::Ready, true, b());
    }
    check(failure(ModelUnsupported), moved(Some(3600)), State::Ready, false, b());
    for kind in [RequestRejected, ContextLengthExceeded] {
        check(failure(kind), AfterFailure::Surface, State::Ready, false, last_failure());
    }
}

#[test]
fn a_401_is_replayed_once_and_then_needs_a_login() {
    let mut pool = pool_of(&["a", "b"]);
    let mut failover = Failover::new(Demand::default());
    let refused = Failure { speaker: Speaker::Upstream, ..failure(FailureKind::Unauthorized) };
    assert_eq!(failover.next(&mut pool, NOW), attempt("a", 1));
    assert_eq!(failover.failed(&mut pool, &refused, NOW), AfterFailure::Replay);
    assert_eq!(failover.attempts(), 1);
    assert_eq!(failover.failed(&mut pool, &refused, NOW), moved(None));
    let mark = pool.get(&id("a")).and_then(|a| a.reason(NOW)).expect("a reason").clone();
    assert_eq!((mark.kind, mark.since), (FailureKind::Unauthorized, NOW));
    assert_eq!(failover.next(&mut pool, NOW), attempt("b", 2));
    assert_eq!(failover.failed(&mut pool, &refused, NOW), AfterFailure::Replay, "b has a replay of its own");
    assert_eq!(failover.failed(&mut pool, &limited(), NOW), moved(Some(3600)));
    assert_eq!(failover.next(&mut pool, NOW), stop(EndingKind::NoAvailableAccount, Some(in_secs(3600))));

    pool.set_credential(&id("a"), credential("a", 2));
    assert_eq!(pool.get(&id("a")).map(|a| a.state(NOW)), Some(State::Ready));
}

#[test]
fn a_401_without_a_code_costs_no_login_and_pauses_refreshes() {
    let mut pool = pool_of(&["a", "b", "c"]);
    let refused = failure(FailureKind::Unauthorized);
    let mut failover = Failover::new(Demand::default());
    for (name, replayed) in [("a", true), ("b", true), ("c", false)] {
        let Next::Attempt { account, .. } = failover.next(&mut pool, NOW) else { panic!("an attempt") };
        assert_eq!(account, id(name));
        let mut after = failover.failed(&mut pool, &refused, NOW);
        if replayed {
            assert_eq!(after, AfterFailure::Replay, "{name}");
            after = failover.failed(&mut pool, &refused, NOW);
        }
        assert_eq!(after, moved(Some(30)), "{name}");
        assert_eq!(pool.get(&account).map(|account| account.state(NOW)), Some(State::Ready));
    }
    // Upstream's own answer ends the pause.
    let mut failover = Failover::new(Demand::default());
    failover.next(&mut pool, NOW);
    failover.failed(
        &mut pool,
        &Failure { speaker: Speaker::Upstream, ..failure(FailureKind::Overloaded) },
        NOW,
    );
    let mut failover = named("a");
    failover.next(&mut pool, NOW);
    assert_eq!(failover.failed(&mut pool, &refused, NOW), AfterFailure::Replay);
}

#[test]
fn a_limit_of_the_organization_rests_every_account_of_the_workspace() {
    let mut pool = pool_of(&["a", "b", "c"]);
    for name in ["a", "b"] {
        pool.update(&id(name), |account| {
            account.identity.workspace_id = Some("shared".to_owned());
            true
        });
    }
    let limit =
        Failure { whole_workspace: true, resets_at: Some(in_secs(99)), ..failure(FailureKind::Credits) };
    let mut failover = Failover::new(Demand::default());
    assert_eq!(failover.next(&mut pool, NOW), attempt("a", 1));
    assert_eq!(failover.failed(&mut pool, &limit, NOW), moved(Some(99)));
    let states = ["a", "b", "c"].map(|name| pool.get(&id(name)).map(|account| account.state(NOW)));
    assert_eq!(states, [Some(State::Cooling), Some(State::Cooling), Some(State::Ready)]);
    assert_eq!(failover.next(&mut pool, NOW), attempt("c", 2));
}

#[test]
fn an_account_with_an_expired_token_that_cannot_be_refreshed_is_tried_last() {
    let mut pool = pool_of(&["a", "b"]);
    let why = HealthEvidence::of(&failure(FailureKind::TokenUnavailable), NOW);
    for name in ["a", "b"] {
        pool.set_credential(&id(name), Credential { expires_at: in_secs(60), ..credential(name, 1) });
    }
    pool.set_refresh_failed(&id("a"), why.clone());
    assert_eq!(pool.active(NOW), Some(id("a")), "its token still lives");
    let later = in_secs(60);
    pool.set_credential(&id("b"), Credential { expires_at: At(later.0 + 1), ..credential("b", 2) });
    assert_eq!(pool.active(later), Some(id("b")));
    let ranked = pool.ranking(&Demand::default(), later);
    assert_eq!((&ranked[1].account, ranked[1].reasons[0]), (&id("a"), Reason::NoToken));
    assert_eq!(pool.get(&id("a")).and_then(|account| account.reason(later)), Some(&why));
    pool.set_disabled(&id("b"), true);
    assert_eq!(pool.active(later), Some(id("a")), "nothing else is left");
    pool.set_disabled(&id("b"), false);
    pool.set_credential(&id("a"), Credential { expires_at: At(later.0 + 1), ..credential("a", 3) });
    assert_eq!(pool.active(later), Some(id("a")));
}

#[test]
fn another_account_is_one_that_would_take_over_at_once() {
    let check = |names: &[&str], max: u32, demand: Demand, cooling: &[&str], expected: bool| {
        let mut pool = pool_of(names);
        pool.set_settings(RotationSettings { max_attempts: max, ..RotationSettings::default() });
        for &name in cooling {
            let mut failover = Failover::new(Demand { account: Some(id(name)), ..Demand::default() });
            failover.next(&mut pool, NOW);
            failover.failed(&mut pool, &limited(), NOW);
        }
        let mut failover = Failover::new(demand);
        failover.next(&mut pool, NOW);
        assert_eq!(failover.has_another(&pool, NOW), expected, "{names:?} {max} {cooling:?}");
    };
    check(&["a", "b"], 6, Demand::default(), &[], true);
    check(&["a"], 6, Demand::default(), &[], false);
    check(&["a", "b"], 1, Demand::default(), &[], false);
    check(&["a", "b"], 6, Demand::default(), &["b"], false);
    check(&["a", "b"], 6, Demand { account: Some(id("a")), ..Demand::default() }, &[], false);
}

#[test]
fn how_a_walk_ends() {
    let check = |names: &[&str], max: u32, failures: &[Failure], expected: &[Next]| {
        let mut pool = pool_of(names);
        pool.set_settings(RotationSettings { max_attempts: max, ..RotationSettings::default() });
        assert_eq!(walk_through(&mut for_model("m"), &mut pool, failures), expected, "{failures:?}");
    };
    use FailureKind::*;
    let none = |secs| stop(EndingKind::NoAvailableAccount, Some(in_secs(secs)));
    let quoting = |secs| Failure { resets_at: Some(in_secs(secs)), ..limited() };
    let (a, b) = (attempt("a", 1), attempt("b", 2));

    check(&[], 6, &[], &[stop(EndingKind::NoAvailableAccount, None)]);
    check(&["a", "b"], 6, &[quoting(70), quoting(50)], &[a.clone(), b.clone(), none(50)]);
    check(&["a", "b"], 6, &[failure(LoginRequired), quoting(50)], &[a.clone(), b.clone(), none(50)]);
    let login = stop(EndingKind::LoginRequired, None);
    check(&["a", "b"], 6, &[failure(LoginRequired), failure(Deactivated)], &[a.clone(), b.clone(), login]);
    check(&["a"], 6, &[failure(Deactivated)], &[a.clone(), stop(EndingKind::NoAvailableAccount, None)]);
    // One further attempt after transient failures, on the account with the shorter back-off, and no third one.
    let down = || failure(ServerError);
    check(
        &["a", "b"],
        6,
        &[down(), down(), down()],
        &[a.clone(), b.clone(), attempt("a", 3), last_failure()],
    );
    check(
        &["a", "b"],
        6,
        &[down(), limited(), down()],
        &[a.clone(), b.clone(), attempt("a", 3), last_failure()],
    );
    check(&["a"], 1, &[down(), down()], &[a.clone(), attempt("a", 2), last_failure()]);
    // With accounts left, the number of attempts is what is used up.
    check(&["a", "b", "c"], 2, &[limited(), limited()], &[a.clone(), b.clone(), last_failure()]);
    check(&["a", "b", "c"], 2, &[down(), down()], &[a.clone(), b.clone(), last_failure()]);
    check(&["a", "b"], 2, &[limited(), quoting(9)], &[a.clone(), b.clone(), none(9)]);
    // An account that was denied is not tried again, and is not out.
    check(&["a", "b"], 6, &[failure(WorkspaceDenied), quoting(9)], &[a.clone(), b.clone(), last_failure()]);
    check(
        &["a", "b"],
        6,
        &[failure(ModelUnsupported), failure(ModelUnsupported)],
        &[a.clone(), b.clone(), last_failure()],
    );
    check(&["a", "b"], 6, &[failure(TokenUnavailable), failure(Storage)], &[a, b, last_failure()]);
}

#[test]
fn accounts_that_refused_a_model_are_asked_again_one_after_the_other() {
    let mut pool = pool_of(&["a", "b"]);
    let refused = failure(FailureKind::ModelUnsupported);
    walk_through(&mut for_model("m"), &mut pool, &[refused.clone(), refused.clone()]);
    let again = walk_through(&mut for_model("m"), &mut pool, &[refused.clone(), refused.clone()]);
    assert_eq!(again, [attempt("a", 1), attempt("b", 2), last_failure()]);
    let until = |pool: &Pool| pool.get(&id("b")).and_then(|account| account.health.excluded_until("m", NOW));
    assert_eq!(until(&pool), Some(in_secs(600)), "all refused it");
    pool.reset(ResetScope::Quota, NOW);
    assert_eq!(until(&pool), None);
    walk_through(&mut for_model("m"), &mut pool, std::slice::from_ref(&refused));
    assert_eq!(for_model("m").next(&mut pool, in_secs(1)), attempt("b", 1));
    assert_eq!(for_model("other").next(&mut pool, NOW), attempt("a", 1));
    pool.set_disabled(&id("a"), true);
    let hour_later = in_secs(3600);
    assert_eq!(for_model("m").next(&mut pool, hour_later), attempt("b", 1));
}

#[test]
fn a_limit_of_its_own_binds_only_the_models_that_hit_it() {
    let mut pool = pool_of(&["a", "b"]);
    pool.set_settings(RotationSettings { strategy: Strategy::ResetFirst, ..RotationSettings::default() });
    let own = Failure { limit_id: Some("codex_bengalfox".into()), ..limited() };
    let walked = walk_through(&mut for_model("spark"), &mut pool, &[own.clone(), own]);
    let out = stop(EndingKind::NoAvailableAccount, Some(in_secs(3600)));
    assert_eq!(walked, [attempt("a", 1), attempt("b", 2), out.clone()]);
    assert_eq!(for_model("spark").next(&mut pool, NOW), out);
    assert_eq!(for_model("sol").next(&mut pool, NOW), attempt("a", 1));
    assert_eq!(pool.get(&id("a")).map(|a| a.state(NOW)), Some(State::Ready));

    // The main limit does not affect a model that has its own limit.
    pool.reset(crate::pool::ResetScope::Quota, NOW);
    walk_through(&mut for_model("sol"), &mut pool, &[limited(), limited()]);
    assert_eq!(for_model("spark").next(&mut pool, NOW), attempt("a", 1));
    let main = Failure { limit_id: Some("codex".into()), ..limited() };
    walk_through(&mut for_model("luna"), &mut pool, &[main]);
    assert_eq!(pool.limit_of("luna"), None);
}

#[test]
fn a_named_account_is_tried_alone_unless_it_cannot_be() {
    let unavailable = |until: Option<i64>| stop(EndingKind::AccountUnavailable, until.map(in_secs));
    let check = |before: &[Failure], expected: Next| {
        let mut pool = pool_of(&["a", "b"]);
        let mut failover = named("a");
        for failure in before {
            failover.next(&mut pool, NOW);
            failover.failed(&mut pool, failure, NOW);
        }
        assert_eq!(named("a").next(&mut pool, NOW), expected, "{before:?}");
    };
    use FailureKind::*;
    let ordered = Failure { retry_after: Some(Duration::from_secs(7)), ..failure(RateLimit) };
    check(&[], attempt("a", 1));
    check(&[limited()], attempt("a", 1));
    check(&[Failure { resets_at: Some(in_secs(9)), ..limited() }], attempt("a", 1));
    check(&[failure(ModelUnsupported)], attempt("a", 1));
    check(&[failure(ServerError)], attempt("a", 1));
    check(&[ordered], unavailable(Some(7)));
    check(&[failure(LoginRequired)], unavailable(None));
    check(&[failure(Deactivated)], unavailable(None));

    let mut pool = pool_of(&["a", "b"]);
    let limit = Failure { resets_at: Some(in_secs(9)), ..limited() };
    let walked = walk_through(&mut named("a"), &mut pool, &[limit]);
    assert_eq!(walked, [attempt("a", 1), stop(EndingKind::LastFailure, Some(in_secs(9)))]);
    let down = failure(ServerError);
    let walked = walk_through(&mut named("b"), &mut pool, &[down.clone(), down]);
    assert_eq!(walked, [attempt("b", 1), attempt("b", 2), last_failure()]);
    assert_eq!(named("gone").next(&mut pool, NOW), unavailable(None));
    pool.set_disabled(&id("b"), true);
    assert_eq!(named("b").next(&mut pool, NOW), unavailable(None));
}

#[test]
fn a_pin_goes_first_and_is_given_up_for_quota_auth_or_deactivation() {
    let check = |failure: Failure, pin_cleared: bool| {
        let mut pool = pool_of(&["a", "b"]);
        pool.pin(&id("b"));
        let mut failover = Failover::new(Demand::default());
        assert_eq!(failover.next(&mut pool, NOW), attempt("b", 1));
        let after = failover.failed(&mut pool, &failure, NOW);
        assert!(
            matches!(after, AfterFailure::Moved { pin_cleared: told, .. } if told == pin_cleared),
            "{after:?}"
        );
        assert_eq!(pool.pinned().is_none(), pin_cleared, "{failure:?}");
        assert_eq!(failover.next(&mut pool, NOW), attempt("a", 2));
        assert_eq!(failover.pin_cleared(), None);
    };
    use FailureKind::*;
    for kind in [UsageLimit, Credits, LoginRequired, Deactivated] {
        check(failure(kind), true);
    }
    for kind in [RateLimit, ServerError, WorkspaceDenied, TokenUnavailable, ModelUnsupported] {
        check(failure(kind), false);
    }
}

#[test]
fn a_pin_that_is_drained_when_the_walk_begins_is_cleared_and_told_once() {
    let mut pool = pool_of(&["a", "b"]);
    walk_through(&mut named("b"), &mut pool, &[limited()]);
    pool.pin(&id("b"));
    let mut failover = Failover::new(Demand::default());
    assert_eq!(pool.active(NOW), Some(id("a")));
    assert_eq!(failover.next(&mut pool, NOW), attempt("a", 1));
    assert_eq!((failover.pin_cleared(), failover.pin_cleared(), pool.pinned()), (Some(id("b")), None, None));

    // A pause of seconds leaves it pinned.
    let pause = Failure { retry_after: Some(Duration::from_secs(5)), ..failure(FailureKind::RateLimit) };
    walk_through(&mut named("a"), &mut pool, &[pause]);
    pool.reset(crate::pool::ResetScope::Manual, NOW);
    pool.pin(&id("a"));
    let mut failover = Failover::new(Demand::default());
    assert_eq!(failover.next(&mut pool, NOW), stop(EndingKind::NoAvailableAccount, Some(in_secs(5))));
    assert_eq!((failover.pin_cleared(), pool.pinned()), (None, Some(&id("a"))));
}

#[test]
fn a_session_stays_with_its_account_while_that_can_be_used() {
    let mut pool = pool_of(&["a", "b"]);
    let session = || Failover::new(Demand { session: Some("s".into()), ..Demand::default() });
    let mut first = Failover::new(Demand { account: Some(id("b")), session: Some("s".into()), model: None });
    first.next(&mut pool, NOW);
    first.accepted(&mut pool, NOW);
    first.succeeded(&mut pool, NOW);
    assert_eq!(pool.session_account("s", NOW), Some(id("b")));
    assert_eq!(pool.get(&id("b")).and_then(|b| b.health.last_used_at), Some(NOW));
    assert_eq!(session().next(&mut pool, NOW), attempt("b", 1));
    assert_eq!(Failover::new(Demand::default()).next(&mut pool, NOW), attempt("a", 1));

    pool.pin(&id("a"));
    assert_eq!(session().next(&mut pool, NOW), attempt("a", 1), "a pin outweighs a session");
    pool.unpin();
    // A reading of 100 % or other windows do not move a session away; a refusal or trouble does.
    pool.apply_usage(&id("b"), reading(&[window(WEEK, 100.0, Some(in_secs(50)))], NOW), NOW);
    assert_eq!(session().next(&mut pool, NOW), attempt("b", 1));
    let moved_on = walk_through(&mut session(), &mut pool, &[failure(FailureKind::ServerError)]);
    assert_eq!(moved_on, [attempt("b", 1), attempt("a", 2)]);
    assert_eq!(session().next(&mut pool, NOW), attempt("a", 1));
    assert_eq!(session().next(&mut pool, in_secs(31)), attempt("b", 1));
}

#[test]
fn waiting_for_the_first_account_to_come_back() {
    let mut pool = pool_of(&["a", "b"]);
    let bound = Some(Duration::from_secs(60));
    pool.set_settings(RotationSettings { wait_for_reset: bound, ..RotationSettings::default() });
    let quoting = |secs| Failure { resets_at: Some(in_secs(secs)), ..limited() };
    let mut failover = Failover::new(Demand::default());
    let walked = walk_through(&mut failover, &mut pool, &[quoting(50), quoting(40)]);
    let wait = Next::Wait { account: id("b"), until: in_secs(40) };
    assert_eq!(walked[2], wait);
    assert_eq!(failover.next(&mut pool, in_secs(39)), wait, "asked too early");
    assert_eq!(failover.next(&mut pool, in_secs(40)), attempt("b", 3), "the account may be tried again");
    failover.failed(&mut pool, &quoting(55), in_secs(40));
    let ended = failover.next(&mut pool, in_secs(40));
    assert_eq!(ended, stop(EndingKind::NoAvailableAccount, Some(in_secs(50))), "but it waits only once");

    let mut pool = pool_of(&["a"]);
    pool.set_settings(RotationSettings { wait_for_reset: bound, ..RotationSettings::default() });
    let walked = walk_through(&mut Failover::new(Demand::default()), &mut pool, &[quoting(61)]);
    assert_eq!(walked[1], stop(EndingKind::NoAvailableAccount, Some(in_secs(61))));
    let walked = walk_through(&mut named("a"), &mut pool, &[quoting(30)]);
    assert_eq!(walked[1], stop(EndingKind::LastFailure, Some(in_secs(61))), "a longer report stands");
}

#[test]
fn waiting_is_for_accounts_that_may_be_tried_again() {
    let check = |max_attempts, failures: &[Failure], later: i64, expected: [Next; 2]| {
        let mut pool = pool_of(&["a", "b"]);
        let bound = Some(Duration::from_secs(60));
        pool.set_settings(RotationSettings {
            wait_for_reset: bound,
            max_attempts,
            ..RotationSettings::default()
        });
        let mut failover = Failover::new(Demand::default());
        let last = walk_through(&mut failover, &mut pool, failures).pop().expect("a last word");
        assert_eq!([last, failover.next(&mut pool, in_secs(later))], expected, "{failures:?}");
    };
    use FailureKind::*;
    let cooled = Failure { resets_at: Some(in_secs(40)), ..limited() };
    let denied = failure(WorkspaceDenied);
    let wait = |name| Next::Wait { account: id(name), until: in_secs(40) };
    check(6, &[denied.clone(), cooled.clone()], 40, [wait("b"), attempt("b", 3)]);
    check(6, &[cooled.clone(), denied.clone()], 40, [wait("a"), attempt("a", 3)]);
    check(6, &[denied.clone(), denied], 40, [last_failure(), last_failure()]);
    // The attempts are used up while an account is left, so there is nothing to wait for.
    check(1, &[cooled], 40, [last_failure(), last_failure()]);
}

#[test]
fn an_account_that_denied_the_workspace_is_not_waited_for_even_when_it_cools() {
    let mut pool = pool_of(&["a"]);
    let bound = Some(Duration::from_secs(60));
    pool.set_settings(RotationSettings { wait_for_reset: bound, ..RotationSettings::default() });
    let mut failover = Failover::new(Demand::default());
    failover.next(&mut pool, NOW);
    failover.failed(&mut pool, &failure(FailureKind::WorkspaceDenied), NOW);
    let cooled = Failure { resets_at: Some(in_secs(40)), ..limited() };
    walk_through(&mut named("a"), &mut pool, &[cooled]);
    assert_eq!(failover.next(&mut pool, NOW), stop(EndingKind::NoAvailableAccount, Some(in_secs(40))));
}

#[test]
fn the_one_more_try_is_not_for_an_account_that_needs_a_person_by_now() {
    let mut pool = pool_of(&["a"]);
    let mut failover = named("a");
    failover.next(&mut pool, NOW);
    failover.failed(&mut pool, &failure(FailureKind::Network), NOW);
    pool.set_disabled(&id("a"), true);
    assert_eq!(failover.next(&mut pool, NOW), last_failure());
}

#[test]
fn after_output_nothing_moves_but_a_limit_still_cools() {
    let check = |failure: Failure, until: Option<i64>, pin_cleared: bool| {
        let mut pool = pool_of(&["a", "b"]);
        pool.pin(&id("a"));
        let mut failover = Failover::new(Demand::default());
        failover.next(&mut pool, NOW);
        failover.accepted(&mut pool, NOW);
        let after = failover.failed_after_output(&mut pool, &failure, NOW);
        assert_eq!(after, AfterOutput { until: until.map(in_secs), pin_cleared }, "{failure:?}");
        assert_eq!(failover.next(&mut pool, NOW), last_failure());
    };
    check(Failure { resets_at: Some(in_secs(99)), ..limited() }, Some(99), true);
    check(failure(FailureKind::StreamInterrupted), None, false);
    check(failure(FailureKind::Overloaded), Some(30), false);
    check(failure(FailureKind::ServerError), Some(30), false);
    check(failure(FailureKind::Network), None, false);
}

#[test]
fn back_off_grows_with_each_failure_and_ends_with_a_success() {
    let mut pool = pool_of(&["a"]);
    let mut failover = Failover::new(Demand::default());
    let mut ends = Vec::new();
    for _ in 0..2 {
        failover.next(&mut pool, NOW);
        match failover.failed(&mut pool, &failure(FailureKind::Network), NOW) {
            AfterFailure::Moved { until, .. } => ends.push(until),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ends, [Some(in_secs(30)), Some(in_secs(60))]);
    let mut failover = Failover::new(Demand::default());
    failover.next(&mut pool, NOW);
    failover.succeeded(&mut pool, NOW);
    assert_eq!(pool.get(&id("a")).and_then(|a| a.backoff_until(NOW)), None);
}

#[test]
fn accounts_that_come_in_meanwhile_are_tried() {
    let mut pool = pool_of(&["a"]);
    let mut failover = Failover::new(Demand::default());
    walk_through(&mut failover, &mut pool, &[limited()]);
    pool.sync(vec![account("a"), account("b")], NOW);
    assert_eq!(failover.next(&mut pool, NOW), attempt("b", 2));
}

#[test]
fn changed_requests_are_bounded() {
    let mut pool = pool_of(&["a", "b"]);
    let mut failover = Failover::new(Demand::default());
    assert!(!failover.may_resend(), "nothing was sent");
    assert_eq!(failover.next(&mut pool, NOW), attempt("a", 1));
    assert!((0..4).all(|_| failover.may_resend()));
    assert!(!failover.may_resend());
    assert_eq!(failover.failed(&mut pool, &limited(), NOW), moved(Some(3600)));
    assert_eq!(failover.next(&mut pool, NOW), attempt("b", 2));
    assert!(!failover.may_resend());
}

/// Counts the requests of one completion whose attempts fail with `failures` in turn.
fn requests_of(names: &[&str], max_attempts: u32, waits: bool, failures: &[Failure]) -> u32 {
    let mut pool = pool_of(names);
    pool.settings.max_attempts = max_attempts;
    pool.settings.wait_for_reset = waits.then_some(Duration::from_secs(100_000));
    let mut failover = Failover::new(Demand::default());
    let (mut now, mut requests, mut endless) = (NOW, 0, failures.iter().cycle());
    for _ in 0..1000 {
        match failover.next(&mut pool, now) {
            Next::Attempt { .. } => {}
            Next::Wait { until, .. } => {
                now = until;
                continue;
            }
            Next::Stop(_) => return requests,
        }
        requests += 1;
        if failover.may_resend() {
            requests += 1;
        }
        while failover.failed(&mut pool, endless.next().expect("a circle"), now) == AfterFailure::Replay {
            requests += 1;
        }
    }
    panic!("it does not end");
}

#[test]
fn a_completion_costs_at_most_four_requests_beside_its_attempts() {
    let names: Vec<String> = (0..12).map(|index| format!("a{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let coded = Failure { speaker: Speaker::Upstream, ..failure(FailureKind::Unauthorized) };
    let kinds = [
        vec![coded.clone()],
        vec![failure(FailureKind::Unauthorized)],
        vec![failure(FailureKind::Overloaded)],
        vec![limited()],
        vec![coded.clone(), failure(FailureKind::Overloaded)],
        vec![coded.clone(), limited()],
        vec![coded, failure(FailureKind::ServerError), failure(FailureKind::ModelUnsupported)],
    ];
    let mut most = 0;
    for failures in &kinds {
        for accounts in [1, 2, 6, 12] {
            for max_attempts in [1, 2, 6] {
                for waits in [false, true] {
                    let requests = requests_of(&names[..accounts], max_attempts, waits, failures);
                    assert!(
                        requests <= max_attempts + 4,
                        "{requests}: {failures:?} {accounts} {max_attempts} {waits}"
                    );
                    most = most.max(requests);
                }
            }
        }
    }
    assert_eq!(most, 10, "the bound is reached");
}

#[test]
fn the_reserve_is_asked_in_its_order_and_its_refusals_touch_nothing_else() {
    let dry = || {
        let mut pool = pool_of(&["a", "b"]);
        let mut failover =
            Failover::new(Demand { model: Some("m".into()), session: Some("s".into()), ..Demand::default() });
        let quoted = || Failure { resets_at: Some(in_secs(500)), ..limited() };
        walk_through(&mut failover, &mut pool, &[quoted(), quoted()]);
        failover.use_reserve(vec![id("b"), id("a")]);
        (pool, failover)
    };
    let own = |pool: &Pool, name: &str| {
        let account = pool.get(&id(name)).expect("it stays");
        let of = |limit| account.health.cooldown_of(limit, NOW).map(|cooldown| cooldown.until);
        (of(None), of(Some(RESERVE_LIMIT)))
    };
    for refusal in [limited(), failure(FailureKind::RateLimit), failure(FailureKind::Credits)] {
        let (mut pool, mut failover) = dry();
        assert_eq!(failover.model(), Some("m"));
        assert_eq!(failover.next(&mut pool, NOW), attempt("b", 3));
        assert_eq!((failover.model(), failover.is_on_reserve()), (Some(RESERVE_MODEL), true));
        failover.failed(&mut pool, &refusal, NOW);
        let (main, reserve) = own(&pool, "b");
        assert_eq!((main, reserve.is_some()), (Some(in_secs(500)), true), "{refusal:?}");
        assert_eq!(failover.next(&mut pool, NOW), attempt("a", 4), "{refusal:?}");
        failover.accepted(&mut pool, NOW);
        failover.succeeded(&mut pool, NOW);
        assert_eq!(own(&pool, "a"), (Some(in_secs(500)), None), "an answer of the reserve ends no cooldown");
        assert_eq!(pool.session_account("s", NOW), None, "the session is not moved");
    }
    // What its model refuses is no fault of the request.
    let (mut pool, mut failover) = dry();
    failover.next(&mut pool, NOW);
    assert_eq!(failover.failed(&mut pool, &failure(FailureKind::RequestRejected), NOW), moved(None));
    assert_eq!(failover.next(&mut pool, NOW), attempt("a", 4));
    failover.failed(&mut pool, &limited(), NOW);
    let ending = failover.next(&mut pool, NOW);
    assert_eq!(ending, stop(EndingKind::NoAvailableAccount, Some(in_secs(500))));
    assert_eq!((failover.model(), failover.is_on_reserve()), (Some("m"), false));
}

#[test]
fn an_account_that_was_brought_back_is_tried_again() {
    let mut pool = pool_of(&["a"]);
    let mut failover = for_model("m");
    walk_through(&mut failover, &mut pool, &[limited()]);
    pool.end_usage_limit(&id("a"), in_secs(1));
    assert_eq!(failover.next(&mut pool, in_secs(1)), last_failure(), "it had its turn");
    failover.readmit(&id("a"));
    assert_eq!(failover.next(&mut pool, in_secs(1)), attempt("a", 2));
}
