//! Decisions about reset credits and their outcomes: no decision spends two credits, and no automatic decision is made
//! when it should not be.
//!
//! A decision is saved with the id of its request before the request is sent. A decision without an outcome was
//! interrupted by a crash or a lost answer; sending the same request, with the same id and credit, finds out.

use std::time::Duration;

use crate::pool::{AccountId, At, RedeemAnswer, ResetCredit, Window};

/// The shortest time between automatic decisions, over all sidecars that share the journal.
const BETWEEN_AUTOMATIC: Duration = Duration::from_secs(60 * 60);
/// An older decision is not carried out any more, if its credit still exists.
const REPLAY_WITHIN: Duration = Duration::from_secs(15 * 60);
/// Longer than the life of a credit, about 30 days.
const KEPT_FOR: Duration = Duration::from_secs(60 * 24 * 60 * 60);
/// A reset is visible when the used percentage of a window is lower by this much.
const VISIBLE_PERCENT: f64 = 0.5;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResetLedger {
    /// In the order of the decisions.
    pub redemptions: Vec<Redemption>,
}

/// One decision to redeem one credit.
#[derive(Clone, Debug, PartialEq)]
pub struct Redemption {
    pub request_id: String,
    pub account: AccountId,
    pub credit_id: String,
    pub decided_by: DecidedBy,
    pub decided_at: At,
    /// The account's windows before the decision.
    pub before: Vec<Window>,
    /// `None` while the outcome is unknown.
    pub outcome: Option<RedeemOutcome>,
    /// Whether a reading showed the reset afterwards; `None` until there was one.
    pub helped: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecidedBy {
    Person,
    /// The setting `resetCredits: "when-dry"`.
    WhenDry,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedeemOutcome {
    Answered(RedeemAnswer),
    /// Upstream refused the request itself.
    Refused,
    /// It was interrupted, and its credit still existed too long after.
    Abandoned,
}

/// Why no credit is redeemed automatically.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyNotAutomatic {
    /// Another decision was made less than an hour ago.
    RestsUntil(At),
    /// The outcome of an earlier decision is unknown.
    OutcomeUnknown,
    /// The last decision had no visible effect.
    DidNotHelp,
}

/// What to do about an interrupted decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumption {
    /// Send the same request again.
    Replay,
    /// The request had no effect, and by now it is not wanted any more.
    Abandon,
}

impl ResetLedger {
    pub fn decide(&mut self, redemption: Redemption) {
        let now = redemption.decided_at;
        self.redemptions.retain(|old| now.since(old.decided_at) <= KEPT_FOR);
        self.redemptions.push(redemption);
    }

    pub fn settle(&mut self, request_id: &str, outcome: RedeemOutcome) {
        self.update(request_id, |redemption| redemption.outcome = Some(outcome));
    }

    pub fn verified(&mut self, request_id: &str, helped: bool) {
        self.update(request_id, |redemption| redemption.helped = Some(helped));
    }

    /// Returns the decision about this account that has no outcome yet.
    pub fn open_of(&self, account: &AccountId) -> Option<&Redemption> {
        self.redemptions
            .iter()
            .find(|redemption| redemption.outcome.is_none() && redemption.account == *account)
    }

    /// Returns interrupted decisions: without an outcome, or spent without a reading afterwards.
    pub fn unfinished(&self) -> impl Iterator<Item = &Redemption> {
        self.redemptions.iter().filter(|redemption| match redemption.outcome {
            None => true,
            Some(_) => redemption.is_spent() && redemption.helped.is_none(),
        })
    }

    /// Returns the last automatic decision, if it spent a credit and helped visibly less than an hour ago.
    pub fn helped_lately(&self, now: At) -> Option<&Redemption> {
        let last = self.automatic().next_back()?;
        let is_recent = now.since(last.decided_at) < BETWEEN_AUTOMATIC;
        (is_recent && last.helped == Some(true)).then_some(last)
    }

