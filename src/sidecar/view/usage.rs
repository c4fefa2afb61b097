//! The usage, with the time and source of each part.

use crate::pool::{self, At, Health, Known};
use crate::protocol::{
    AdditionalLimit, Credits, Reserve, ResetCredit, ResetCredits, Seen, SpendControl, Usage, UsageSource,
    Window,
};

pub(crate) fn usage(health: &Health, now: At) -> Option<Usage> {
    let known = health.usage.as_ref()?;
    let limit = |Known { value, seen: when }: &Known<pool::AdditionalLimit>| AdditionalLimit {
        limit_id: value.limit_id.clone(),
        name: value.name.clone(),
        windows: windows(&value.windows, now),
        cooldown_until: health.cooldown_of(Some(&value.limit_id), now).map(|it| it.until.millis()),
        seen: seen(*when, now),
    };
    Some(Usage {
        windows: windows(&known.windows, now),
        reached: known.reached.clone(),
        seen: seen(known.seen(), now),
        limits: known.limits.iter().map(limit).collect(),
        credits: known.credits.as_ref().map(|Known { value, seen: when }| Credits {
            has_credits: value.has_credits,
            unlimited: value.unlimited,
            balance: value.balance.clone(),
            seen: seen(*when, now),
        }),
        spend_control: known.spend.as_ref().map(|Known { value, seen: when }| SpendControl {
            reached: value.reached,
            limit: value.limit.clone(),
            used: value.used.clone(),
            used_percent: value.used_percent,
            resets_at: value.resets_at.map(At::millis),
            seen: seen(*when, now),
        }),
        reset_credits: (known.resets_left.as_ref()).map(|Known { value, seen: when }| ResetCredits {
            available: *value,
            credits: known
                .listed_reset_credits(now)
                .unwrap_or_default()
                .into_iter()
                .map(reset_credit)
                .collect(),
            seen: seen(*when, now),
        }),
        reserve: known.reserve.as_ref().filter(|known| known.value.is_told_of()).map(
            |Known { value, seen: when }| Reserve {
                granted: value.granted,
                ordinary_model: value.ordinary_model.clone(),
                cooldown_until: health
                    .cooldown_of(Some(pool::RESERVE_LIMIT), now)
                    .map(|it| it.until.millis()),
                seen: seen(*when, now),
            },
        ),
    })
}

pub(crate) fn reset_credit(credit: &pool::ResetCredit) -> ResetCredit {
    ResetCredit {
        id: credit.id.clone(),
        expires_at: credit.expires_at.map(At::millis),
        status: credit.status.clone(),
    }
}

fn seen(seen: pool::Seen, now: At) -> Seen {
    Seen {
        fetched_at: seen.at.millis(),
        source: match seen.source {
            pool::UsageSource::UsageEndpoint => UsageSource::UsageEndpoint,
            pool::UsageSource::ResponseHeaders => UsageSource::ResponseHeaders,
            pool::UsageSource::StreamEvent => UsageSource::StreamEvent,
        },
        stale: now.since(seen.at) > pool::STALE_AFTER,
    }
}

/// As of now: a window that began again is not shown as used up until it is read again.
pub(crate) fn windows(windows: &[pool::Window], now: At) -> Vec<Window> {
    windows
        .iter()
        .map(|window| Window {
            name: pool::window_name(window.window_minutes),
            used_percent: window.used_at(now),
            window_minutes: window.window_minutes,
            resets_at: window.next_reset(now).map(At::millis),
        })
        .collect()
}
