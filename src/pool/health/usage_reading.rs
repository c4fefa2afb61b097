//! What a usage reading changes: the known usage, and cooldowns that were predictions. It never cools an account: only
//! a refusal does.

use super::cooldown::Correction;
use crate::pool::usage::latest_exhausted_reset;
use crate::pool::{
    AccountId, AdditionalLimit, At, Certainty, Cooldown, Credits, FailureKind, Pool, ResetCreditList, Source,
    SpendControl, Usage, UsageReading, UsageSource, Window,
};

/// The effect of a reading, the smallest first: of several effects the largest is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UsageEffect {
    /// Older than the known one, or for an account that was removed: nothing changed.
    Ignored,
    Stored,
    /// The end of a cooldown was corrected.
    CooldownMoved {
        until: At,
    },
    /// The account (or one of its limits) is available early.
    CooldownEnded,
}

impl Pool {
    /// Stores the latest of each part, and corrects or ends a predicted cooldown (schema/protocol.md, "Usage"). A
    /// cooldown that upstream ordered (`retry-after`) stays, and so does one for a rate limit, which has nothing to do
    /// with windows.
    pub fn apply_usage(&mut self, id: &AccountId, mut reading: UsageReading, now: At) -> UsageEffect {
        self.observe_clock(now);
        if reading.requested_at.is_ahead_of(now) {
            // The clock was set back since, so it is unknown whether a refusal came before or after the request.
            reading.requested_at = At(0);
        }
        reading.fetched_at = reading.fetched_at.not_ahead_of(now);
        let mut effect = UsageEffect::Ignored;
        self.update(id, |account| {
            let health = &mut account.health;
            if health.usage.as_ref().is_some_and(|known| known.fetched_at > reading.fetched_at) {
                return false;
            }
            effect = UsageEffect::Stored;
            if let Some(cooldown) = &mut health.cooldown {
                effect = effect.max(correct(cooldown, None, &reading, now));
            }
            for limit in &reading.limits {
                let held = health.limit_cooldowns.iter_mut().find(|(id, _)| *id == limit.limit_id);
                if let Some((_, cooldown)) = held {
                    effect = effect.max(correct(cooldown, Some(limit), &reading, now));
                }
            }
            if reading.plan.is_some() && account.plan != reading.plan {
                account.plan.clone_from(&reading.plan);
                health.allow_all_models(now);
            }
            match &mut health.usage {
                Some(known) => known.update(reading),
                None => health.usage = Some(Usage::from(reading)),
            }
            true
        });
        effect
    }
}

impl Pool {
    /// Ends the cooldown of a usage limit after a reading showed that the windows were reset. Unlike with another
    /// reading, upstream's count is not late here, because the reset has changed it.
    pub fn end_usage_limit(&mut self, id: &AccountId, now: At) {
        self.update(id, |account| {
            let Some(cooldown) = &mut account.health.cooldown else { return false };
            let is_over = cooldown.until <= now || cooldown.why.kind != FailureKind::UsageLimit;
            if is_over || cooldown.certainty == Certainty::Directive {
                return false;
            }
            cooldown.end(now.max(At(cooldown.why.since.0.saturating_add(1))), now);
            true
        });
    }

    /// Stores a list of reset credits.
    pub fn apply_reset_credits(&mut self, id: &AccountId, mut list: ResetCreditList, now: At) {
        list.fetched_at = list.fetched_at.not_ahead_of(now);
        self.update(id, |account| {
            let Some(usage) = &mut account.health.usage else { return false };
            let before = (usage.resets_left.clone(), usage.reset_credits.clone());
            usage.update_reset_credits(list);
            before != (usage.resets_left.clone(), usage.reset_credits.clone())
        });
    }
}

