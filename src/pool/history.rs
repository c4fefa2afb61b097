//! The attempts and how they ended: the latest ones one by one, and sums by day and account of older ones. It holds no
//! content.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::pool::time::Day;
use crate::pool::{AccountId, At, ReasoningDropped, SentRequest};

/// How many attempts stay listed one by one.
const LISTED: usize = 1000;
/// How many days are summed up; older ones are dropped.
const DAYS: i64 = 400;
/// How many rows of sums are kept, one for each account and day; the oldest days are dropped first.
const MAX_SUMS: usize = 1000;

/// One request of a completion to one account. A repeat after a 401 is part of its attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRecord {
    /// When it began.
    pub at: At,
    pub account: AccountId,
    pub model: Option<String>,
    pub outcome: AttemptResult,
    /// The kind of the failure, or `deadline`.
    pub reason: Option<String>,
    pub tokens: Option<TokenCount>,
    /// From the beginning of the attempt to the first event that was sent to the client.
    pub first_event: Option<Duration>,
    pub total: Duration,
    /// Absent when nothing was sent, and in what older versions recorded.
    pub sent: Option<SentRequest>,
    /// The session was served by another account before.
    pub switched: bool,
    pub reasoning_dropped: ReasoningDropped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    Completed,
    /// Upstream cut the response short.
    Incomplete,
    /// It failed before output, so another account could take over.
    Rotated,
    /// The client got an error.
    Failed,
    /// The client cancelled it or ended.
    Cancelled,
}

/// Upstream's count; `cached` is part of `input`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenCount {
    pub input: u64,
    pub cached: u64,
    pub output: u64,
}

/// Sums of attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub attempts: u64,
    /// Includes those that upstream cut short.
    pub completed: u64,
    pub rotated: u64,
    pub failed: u64,
    pub cancelled: u64,
    pub tokens: TokenCount,
    /// Those that sent only what was new in their conversation, and how much longer their requests would have been.
    pub continued: u64,
    pub saved_bytes: u64,
    /// Those that another account than before served in their session.
    pub switches: u64,
    pub reasoning_dropped: ReasoningDropped,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// In the order of their ends.
    pub tries: Vec<AttemptRecord>,
    /// Sums of attempts that are no longer listed.
    pub sums: BTreeMap<(Day, AccountId), Tally>,
}

/// What a report should show.
#[derive(Clone, Debug)]
pub struct HistoryQuestion {
    pub limit: usize,
    pub account: Option<AccountId>,
    /// Sums begin with this day.
    pub since: Day,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryReport {
    /// The latest first.
    pub tries: Vec<AttemptRecord>,
    /// The busiest first.
    pub accounts: Vec<(AccountId, Tally)>,
    /// The latest first.
    pub days: Vec<DayReport>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayReport {
    pub day: Day,
    pub total: Tally,
    /// Sorted like the whole report's.
    pub accounts: Vec<(AccountId, Tally)>,
}

impl TokenCount {
    fn add(&mut self, other: TokenCount) {
        self.input = self.input.saturating_add(other.input);
        self.cached = self.cached.saturating_add(other.cached);
        self.output = self.output.saturating_add(other.output);
    }
}

impl Tally {
    pub fn of(tried: &AttemptRecord) -> Self {
        let counts = |outcome: &[AttemptResult]| u64::from(outcome.contains(&tried.outcome));
        Tally {
            attempts: 1,
            completed: counts(&[AttemptResult::Completed, AttemptResult::Incomplete]),
            rotated: counts(&[AttemptResult::Rotated]),
            failed: counts(&[AttemptResult::Failed]),
            cancelled: counts(&[AttemptResult::Cancelled]),
            tokens: tried.tokens.unwrap_or_default(),
            continued: u64::from(tried.sent.is_some_and(|sent| sent.continued)),
            saved_bytes: tried.sent.map_or(0, |sent| sent.saved_bytes),
            switches: u64::from(tried.switched),
            reasoning_dropped: tried.reasoning_dropped,
        }
    }

    pub fn add(&mut self, other: &Tally) {
        let pairs = [
            (&mut self.attempts, other.attempts),
            (&mut self.completed, other.completed),
            (&mut self.rotated, other.rotated),
            (&mut self.failed, other.failed),
            (&mut self.cancelled, other.cancelled),
            (&mut self.continued, other.continued),
            (&mut self.saved_bytes, other.saved_bytes),
            (&mut self.switches, other.switches),
        ];
        for (sum, more) in pairs {
            *sum = sum.saturating_add(more);
        }
        self.tokens.add(other.tokens);
        self.reasoning_dropped.add(other.reasoning_dropped);
    }
}

impl History {
    /// Sums up all but the latest attempts, and drops what is older than any report.
    pub fn condense(&mut self, now: At) {
        let summed = self.tries.len().saturating_sub(LISTED);
        for tried in self.tries.drain(..summed) {
            let key = (tried.at.day(), tried.account.clone());
            self.sums.entry(key).or_default().add(&Tally::of(&tried));
        }
        let oldest = Day(now.day().0 - DAYS);
        self.sums.retain(|(day, _), _| *day > oldest);
        while self.sums.len() > MAX_SUMS {
            self.sums.pop_first();
        }
    }

    pub fn report(&self, question: &HistoryQuestion) -> HistoryReport {
        let asked = |account: &AccountId| question.account.as_ref().is_none_or(|only| only == account);
        let mut rows = self.sums.clone();
        for tried in &self.tries {
            let key = (tried.at.day(), tried.account.clone());
            rows.entry(key).or_default().add(&Tally::of(tried));
        }
        rows.retain(|(day, account), _| *day >= question.since && asked(account));
        let mut by_account: BTreeMap<&AccountId, Tally> = BTreeMap::new();
        for ((_, account), tally) in &rows {
            by_account.entry(account).or_default().add(tally);
        }
        let mut accounts: Vec<_> = by_account.into_iter().map(|(id, tally)| (id.clone(), tally)).collect();
        // The sort is stable, so ids decide between equal rows.
        accounts.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.attempts));
        let mut days: Vec<DayReport> = Vec::new();
        for (day, _) in rows.keys().rev() {
            if days.last().is_some_and(|known| known.day == *day) {
                continue;
            }
            let of_day: Vec<_> = accounts
                .iter()
                .filter_map(|(id, _)| Some((id.clone(), *rows.get(&(*day, id.clone()))?)))
                .collect();
            let mut total = Tally::default();
            of_day.iter().for_each(|(_, tally)| total.add(tally));
            days.push(DayReport { day: *day, total, accounts: of_day });
        }
        let mut tries: Vec<_> = self.tries.iter().filter(|tried| asked(&tried.account)).cloned().collect();
        tries.sort_by_key(|tried| tried.at);
        tries.reverse();
        tries.truncate(question.limit);
        HistoryReport { tries, accounts, days }
    }
}

#[cfg(test)]
mod tests;
