//! `rotation` shows what a completion then does: after any events, for any demand, under any settings.

use proptest::prelude::{any, proptest};

use super::generated::{any_event, any_settings};
use super::lives::live_through;
use super::*;

/// Refused by every account in turn, without a change to any of them.
fn tried_in_turn(pool: &mut Pool, demand: &Demand, now: At) -> Vec<AccountId> {
    let mut failover = Failover::new(demand.clone());
    let mut tried = Vec::new();
    while let Next::Attempt { account, .. } = failover.next(pool, now) {
        failover.failed(pool, &testing::failure(FailureKind::WorkspaceDenied), now);
        tried.push(account);
    }
    tried
}

fn check(pool: &mut Pool, demand: &Demand, now: At) {
    let shown = pool.ranking(demand, now);
    assert_eq!(shown.len(), pool.accounts().len());
    let ranks: Vec<u32> = shown.iter().map_while(|ranked| ranked.rank).collect();
    let all_ranks: Vec<u32> = shown.iter().filter_map(|ranked| ranked.rank).collect();
    assert_eq!(
        ranks,
        (1..).take(all_ranks.len()).collect::<Vec<u32>>(),
        "the ranked ones come first: {shown:?}"
    );
    let excuse = |ranked: &Ranked| match ranked.reasons[0] {
        Reason::NotEligible(why_not) => Some(why_not),
        _ => None,
    };
    assert!(shown.iter().all(|ranked| excuse(ranked).is_some() == ranked.rank.is_none()), "{shown:?}");
    let is_tried = |ranked: &&Ranked| matches!(excuse(ranked), None | Some(WhyNotEligible::BelowReserve));
    let mut expected: Vec<AccountId> =
        shown.iter().filter(is_tried).map(|ranked| ranked.account.clone()).collect();
    let allowed = usize::try_from(pool.settings().max_attempts).expect("small");
    expected.truncate(allowed);
    let refused: Vec<&AccountId> = shown
        .iter()
        .filter(|ranked| matches!(excuse(ranked), Some(WhyNotEligible::ModelExcluded { .. })))
        .map(|ranked| &ranked.account)
        .collect();
    let tried = tried_in_turn(pool, demand, now);
    let (first, last) = tried.split_at(expected.len().min(tried.len()));
    assert_eq!(first, expected, "{shown:?}");
    // Accounts that refused the model are tried again at the end, one after the other.
    assert_eq!(last.len(), refused.len().min(allowed - expected.len()), "{tried:?} of {shown:?}");
    assert!(last.iter().all(|account| refused.contains(&account)), "{tried:?} of {shown:?}");
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]
    #[test]
    fn accounts_are_tried_in_the_order_shown(
        settings in any_settings(),
        events in proptest::collection::vec(any_event(), 0..40),
        session in any::<bool>(),
        model in any::<bool>(),
    ) {
        let (mut pool, naive) = live_through(settings, &events);
        let demand = Demand {
            account: None,
            session: session.then(|| "s".to_owned()),
            model: model.then(|| "m".to_owned()),
        };
        check(&mut pool, &demand, At(naive.now));
    }
}
