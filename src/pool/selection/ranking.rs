//! Which account is used: one order for choosing and for showing, so that `rotation` shows what happens.

use super::eligibility::{Need, why_not, why_not_named};
use super::preference::{ByReset, by_reset, most_used, preference};
use crate::pool::{Account, AccountId, AffinityMode, At, Pool, Reason, Strategy, WhyNotEligible, Window};

/// The completion to choose for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Only this account, without rotation.
    pub account: Option<AccountId>,
    pub session: Option<String>,
    pub model: Option<String>,
}

/// The place of one account in the order.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    pub account: AccountId,
    /// From 1; `None` when the account is not eligible.
    pub rank: Option<u32>,
    /// The most decisive first.
    pub reasons: Vec<Reason>,
}

impl Pool {
    /// Returns every account in the order of trying. Accounts that would not be tried are last, in the file's order.
    pub fn ranking(&self, demand: &Demand, now: At) -> Vec<Ranked> {
        let ranker = Ranker::new(self, demand, now);
        let mut eligible = Vec::with_capacity(self.accounts.len());
        let mut passed_over = Vec::new();
        for index in 0..self.accounts.len() {
            match ranker.why_not(index) {
                None => eligible.push((ranker.key(index), index)),
                Some(why) => passed_over.push((why, index)),
            }
        }
        eligible
            .sort_by(|(a, i), (b, j)| a.cmp(b).then_with(|| self.accounts[*i].id.cmp(&self.accounts[*j].id)));
        let in_reserve = eligible.iter().filter(|(key, _)| key.has(IN_RESERVE)).count();
        let chosen = if in_reserve < eligible.len() { eligible.len() - in_reserve } else { eligible.len() };
        let ranked = eligible.iter().enumerate().map(|(nth, &(key, index))| {
            let kept_back = nth >= chosen;
            let rank = (!kept_back).then(|| u32::try_from(nth + 1).unwrap_or(u32::MAX));
            let why_not = kept_back.then_some(Reason::NotEligible(WhyNotEligible::BelowReserve));
            let reasons = why_not.into_iter().chain(ranker.reasons(index, &key, !kept_back)).collect();
            Ranked { account: self.accounts[index].id.clone(), rank, reasons }
        });
        let passed_over = passed_over.into_iter().map(|(why, index)| Ranked {
            account: self.accounts[index].id.clone(),
            rank: None,
            reasons: vec![Reason::NotEligible(why)],
        });
        ranked.chain(passed_over).collect()
    }

    /// Returns the account to try first, without those in `excluded`.
    pub fn best(&self, demand: &Demand, excluded: &[AccountId], now: At) -> Option<AccountId> {
        self.best_where(demand, now, |id| !excluded.contains(id))
    }

    /// Returns the first eligible account in the order that `admits` accepts. Does not allocate.
    pub(crate) fn best_where(
        &self,
        demand: &Demand,
        now: At,
        admits: impl Fn(&AccountId) -> bool,
    ) -> Option<AccountId> {
        self.first_of(demand, now, |why_not| why_not.is_none(), admits)
    }

    /// Returns the first account in the order that only an earlier refusal of this model excludes, and that `admits`
    /// accepts.
    pub(crate) fn best_refused(
        &self,
        demand: &Demand,
        now: At,
        admits: impl Fn(&AccountId) -> bool,
    ) -> Option<AccountId> {
        let is_refused =
            |why_not: Option<WhyNotEligible>| matches!(why_not, Some(WhyNotEligible::ModelExcluded { .. }));
        self.first_of(demand, now, is_refused, admits)
    }

    fn first_of(
        &self,
        demand: &Demand,
        now: At,
        is_meant: impl Fn(Option<WhyNotEligible>) -> bool,
        admits: impl Fn(&AccountId) -> bool,
    ) -> Option<AccountId> {
        let ranker = Ranker::new(self, demand, now);
        let meant = (0..self.accounts.len()).filter(|&index| is_meant(ranker.why_not(index)));
        ranker.first(meant.filter(|&index| admits(&self.accounts[index].id)))
    }
}

/// Everything that one decision depends on, computed once.
struct Ranker<'a> {
    pool: &'a Pool,
    demand: &'a Demand,
    need: Need<'a>,
    pinned: Option<usize>,
    session: Option<usize>,
    now: At,
}

/// The sort key of an eligible account: the smallest is tried first. Equal keys are ordered by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SortKey {
    drawbacks: u8,
    /// By the strategy, see [`preference`].
    preference: (i64, i64),
    /// Accounts that were never used come first. Joining counts as a use.
    last_used_at: Option<At>,
}

/// What makes an account rank lower; each value weighs more than all after it together.
const NO_TOKEN: u8 = 32;
const NOT_PINNED: u8 = 16;
const IN_RESERVE: u8 = 8;
const BACKING_OFF: u8 = 4;
const NOT_IN_SESSION: u8 = 2;
const EXHAUSTED: u8 = 1;