    pub fn why_not_automatic(&self, now: At) -> Option<WhyNotAutomatic> {
        if self.redemptions.iter().any(|redemption| redemption.outcome.is_none()) {
            return Some(WhyNotAutomatic::OutcomeUnknown);
        }
        let last = self.automatic().next_back();
        if let Some(until) = last.map(|last| last.decided_at + BETWEEN_AUTOMATIC).filter(|until| *until > now)
        {
            return Some(WhyNotAutomatic::RestsUntil(until));
        }
        // A later reset by a person that helped shows that resets help again.
        let judged = self.redemptions.iter().rev().find_map(|redemption| match redemption.outcome {
            Some(RedeemOutcome::Answered(RedeemAnswer::NothingToReset)) => Some(false),
            _ if redemption.is_spent() => redemption.helped,
            _ => None,
        });
        (judged == Some(false)).then_some(WhyNotAutomatic::DidNotHelp)
    }

    fn automatic(&self) -> impl DoubleEndedIterator<Item = &Redemption> {
        self.redemptions.iter().filter(|redemption| redemption.decided_by == DecidedBy::WhenDry)
    }

    fn update(&mut self, request_id: &str, change: impl FnOnce(&mut Redemption)) {
        if let Some(found) =
            self.redemptions.iter_mut().find(|redemption| redemption.request_id == request_id)
        {
            change(found);
        }
    }
}

impl Redemption {
    pub fn is_spent(&self) -> bool {
        matches!(self.outcome, Some(RedeemOutcome::Answered(answer)) if answer.is_spent())
    }

    /// Returns what to do about an interrupted decision, by a list that was read after it.
    pub fn resumption(&self, listed: &[ResetCredit], now: At) -> Resumption {
        let is_there = listed.iter().any(|credit| credit.id == self.credit_id && credit.is_available(now));
        let is_late = now.since(self.decided_at) > REPLAY_WITHIN;
        if is_there && is_late { Resumption::Abandon } else { Resumption::Replay }
    }

