//! What the ledger allows after each outcome.

use super::*;

const NOW: At = At(1_800_000_000_000);

fn ada() -> AccountId {
    AccountId::new("acc_ada")
}

fn hash(name: &str) -> TokenHash {
    TokenHash(name.to_owned())
}

fn refused(code: &str) -> RefreshOutcome {
    RefreshOutcome::Refused(Refusal {
        kind: FailureKind::LoginRequired,
        status: Some(401),
        code: Some(code.to_owned()),
    })
}

fn not_now(retry_after: Option<u64>) -> RefreshOutcome {
    RefreshOutcome::NotNow {
        message: "HTTP 500".to_owned(),
        retry_after: retry_after.map(Duration::from_secs),
    }
}

/// Returns the status of one token after it was sent with these outcomes, as (needed, forced) a moment later.
fn after(outcomes: &[RefreshOutcome]) -> [Option<WhyNotRefreshed>; 2] {
    let mut ledger = RefreshLedger::default();
    for outcome in outcomes {
        ledger.intend(&ada(), &hash("one"), NOW);
        ledger.settle(&ada(), &hash("one"), outcome, NOW);
    }
    [RefreshMode::Needed, RefreshMode::Forced].map(|urge| ledger.why_not(&ada(), &hash("one"), urge, NOW))
}

#[test]
fn a_token_is_sent_again_only_when_nothing_can_be_lost_by_it() {
    let unknown = || Some(WhyNotRefreshed::OutcomeUnknown { since: NOW });
    let consumed = || Some(WhyNotRefreshed::Consumed);
    let resting = |seconds| {
        Some(WhyNotRefreshed::Resting {
            until: NOW + Duration::from_secs(seconds),
            message: "HTTP 500".into(),
        })
    };
    let refusal = match refused("invalid_grant") {
        RefreshOutcome::Refused(refusal) => Some(WhyNotRefreshed::Refused(refusal)),
        _ => None,
    };
    assert_eq!(after(&[]), [None, None]);
    assert_eq!(after(&[RefreshOutcome::Replaced]), [consumed(), consumed()]);
    assert_eq!(after(&[RefreshOutcome::Kept]), [None, None]);
    assert_eq!(after(&[RefreshOutcome::Lost]), [unknown(), None]);
    assert_eq!(after(&[refused("invalid_grant")]), [refusal, None]);
    assert_eq!(after(&[refused("refresh_token_reused")]), [consumed(), consumed()]);
    assert_eq!(after(&[not_now(None)]), [resting(5), None]);
    assert_eq!(after(&[not_now(Some(90))]), [resting(90), None]);
    assert_eq!(after(&[not_now(Some(9999))]), [resting(600), None]);
    assert_eq!(after(&[not_now(None), not_now(None), not_now(None)]), [resting(20), None]);
    // The user tried once more, and upstream was down: the outcome of the first attempt is still unknown.
    assert_eq!(after(&[RefreshOutcome::Lost, not_now(None)]), [unknown(), None]);
    assert_eq!(after(&[RefreshOutcome::Lost, RefreshOutcome::Replaced]), [consumed(), consumed()]);
    assert_eq!(after(&[not_now(None), RefreshOutcome::Kept]), [None, None]);
}

#[test]
fn an_intent_without_a_result_is_an_unknown_outcome() {
    let mut ledger = RefreshLedger::default();
    ledger.intend(&ada(), &hash("one"), NOW);
    assert_eq!(ledger.unknown_since(&hash("one")), Some(NOW));
    assert!(!ledger.supersede(&ada(), &hash("one")));
    assert!(!ledger.supersede(&AccountId::new("acc_bob"), &hash("two")));
    // The account's file now holds another token, so some program received the answer.
    assert!(ledger.supersede(&ada(), &hash("two")));
    assert!(ledger.is_consumed(&hash("one")) && !ledger.is_consumed(&hash("two")));
}

#[test]
fn three_invalidations_in_five_minutes_pause_the_host_for_ten() {
    let check = |codes_at: &[(&str, u64)], expected: Option<u64>| {
        let mut ledger = RefreshLedger::default();
        let mut paused = None;
        for (n, (code, second)) in codes_at.iter().enumerate() {
            let now = NOW + Duration::from_secs(*second);
            paused = ledger.settle(&ada(), &hash(&n.to_string()), &refused(code), now);
        }
        let until = expected.map(|second| NOW + Duration::from_secs(second));
        assert_eq!((paused, ledger.paused_until), (until, until), "{codes_at:?}");
        if let Some(until) = until {
            let before = At(until.0 - 1);
            let why_not = |now| ledger.why_not(&ada(), &hash("fresh"), RefreshMode::Forced, now);
            assert_eq!(why_not(before), Some(WhyNotRefreshed::Paused { until }));
            assert_eq!(why_not(until), None);
        }
    };
    let invalidated = "refresh_token_invalidated";
    check(&[(invalidated, 0), (invalidated, 1), (invalidated, 299)], Some(299 + 600));
    check(&[(invalidated, 0), (invalidated, 1), (invalidated, 300)], None);
    check(&[(invalidated, 0), (invalidated, 1)], None);
    check(&[(invalidated, 0), ("invalid_grant", 1), ("token_invalidated", 2)], None);
    check(&[("refresh_token_expired", 0), ("refresh_token_reused", 0), ("invalid_grant", 0)], None);
}

#[test]
fn an_account_rests_for_its_time_and_not_longer_than_any_can_when_the_clock_was_set_back() {
    let mut ledger = RefreshLedger::default();
    ledger.settle(&ada(), &hash("one"), &not_now(None), NOW);
    let rests_at = |at: i64| ledger.why_not(&ada(), &hash("one"), RefreshMode::Needed, At(at)).is_some();
    let until = (NOW + FIRST_REST).0;
    let earliest = until - LONGEST_REST.as_millis() as i64;
    assert_eq!([earliest - 1, earliest, until - 1, until].map(rests_at), [false, true, true, false]);
}

#[test]
fn the_lane_rests_after_each_refresh_whatever_the_clock_does() {
    let spacing = Duration::from_millis(250);
    let mut ledger = RefreshLedger::default();
    assert_eq!(ledger.lane_rest(spacing, NOW), Duration::ZERO);
    ledger.settle(&ada(), &hash("one"), &RefreshOutcome::Lost, NOW);
    let rests =
        [-3_600_000, 0, 100, 250, 9000].map(|ms| ledger.lane_rest(spacing, At(NOW.0 + ms)).as_millis());
    assert_eq!(rests, [250, 250, 150, 0, 0]);
}

#[test]
fn the_oldest_hashes_give_way() {
    let mut ledger = RefreshLedger::default();
    for n in 0..=MAX_TOKENS {
        let at = NOW + Duration::from_secs(n as u64);
        ledger.settle(&ada(), &hash(&n.to_string()), &RefreshOutcome::Replaced, at);
    }
    assert_eq!(ledger.tokens.len(), MAX_TOKENS);
    assert!(!ledger.is_consumed(&hash("0")) && ledger.is_consumed(&hash("1")));
}
