//! Sums are the same before and after old attempts were summed up.

use proptest::prelude::*;

use super::*;

const TODAY: At = At(1_800_000_000_000);
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn tried(account: &str, days_ago: i64, outcome: AttemptResult, input: u64) -> AttemptRecord {
    AttemptRecord {
        at: At(TODAY.0 - days_ago * DAY_MS),
        account: AccountId::new(account),
        model: None,
        outcome,
        reason: None,
        tokens: Some(TokenCount { input, cached: input / 2, output: 1 }),
        first_event: None,
        total: Duration::from_millis(5),
        sent: None,
        switched: input % 3 == 1,
        reasoning_dropped: ReasoningDropped {
            organization_mismatch: u32::try_from(input % 7).unwrap_or(0),
            encrypted: 1,
            ..ReasoningDropped::default()
        },
    }
}

fn question(days: i64) -> HistoryQuestion {
    HistoryQuestion { limit: 10_000, account: None, since: Day(TODAY.day().0 - days + 1) }
}

#[test]
fn a_report_lists_the_latest_first_and_sums_by_account_and_day() {
    use AttemptResult::*;
    let history = History {
        tries: vec![
            tried("b", 2, Failed, 1),
            tried("a", 1, Rotated, 10),
            tried("b", 1, Completed, 100),
            tried("b", 0, Incomplete, 1000),
            tried("a", 0, Cancelled, 10_000),
        ],
        sums: BTreeMap::new(),
    };
    let report = history.report(&HistoryQuestion { limit: 2, ..question(2) });
    let listed: Vec<_> = report.tries.iter().map(|tried| (tried.account.as_str(), tried.outcome)).collect();
    assert_eq!(listed, [("a", Cancelled), ("b", Incomplete)]);
    let row = |(id, tally): &(AccountId, Tally)| (id.to_string(), tally.attempts, tally.tokens.input);
    let accounts: Vec<_> = report.accounts.iter().map(row).collect();
    assert_eq!(accounts, [("a".to_owned(), 2, 10_010), ("b".to_owned(), 2, 1100)]);
    let days: Vec<_> =
        report.days.iter().map(|of| (of.day.to_string(), of.total.attempts, of.accounts.len())).collect();
    assert_eq!(days, [("2027-01-15".to_owned(), 2, 2), ("2027-01-14".to_owned(), 2, 2)]);
    assert_eq!((report.days[1].total.rotated, report.days[1].total.completed), (1, 1));
    assert_eq!((report.days[0].total.completed, report.days[0].total.cancelled), (1, 1));

    let of_b = history.report(&HistoryQuestion { account: Some(AccountId::new("b")), ..question(30) });
    assert_eq!((of_b.tries.len(), of_b.accounts.len(), of_b.days.len()), (3, 1, 3));
    assert_eq!(of_b.accounts[0].1.failed, 1);
}

#[test]
fn what_is_condensed_is_bounded_and_old_days_are_forgotten() {
    let mut history = History::default();
    for account in 0..30 {
        let of_account = |days_ago| tried(&format!("{account:02}"), days_ago, AttemptResult::Completed, 1);
        history.tries.extend((0..450).rev().map(of_account));
    }
    history.condense(TODAY);
    assert_eq!((history.tries.len(), history.sums.len()), (LISTED, MAX_SUMS));
    let oldest = history.sums.keys().next().map(|(day, _)| TODAY.day().0 - day.0);
    assert!(oldest.is_some_and(|days| days < DAYS), "{oldest:?}");
}

proptest! {
    #[test]
    fn condensing_changes_no_sum(
        rows in prop::collection::vec((0..4u8, 0..30i64, 0..5u8, 0..1000u64), 0..40),
        copies in 1..60usize,
        asked in 1..40i64,
    ) {
        use AttemptResult::*;
        let outcomes = [Completed, Incomplete, Rotated, Failed, Cancelled];
        let all: Vec<AttemptRecord> = rows
            .iter()
            .map(|(account, ago, outcome, input)| {
                tried(&account.to_string(), *ago, outcomes[usize::from(*outcome)], *input)
            })
            .collect();
        let mut history =
            History { tries: std::iter::repeat_n(all, copies).flatten().collect(), sums: BTreeMap::new() };
        let before = history.report(&question(asked));
        history.condense(TODAY);
        prop_assert!(history.tries.len() <= LISTED);
        let after = history.report(&question(asked));
        prop_assert_eq!(&before.accounts, &after.accounts);
        prop_assert_eq!(&before.days, &after.days);
        // The sums of the days equal those of the accounts.
        let mut by_day = Tally::default();
        after.days.iter().for_each(|of| by_day.add(&of.total));
        let mut by_account = Tally::default();
        after.accounts.iter().for_each(|(_, tally)| by_account.add(tally));
        prop_assert_eq!(by_day, by_account);
    }
}
