//! What a usage reading changes: what is known about usage, and cooldowns that only predicted. It never cools an
//! account by itself: only a refusal does.

use super::cooldown::Correction;
use super::usage::latest_exhausted_reset;
use super::{
    AccountId, At, Certainty, Cooldown, Credits, FailureKind, Pool, Source, Usage, UsageReading, UsageSource,
    Window,
};

/// What became of a reading, the least first: of several effects the greatest is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UsageEffect {
    /// Older than what is known, or of an account that left: nothing changed.
    Ignored,
    Stored,
    /// A cooldown's end was corrected.
    CooldownMoved {
        until: At,
    },
    /// The account (or one of its limits) is back before its time.
    CooldownEnded,
}

impl Pool {
    /// Stores the latest of each part, and corrects or ends a predicted cooldown (protocol.md 8, "Rotation"). One that
    /// upstream ordered (`retry-after`) stands, and so does one for a rate limit: it has nothing to do with windows.
    pub fn apply_usage(&mut self, id: &AccountId, reading: UsageReading, now: At) -> UsageEffect {
        let mut effect = UsageEffect::Ignored;
        self.update(id, |account| {
            let health = &mut account.health;
            if health.usage.as_ref().is_some_and(|known| known.fetched_at > reading.fetched_at) {
                return false;
            }
            effect = UsageEffect::Stored;
            if let Some(cooldown) = &mut health.cooldown {
                effect = effect.max(correct(cooldown, &reading.windows, &reading, now));
            }
            for limit in &reading.limits {
                let held = health.limit_cooldowns.iter_mut().find(|(id, _)| *id == limit.limit_id);
                if let Some((_, cooldown)) = held {
                    effect = effect.max(correct(cooldown, &limit.windows, &reading, now));
                }
            }
            if reading.plan.is_some() {
                account.plan.clone_from(&reading.plan);
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

fn correct(cooldown: &mut Cooldown, windows: &[Window], reading: &UsageReading, now: At) -> UsageEffect {
    let from_windows = matches!(cooldown.why.kind, FailureKind::UsageLimit | FailureKind::Credits);
    if cooldown.until <= now || cooldown.certainty == Certainty::Directive || !from_windows {
        return UsageEffect::Stored;
    }
    let below_limit = !windows.is_empty() && !windows.iter().any(|window| window.is_exhausted(now));
    // Without credits, unused windows prove nothing: a plan that does not include usage has those too.
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