/// `limit` is `None` for the main one.
fn correct(
    cooldown: &mut Cooldown,
    limit: Option<&AdditionalLimit>,
    reading: &UsageReading,
    now: At,
) -> UsageEffect {
    let from_windows = matches!(cooldown.why.kind, FailureKind::UsageLimit | FailureKind::Credits);
    if cooldown.until <= now || cooldown.certainty == Certainty::Directive || !from_windows {
        return UsageEffect::Stored;
    }
    let windows: Vec<Window> = match limit {
        Some(limit) => limit.windows.clone(),
        None => {
            let cap = reading.spend.as_ref().and_then(SpendControl::window);
            reading.windows.iter().copied().chain(cap).collect()
        }
    };
    // Upstream may refuse at 98 %.
    let refuses = limit.map_or(reading.reached.is_some(), |limit| limit.refuses);
    let below_limit =
        !refuses && !windows.is_empty() && !windows.iter().any(|window| window.is_exhausted(now));
    // Without credits, unused windows prove nothing, because a plan without usage has them, too.
    let paid = |credits: &Credits| credits.has_credits || credits.unlimited;
    let able = cooldown.why.kind != FailureKind::Credits || reading.credits.as_ref().is_some_and(paid);
    let exhausted_until = latest_exhausted_reset(windows, now);
    match cooldown.correct(exhausted_until, below_limit && able, reading.requested_at, now) {
        Correction::None => UsageEffect::Stored,
        Correction::Moved(until) => {
            cooldown.why.source = match reading.source {
                UsageSource::UsageEndpoint => Source::UsageEndpoint,
                UsageSource::ResponseHeaders => Source::ResponseHeaders,
                UsageSource::StreamEvent => Source::StreamEvent,
            };
            UsageEffect::CooldownMoved { until }
        }
        Correction::Ended => UsageEffect::CooldownEnded,
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::pool::testing::{failure, id, limited, pool_of, reading, window};
    use crate::pool::{Demand, FIVE_HOURS, Failover, Failure, ResetReport, ResetScope, WEEK};

    const NOW: At = At(1_000_000_000);

    fn in_secs(secs: i64) -> At {
        At(NOW.0 + secs * 1000)
    }

    /// A pool with one account that was refused just now.
    fn refused(failure: &Failure) -> Pool {
        let mut pool = pool_of(&["a"]);
        let mut failover = Failover::new(Demand { model: Some("m".into()), ..Demand::default() });
        failover.next(&mut pool, NOW);
        failover.failed(&mut pool, failure, NOW);
        pool
    }

    fn cooldown_until(pool: &Pool, now: At) -> Option<At> {
        pool.get(&id("a")).and_then(|account| account.cooldown_until(now))
    }

    #[test]
    fn what_a_reading_does_to_a_cooldown() {
        let check = |failure: Failure, windows: &[Window], after: i64, effect, until: Option<i64>| {
            let mut pool = refused(&failure);
            let at = in_secs(after);
            assert_eq!(
                pool.apply_usage(&id("a"), reading(windows, at), at),
                effect,
                "{failure:?} {windows:?}"
            );
            assert_eq!(cooldown_until(&pool, at), until.map(in_secs), "{failure:?} {windows:?}");
        };
        let quoted = || Failure { resets_at: Some(in_secs(500)), ..limited() };
        let rate = || Failure {
            retry_after: Some(std::time::Duration::from_secs(90)),
            ..failure(FailureKind::RateLimit)
        };
        let free = [window(FIVE_HOURS, 99.0, Some(in_secs(700))), window(WEEK, 0.0, None)];
        let full = [window(FIVE_HOURS, 100.0, Some(in_secs(700))), window(WEEK, 10.0, Some(in_secs(9_000)))];
        let unsure = [window(FIVE_HOURS, 100.0, None)];
        use UsageEffect::*;
        check(quoted(), &free, 10, CooldownEnded, None);
        check(quoted(), &free, 9, Stored, Some(500));
        check(quoted(), &full, 0, CooldownMoved { until: in_secs(700) }, Some(700));
        check(limited(), &full, 0, CooldownMoved { until: in_secs(700) }, Some(700));
        check(limited(), &free, 9, Stored, Some(3600));
        check(limited(), &free, 10, CooldownEnded, None);
        check(limited(), &unsure, 60, Stored, Some(3600));
        check(limited(), &[], 60, Stored, Some(3600));
        check(rate(), &free, 60, Stored, Some(90));
        check(failure(FailureKind::RateLimit), &free, 30, Stored, Some(60));
        check(failure(FailureKind::Credits), &free, 60, Stored, Some(3600));
    }

    #[test]
    fn credits_bring_an_account_back_that_ran_out_of_them() {
        let mut pool = refused(&failure(FailureKind::Credits));
        let mut paid = reading(&[window(WEEK, 3.0, None)], in_secs(60));
        paid.credits = Some(Credits { has_credits: true, ..Credits::default() });
        assert_eq!(pool.apply_usage(&id("a"), paid, in_secs(60)), UsageEffect::CooldownEnded);
    }

    #[test]
    fn a_reading_of_a_limit_of_its_own_touches_only_that() {
        let own = Failure { limit_id: Some("codex_bengalfox".into()), ..limited() };
        let mut pool = refused(&own);
        pool.apply_usage(&id("a"), reading(&[window(WEEK, 3.0, None)], in_secs(60)), in_secs(60));
        let held = |pool: &Pool| {
            let account = pool.get(&id("a")).expect("a stays");
            account.health.cooldown_of(Some("codex_bengalfox"), in_secs(61)).map(|cooldown| cooldown.until)
        };
        assert_eq!(held(&pool), Some(in_secs(3600)));
        let mut own = reading(&[], in_secs(61));
        own.limits = vec![AdditionalLimit {
            limit_id: "codex_bengalfox".into(),
            name: None,
            windows: vec![window(FIVE_HOURS, 0.0, None)],
            refuses: false,
        }];
        assert_eq!(pool.apply_usage(&id("a"), own, in_secs(61)), UsageEffect::CooldownEnded);
        assert_eq!(held(&pool), None);
    }

    #[test]
    fn an_ended_cooldown_is_not_brought_back_by_a_sidecar_that_remembers_it() {
        let mut pool = refused(&limited());
        let remembered = pool.get(&id("a")).expect("a stays").health.clone();
        pool.apply_usage(&id("a"), reading(&[window(WEEK, 3.0, None)], in_secs(60)), in_secs(60));
        pool.absorb(&id("a"), &remembered, in_secs(60));
        assert_eq!(cooldown_until(&pool, in_secs(60)), None);

        let mut pool = refused(&limited());
        let cleared = ResetReport { unpinned: false, cooldowns_cleared: 1 };
        assert_eq!(pool.reset(ResetScope::All, in_secs(1)), cleared);
        assert!(!pool.absorb(&id("a"), &remembered, in_secs(1)));
        assert_eq!(cooldown_until(&pool, in_secs(1)), None);
        assert_eq!(pool.reset(ResetScope::All, in_secs(2)), ResetReport::default());
    }

    #[test]
    fn what_was_asked_before_the_clock_was_set_back_ends_no_cooldown() {
        let ahead = |secs: i64| in_secs(7200 + secs);
        let mut pool = pool_of(&["a"]);
        let walk_at = |pool: &mut Pool, at: At| {
            let mut failover = Failover::new(Demand { account: Some(id("a")), ..Demand::default() });
            failover.next(pool, at);
            failover
        };
        walk_at(&mut pool, ahead(0)).failed(&mut pool, &limited(), ahead(0));
        let asked = reading(&[window(WEEK, 3.0, None)], ahead(1));
        let mut served = walk_at(&mut pool, ahead(1));
        pool.observe_clock(ahead(2));
        assert!(pool.observe_clock(in_secs(0)));
        assert_eq!(pool.apply_usage(&id("a"), asked, in_secs(1)), UsageEffect::Stored);
        served.succeeded(&mut pool, in_secs(1));
        assert_eq!(cooldown_until(&pool, in_secs(2)), Some(in_secs(3600)));
        let usage = pool.get(&id("a")).and_then(|account| account.health.usage.as_ref());
        assert_eq!(usage.map(|usage| usage.fetched_at), Some(in_secs(1)));
    }

    /// The clock was two hours ahead when the account was refused, and was corrected right after.
    #[test]
    fn a_clock_that_was_set_back_keeps_no_account_away() {
        let ahead = |secs: i64| in_secs(7200 + secs);
        let refused = |failure: &Failure| {
            let mut pool = pool_of(&["a"]);
            pool.apply_usage(&id("a"), reading(&[window(WEEK, 50.0, None)], ahead(-1)), ahead(-1));
            let mut failover = Failover::new(Demand { model: Some("m".into()), ..Demand::default() });
            failover.next(&mut pool, ahead(0));
            failover.failed(&mut pool, failure, ahead(0));
            pool
        };
        // New numbers do not count as old, and end what they may end.
        let mut pool = refused(&Failure { resets_at: Some(ahead(9000)), ..limited() });
        let free = [window(WEEK, 3.0, None)];
        assert_eq!(pool.apply_usage(&id("a"), reading(&free, in_secs(1)), in_secs(1)), UsageEffect::Stored);
        let ended = pool.apply_usage(&id("a"), reading(&free, in_secs(12)), in_secs(12));
        assert_eq!((ended, cooldown_until(&pool, in_secs(12))), (UsageEffect::CooldownEnded, None));
        // A duration lasts as long as it was, not two hours more.
        let retry_after = Some(std::time::Duration::from_secs(90));
        let mut pool = refused(&Failure { retry_after, ..failure(FailureKind::RateLimit) });
        pool.apply_usage(&id("a"), reading(&free, in_secs(1)), in_secs(1));
        assert_eq!(cooldown_until(&pool, in_secs(2)), Some(in_secs(91)));
        let mut pool = refused(&limited());
        pool.apply_usage(&id("a"), reading(&[], in_secs(1)), in_secs(1));
        assert_eq!(cooldown_until(&pool, in_secs(2)), Some(in_secs(3601)));
    }

    #[test]
    fn a_completion_that_was_sent_after_the_refusal_and_served_ends_a_prediction() {
        let served = |failure: &Failure, sent: i64| {
            let mut pool = refused(failure);
            let named = Demand { account: Some(id("a")), model: Some("m".into()), ..Demand::default() };
            let mut failover = Failover::new(named);
            failover.next(&mut pool, in_secs(sent));
            failover.accepted(&mut pool, in_secs(20));
            failover.succeeded(&mut pool, in_secs(30));
            let health = &pool.get(&id("a")).expect("a stays").health;
            let held = health.cooldown_of(failure.limit_id.as_deref(), in_secs(30));
            held.map(|cooldown| cooldown.until)
        };
        assert_eq!(served(&limited(), 1), None);
        assert_eq!(served(&Failure { resets_at: Some(in_secs(500)), ..limited() }, 1), None);
        let own = Failure { limit_id: Some("codex_bengalfox".into()), ..limited() };
        assert_eq!(served(&own, 1), None);

        // A request that was in progress when another one was refused proves nothing.
        let mut pool = pool_of(&["a"]);
        let (mut long, mut short) = (Failover::new(Demand::default()), Failover::new(Demand::default()));
        long.next(&mut pool, in_secs(-5));
        short.next(&mut pool, NOW);
        short.failed(&mut pool, &limited(), NOW);
        long.succeeded(&mut pool, in_secs(10));
        assert_eq!(cooldown_until(&pool, in_secs(10)), Some(in_secs(3600)));
    }

    #[test]
    fn a_sleep_of_a_night_ends_what_ended_meanwhile() {
        let night = 8 * 3600;
        let pool = refused(&Failure { resets_at: Some(in_secs(3600)), ..limited() });
        assert_eq!(cooldown_until(&pool, in_secs(night)), None);
        assert_eq!(pool.active(in_secs(night)), Some(id("a")));
        let mut pool = refused(&Failure { resets_at: Some(in_secs(night + 60)), ..limited() });
        assert_eq!(cooldown_until(&pool, in_secs(night)), Some(in_secs(night + 60)));
        let free = reading(&[window(WEEK, 0.0, None)], in_secs(night));
        assert_eq!(pool.apply_usage(&id("a"), free, in_secs(night)), UsageEffect::CooldownEnded);
    }

    #[test]
    fn an_older_reading_changes_nothing() {
        let mut pool = pool_of(&["a"]);
        pool.apply_usage(&id("a"), reading(&[window(WEEK, 3.0, None)], in_secs(5)), in_secs(5));
        let revision = pool.revision();
        let older = reading(&[window(WEEK, 1.0, None)], in_secs(4));
        assert_eq!(pool.apply_usage(&id("a"), older, in_secs(6)), UsageEffect::Ignored);
        assert_eq!(pool.revision(), revision);
        assert_eq!(pool.apply_usage(&id("b"), reading(&[], NOW), NOW), UsageEffect::Ignored);
    }
}