    /// Returns whether a later reading shows that windows were reset and that none is used up.
    pub fn is_visible_in(&self, after: &[Window], now: At) -> bool {
        let is_less_used = self.before.iter().any(|old| {
            let new = after.iter().find(|new| new.window_minutes == old.window_minutes);
            new.is_some_and(|new| new.used_at(now) + VISIBLE_PERCENT < old.used_percent)
        });
        is_less_used && !after.iter().any(|window| window.is_exhausted(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::testing::window;
    use crate::pool::{FIVE_HOURS, WEEK};

    const NOW: At = At(1_800_000_000_000);
    const MINUTE: i64 = 60_000;

    fn minutes_ago(minutes: i64) -> At {
        At(NOW.0 - minutes * MINUTE)
    }

    fn redemption(request: &str, decided_by: DecidedBy, minutes: i64) -> Redemption {
        Redemption {
            request_id: request.into(),
            account: AccountId::new("acc_ada"),
            credit_id: format!("credit of {request}"),
            decided_by,
            decided_at: minutes_ago(minutes),
            before: vec![window(FIVE_HOURS, 10.0, None), window(WEEK, 100.0, None)],
            outcome: None,
            helped: None,
        }
    }

    fn ledger(entries: &[(DecidedBy, i64, Option<RedeemOutcome>, Option<bool>)]) -> ResetLedger {
        let mut ledger = ResetLedger::default();
        for (index, (decided_by, minutes, outcome, helped)) in entries.iter().enumerate() {
            let redemption = redemption(&index.to_string(), *decided_by, *minutes);
            ledger.decide(Redemption { outcome: *outcome, helped: *helped, ..redemption });
        }
        ledger
    }

    const RESET: Option<RedeemOutcome> = Some(RedeemOutcome::Answered(RedeemAnswer::Reset));

    #[test]
    fn automatic_decisions_keep_an_hour_between_them_and_end_with_one_that_did_not_help() {
        use DecidedBy::*;
        use WhyNotAutomatic::*;
        let nothing = Some(RedeemOutcome::Answered(RedeemAnswer::NothingToReset));
        let check = |entries: &[(DecidedBy, i64, Option<RedeemOutcome>, Option<bool>)], expected| {
            assert_eq!(ledger(entries).why_not_automatic(NOW), expected, "{entries:?}");
        };
        check(&[], None);
        check(&[(WhenDry, 59, RESET, Some(true))], Some(RestsUntil(At(NOW.0 + MINUTE))));
        check(&[(WhenDry, 60, RESET, Some(true))], None);
        check(&[(WhenDry, 59, Some(RedeemOutcome::Refused), None)], Some(RestsUntil(At(NOW.0 + MINUTE))));
        check(&[(WhenDry, 60, Some(RedeemOutcome::Refused), None)], None);
        check(&[(WhenDry, 900, RESET, Some(false))], Some(DidNotHelp));
        check(&[(WhenDry, 900, nothing, None)], Some(DidNotHelp));
        check(&[(WhenDry, 900, RESET, Some(false)), (Person, 5, RESET, Some(true))], None);
        check(&[(WhenDry, 900, RESET, Some(false)), (Person, 5, RESET, None)], Some(DidNotHelp));
        check(&[(Person, 900, RESET, Some(false))], Some(DidNotHelp));
        check(&[(Person, 5, RESET, Some(true))], None);
        check(&[(Person, 5, None, None)], Some(OutcomeUnknown));
        check(&[(WhenDry, 900, None, None)], Some(OutcomeUnknown));
    }

    #[test]
    fn what_was_cut_off_is_unfinished_until_it_has_an_outcome_and_a_reading() {
        let mut ledger = ResetLedger::default();
        ledger.decide(redemption("a", DecidedBy::Person, 1));
        let unfinished = |ledger: &ResetLedger| ledger.unfinished().count();
        assert_eq!((unfinished(&ledger), ledger.open_of(&AccountId::new("acc_ada")).is_some()), (1, true));
        assert!(ledger.open_of(&AccountId::new("acc_bob")).is_none());
        ledger.settle("a", RedeemOutcome::Answered(RedeemAnswer::AlreadyRedeemed));
        assert_eq!((unfinished(&ledger), ledger.open_of(&AccountId::new("acc_ada")).is_some()), (1, false));
        ledger.verified("a", true);
        assert_eq!(unfinished(&ledger), 0);
        ledger.decide(redemption("b", DecidedBy::Person, 0));
        ledger.settle("b", RedeemOutcome::Refused);
        assert_eq!(unfinished(&ledger), 0, "a refused one spent nothing that a reading could show");
    }

    #[test]
    fn only_a_late_decision_whose_credit_is_still_there_is_abandoned() {
        let credit = |id: &str, status: &str| ResetCredit {
            id: id.into(),
            expires_at: None,
            status: Some(status.into()),
        };
        let check = |minutes: i64, listed: &[ResetCredit], expected| {
            let redemption = redemption("a", DecidedBy::Person, minutes);
            assert_eq!(redemption.resumption(listed, NOW), expected, "{minutes} {listed:?}");
        };
        check(15, &[credit("credit of a", "available")], Resumption::Replay);
        check(16, &[credit("credit of a", "available")], Resumption::Abandon);
        check(16, &[credit("credit of a", "redeemed")], Resumption::Replay);
        check(16, &[credit("another", "available")], Resumption::Replay);
        check(16, &[], Resumption::Replay);
    }

    #[test]
    fn a_reset_is_visible_when_less_is_used_and_nothing_is_used_up() {
        let check = |after: &[Window], expected: bool| {
            let redemption = redemption("a", DecidedBy::Person, 1);
            assert_eq!(redemption.is_visible_in(after, NOW), expected, "{after:?}");
        };
        check(&[window(FIVE_HOURS, 0.0, None), window(WEEK, 0.0, None)], true);
        check(&[window(WEEK, 3.0, None)], true);
        check(&[window(WEEK, 100.0, None)], false);
        check(&[window(WEEK, 99.8, None)], false);
        check(&[window(FIVE_HOURS, 0.0, None), window(WEEK, 100.0, None)], false);
        check(&[window(43_200, 0.0, None)], false);
        check(&[], false);
    }

    #[test]
    fn decisions_are_forgotten_once_their_credits_must_have_expired() {
        let mut ledger =
            ledger(&[(DecidedBy::Person, 61 * 24 * 60, None, None), (DecidedBy::Person, 60, RESET, None)]);
        ledger.decide(redemption("new", DecidedBy::Person, 0));
        let kept: Vec<&str> = ledger.redemptions.iter().map(|kept| kept.request_id.as_str()).collect();
        assert_eq!(kept, ["1", "new"]);
    }
}