impl SortKey {
    fn has(&self, drawback: u8) -> bool {
        self.drawbacks & drawback != 0
    }
}

impl<'a> Ranker<'a> {
    fn new(pool: &'a Pool, demand: &'a Demand, now: At) -> Self {
        let index_of = |id: &AccountId| pool.by_id.get(id).copied();
        let with_affinity = pool.settings.affinity == AffinityMode::Session;
        let session = demand.session.as_deref().filter(|_| with_affinity);
        Ranker {
            pool,
            demand,
            need: pool.need(demand),
            pinned: pool.pin.as_ref().and_then(index_of),
            session: session.and_then(|session| pool.affinity.get(session, now)).and_then(index_of),
            now,
        }
    }

    fn why_not(&self, index: usize) -> Option<WhyNotEligible> {
        let account = &self.pool.accounts[index];
        match &self.demand.account {
            None => why_not(account, self.need, self.now),
            Some(named) if *named == account.id => why_not_named(account, self.need, self.now),
            Some(_) => Some(WhyNotEligible::NotAsked),
        }
    }

    fn first(&self, indices: impl Iterator<Item = usize>) -> Option<AccountId> {
        let id = |index: usize| &self.pool.accounts[index].id;
        let best = indices
            .map(|index| (self.key(index), index))
            .min_by(|(a, i), (b, j)| a.cmp(b).then_with(|| id(*i).cmp(id(*j))))?;
        Some(id(best.1).clone())
    }

    fn key(&self, index: usize) -> SortKey {
        let account = &self.pool.accounts[index];
        let settings = &self.pool.settings;
        let limit = self.need.limit_of(account);
        let windows = windows(account, limit);
        let pinned = self.pinned == Some(index);
        let reserve = settings.reserve_percent;
        let below_reserve =
            reserve > 0.0 && windows.clone().any(|window| 100.0 - window.used_at(self.now) < reserve);
        let used_up = account.health.usage.as_ref().is_some_and(|usage| usage.is_used_up(limit, self.now));
        let drawback = |has: bool, drawback: u8| u8::from(has) * drawback;
        SortKey {
            drawbacks: drawback(account.token_unavailable(self.now).is_some(), NO_TOKEN)
                | drawback(!pinned, NOT_PINNED)
                | drawback(!pinned && below_reserve, IN_RESERVE)
                | drawback(account.backoff_until(self.now).is_some(), BACKING_OFF)
                | drawback(self.session != Some(index), NOT_IN_SESSION)
                | drawback(used_up, EXHAUSTED),
            preference: preference(account, windows, settings, self.pool.chosen[index], self.now),
            last_used_at: self.pool.last_used_at(account),
        }
    }

    fn reasons(&self, index: usize, key: &SortKey, in_use: bool) -> Vec<Reason> {
        let account = &self.pool.accounts[index];
        let windows = windows(account, self.need.limit_of(account));
        let by_reset = match by_reset(windows.clone(), self.now) {
            ByReset::Untouched => Some(Reason::Untouched),
            ByReset::At { window_minutes, at } => Some(Reason::ResetsAt { window_minutes, at }),
            ByReset::Sometime => None,
            ByReset::UsageUnknown => Some(Reason::UsageUnknown),
        };
        let settings = &self.pool.settings;
        let (first, second) = match settings.strategy {
            Strategy::ResetFirst => (by_reset, None),
            Strategy::LeastUsed => {
                (Some(most_used(windows, self.now).map_or(Reason::UsageUnknown, Reason::UsedPercent)), None)
            }
            Strategy::RoundRobin => (Some(Reason::Turn(self.pool.choices_since(index))), None),
            Strategy::Priority => (Some(Reason::Priority(settings.priority_of(account))), by_reset),
        };
        [
            self.demand.account.is_some().then_some(Reason::Named),
            key.has(NO_TOKEN).then_some(Reason::NoToken),
            (!key.has(NOT_PINNED)).then_some(Reason::Pinned),
            (key.has(IN_RESERVE) && in_use).then_some(Reason::InReserve),
            account.backoff_until(self.now).map(|until| Reason::BackingOff { until }),
            (!key.has(NOT_IN_SESSION)).then_some(Reason::Session),
            key.has(EXHAUSTED).then_some(Reason::Exhausted),
            first,
            second,
            Some(account.health.last_used_at.map_or(Reason::NeverUsed, Reason::LastUsed)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn windows<'a>(account: &'a Account, limit: Option<&'a str>) -> impl Iterator<Item = Window> + Clone + 'a {
    account.health.usage.iter().flat_map(move |usage| usage.all_windows(limit))
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests;
