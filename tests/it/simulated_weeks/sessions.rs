//! Twenty sessions: when they work, how their context grows, and where their prompt cache is.

use std::collections::HashMap;

use multicodex::pool::AccountId;

use super::rng::{DAY, HOUR, MINUTE, Rng};

/// A prompt cache that was not used for this long is gone, on every account.
const CACHE_LIVES: i64 = HOUR;
/// Thousands of tokens; above them the agent compacts.
const LONGEST_CONTEXT: i64 = 160;

#[derive(Debug)]
pub struct Session {
    pub name: String,
    /// Separate for each session, so that its actions depend as little as possible on the account that serves it.
    pub dice: Rng,
    /// Each with its beginning and end.
    bursts: Vec<(i64, i64)>,
    context: i64,
    /// By account: how much of the context its cache holds, and since when.
    caches: HashMap<AccountId, (i64, i64)>,
    /// By account: how many items of its reasoning the context holds.
    reasoning: HashMap<AccountId, i64>,
    pub last: Option<AccountId>,
}

/// One turn and its cost, in thousands of tokens.
#[derive(Clone, Copy, Debug)]
pub struct Bill {
    pub cost: i64,
    pub context: i64,
    /// What the previous account still had in its cache and this one has not.
    pub cache_lost: i64,
    /// Items of reasoning in the context.
    pub reasoning: i64,
    /// Those of other accounts, which upstream removes (schema/upstream.md).
    pub reasoning_removed: i64,
}

/// Sixteen that work in office hours, and four that also work at night and on the weekend.
pub fn twenty(dice: &mut Rng) -> Vec<Session> {
    let session = |nth: i64| {
        let mut bursts = Vec::new();
        for day in 0..7 {
            let by_night = nth >= 16;
            if day >= 5 && !by_night {
                continue;
            }
            let (first, last) = if by_night { (0, 22) } else { (8, 18) };
            for _ in 0..3 {
                let from = day * DAY + dice.between(first * HOUR, last * HOUR);
                bursts.push((from, from + dice.between(20 * MINUTE, 100 * MINUTE)));
            }
        }
        bursts.sort_unstable();
        let dice = Rng(dice.between(0, i64::MAX).unsigned_abs());
        Session {
            name: format!("s{nth}"),
            dice,
            bursts,
            context: 12,
            caches: HashMap::new(),
            reasoning: HashMap::new(),
            last: None,
        }
    };
    (0..20).map(session).collect()
}

impl Session {
    /// Returns when it has work again: now within a burst, else when the next one begins.
    pub fn works_from(&self, now: i64) -> Option<i64> {
        self.bursts.iter().find(|(_, to)| now < *to).map(|(from, _)| now.max(*from))
    }

    /// Returns the cost of the next turn on this account: a tenth for what its cache holds.
    pub fn bill(&mut self, account: &AccountId, now: i64) -> Bill {
        let output = self.dice.between(1, 3);
        let cached = |account: &AccountId| {
            let held = self.caches.get(account).filter(|(_, at)| now - at < CACHE_LIVES);
            held.map_or(0, |(context, _)| (*context).min(self.context))
        };
        let here = cached(account);
        let cache_lost = self.last.as_ref().map_or(0, |last| cached(last) - here).max(0);
        let reasoning = self.reasoning.values().sum();
        Bill {
            cost: (self.context - here) + here / 10 + 5 * output,
            context: self.context,
            cache_lost,
            reasoning,
            reasoning_removed: reasoning - self.reasoning.get(account).unwrap_or(&0),
        }
    }

    /// The turn was answered, with one item of reasoning that later turns replay until the context is compacted.
    pub fn goes_on(&mut self, account: &AccountId, now: i64) {
        self.caches.insert(account.clone(), (self.context, now));
        self.last = Some(account.clone());
        *self.reasoning.entry(account.clone()).or_default() += 1;
        self.context += self.dice.between(1, 6);
        if self.context > LONGEST_CONTEXT {
            self.context = 20;
            // A compacted context is a new prompt.
            self.caches.clear();
            self.reasoning.clear();
        }
    }
}
