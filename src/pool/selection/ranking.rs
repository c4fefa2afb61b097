//! Which account is used: one order for picking and for showing, so that what `rotation` shows is what happens.

use super::eligibility::{Need, why_not, why_not_named};
use super::glance::{ByReset, Glance, Merit, by_reset, most_used};
use crate::pool::{Account, AccountId, AffinityMode, At, Pool, Reason, Strategy, WhyNotEligible, Window};

/// What a completion asks of the pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Only this account, and no rotation.
    pub account: Option<AccountId>,
    pub session: Option<String>,
    pub model: Option<String>,
}

/// One account's place in the order of choice.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    pub account: AccountId,
    /// From 1; none when the account is not eligible.
    pub rank: Option<u32>,
    /// The most decisive first.
    pub reasons: Vec<Reason>,
}

impl Pool {
    /// Every account, in the order they would be tried; those that would not be are last, in the file's order.
    pub fn ranking(&self, demand: &Demand, now: At) -> Vec<Ranked> {
        let lookout = Ranker::new(self, demand, now);
        let mut eligible = Vec::with_capacity(self.accounts.len());
        let mut passed_over = Vec::new();
        for index in 0..self.accounts.len() {
            match lookout.why_not(index) {
                None => eligible.push((lookout.place(index), index)),
                Some(why) => passed_over.push((why, index)),
            }
        }
        eligible.sort_unstable();
        let in_reserve = eligible.iter().filter(|(place, _)| place.has(IN_RESERVE)).count();
        let chosen = if in_reserve < eligible.len() { eligible.len() - in_reserve } else { eligible.len() };
        let ranked = eligible.iter().enumerate().map(|(nth, &(place, index))| {
            let kept_back = nth >= chosen;
            let rank = (!kept_back).then(|| u32::try_from(nth + 1).unwrap_or(u32::MAX));
            let why_not = kept_back.then_some(Reason::NotEligible(WhyNotEligible::BelowReserve));
            let reasons = why_not.into_iter().chain(lookout.reasons(index, &place, !kept_back)).collect();
            Ranked { account: self.accounts[index].id.clone(), rank, reasons }
        });
        let passed_over = passed_over.into_iter().map(|(why, index)| Ranked {
            account: self.accounts[index].id.clone(),
            rank: None,
            reasons: vec![Reason::NotEligible(why)],
        });
        ranked.chain(passed_over).collect()
    }

    /// The account to try first, leaving out `excluded`.
    pub fn best(&self, demand: &Demand, excluded: &[AccountId], now: At) -> Option<AccountId> {
        self.best_where(demand, now, |id| !excluded.contains(id))
    }

    /// The first in the order among the eligible ones that `admits`. One glance at each account, and nothing is
    /// allocated.
    pub(crate) fn best_where(
        &self,
        demand: &Demand,
        now: At,
        admits: impl Fn(&AccountId) -> bool,
    ) -> Option<AccountId> {
        let lookout = Ranker::new(self, demand, now);
        let mut best: Option<(SortKey, usize)> = None;
        for (index, glance) in self.glances.iter().enumerate() {
            if lookout.is_eligible(index, glance) {
                let place = lookout.place_by(index, glance);
                if best.is_none_or(|(best, _)| place < best) && admits(&self.accounts[index].id) {
                    best = Some((place, index));
                }
            }
        }
        best.map(|(_, index)| self.accounts[index].id.clone())
    }

    /// The first in the order among those that nothing but an earlier refusal of this model keeps from it.
    pub(crate) fn best_refused(&self, demand: &Demand, now: At) -> Option<AccountId> {
        let lookout = Ranker::new(self, demand, now);
        let refused =
            |index: &usize| matches!(lookout.why_not(*index), Some(WhyNotEligible::ModelExcluded { .. }));
        let best = (0..self.accounts.len()).filter(refused).min_by_key(|&index| lookout.place(index))?;
        Some(self.accounts[best].id.clone())
    }
}

/// All that one decision looks at, found once.
struct Ranker<'a> {
    pool: &'a Pool,
    demand: &'a Demand,
    need: Need<'a>,
    /// A glance tells nothing of what is asked for.
    looks_closer: bool,
    pinned: Option<usize>,
    session: Option<usize>,
    now: At,
}

/// An account's place among the eligible ones: the smallest is tried first, and no two are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SortKey {
    drawbacks: u8,
    /// By strategy, see [`Merit`].
    preference: (i64, i64),
    /// Never used comes first. Joining counts as a use.
    last_used_at: At,
    nth_by_id: u32,
}

/// What holds an account back, each worse than all after it together.
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
        let need = pool.need(demand);
        Ranker {
            pool,
            demand,
            need,
            looks_closer: demand.account.is_some() || need.limit.is_some(),
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

    /// Whether [`Ranker::why_not`] has nothing to say, told by a glance when that is enough.
    // Always inlined, as `place_by`: the loop over all accounts is little else, and small code would call both.
    #[inline(always)]
    fn is_eligible(&self, index: usize, glance: &Glance) -> bool {
        if self.looks_closer || glance.excludes_models && self.need.model.is_some() {
            self.why_not(index).is_none()
        } else {
            glance.out_until <= self.now
        }
    }

    fn place(&self, index: usize) -> SortKey {
        self.place_by(index, &self.pool.glances[index])
    }

    #[inline(always)]
    fn place_by(&self, index: usize, glance: &Glance) -> SortKey {
        let merit = if self.need.limit.is_none() && self.now < glance.merit_until {
            glance.merit
        } else {
            self.merit(index)
        };
        let pinned = self.pinned == Some(index);
        let drawback = |has: bool, drawback: u8| u8::from(has) * drawback;
        SortKey {
            drawbacks: drawback(!pinned, NOT_PINNED)
                | drawback(!pinned && merit.below_reserve, IN_RESERVE)
                | drawback(glance.backing_off_until > self.now, BACKING_OFF)
                | drawback(self.session != Some(index), NOT_IN_SESSION)
                | drawback(merit.exhausted, EXHAUSTED),
            preference: merit.preference,
            last_used_at: glance.last_used_at,
            nth_by_id: glance.nth_by_id,
        }
    }

    #[cold]
    fn merit(&self, index: usize) -> Merit {
        let account = &self.pool.accounts[index];
        let (settings, chosen) = (&self.pool.settings, self.pool.chosen[index]);
        Merit::of(account, self.windows(account), settings, chosen, self.now)
    }

    fn windows(&self, account: &'a Account) -> &'a [Window] {
        account.health.usage.as_ref().map_or(&[], |usage| usage.windows_of(self.need.limit))
    }

    fn reasons(&self, index: usize, place: &SortKey, in_use: bool) -> Vec<Reason> {
        let account = &self.pool.accounts[index];
        let windows = self.windows(account);
        let by_reset = match by_reset(windows, self.now) {
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
            Strategy::Priority => (Some(Reason::Priority(settings.priority_of(&account.id))), by_reset),
        };
        [
            self.demand.account.is_some().then_some(Reason::Named),
            (!place.has(NOT_PINNED)).then_some(Reason::Pinned),
            (place.has(IN_RESERVE) && in_use).then_some(Reason::InReserve),
            account.backoff_until(self.now).map(|until| Reason::BackingOff { until }),
            (!place.has(NOT_IN_SESSION)).then_some(Reason::Session),
            place.has(EXHAUSTED).then_some(Reason::Exhausted),
            first,
            second,
            Some(account.health.last_used_at.map_or(Reason::NeverUsed, Reason::LastUsed)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests;
