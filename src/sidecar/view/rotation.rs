//! The rotation settings and order, for the wire.

use std::time::Duration;

use crate::pool::{self, At, Demand, Pool};
use crate::protocol;
use crate::sidecar::view::transport::transport;

pub(crate) fn rotation(pool: &Pool, demand: &Demand, now: At) -> protocol::Rotation {
    let order = pool.ranking(demand, now).into_iter().map(|ranked| protocol::RankedAccount {
        label: pool.get(&ranked.account).map(|account| account.label.clone()).unwrap_or_default(),
        account: ranked.account.to_string(),
        eligible: ranked.rank.is_some(),
        rank: ranked.rank,
        reasons: ranked.reasons.iter().map(|reason| reason.words(now)).collect(),
    });
    let settings = pool.settings();
    protocol::Rotation {
        policy: settings.policy(),
        settings: rotation_settings(settings),
        order: order.collect(),
        plan: Vec::new(),
    }
}

pub(crate) fn plan(steps: &[pool::PlanStep]) -> Vec<protocol::PlanStep> {
    let step = |planned: &pool::PlanStep| {
        let (step, expires_at, until) = match planned.step {
            pool::Step::Reserve => (protocol::PlanStepKind::Reserve, None, None),
            pool::Step::ResetCredit { expires_at } => (protocol::PlanStepKind::ResetCredit, expires_at, None),
            pool::Step::Wait { until } => (protocol::PlanStepKind::Wait, None, Some(until)),
        };
        protocol::PlanStep {
            step,
            account: planned.account.to_string(),
            allowed: planned.allowed,
            reason: planned.reason.clone(),
            expires_at: expires_at.map(At::millis),
            until: until.map(At::millis),
        }
    };
    steps.iter().map(step).collect()
}

fn rotation_settings(settings: &pool::RotationSettings) -> protocol::RotationSettings {
    let mut priority: Vec<_> = settings
        .priority
        .iter()
        .map(|(account, priority)| protocol::AccountPriority {
            account: account.to_string(),
            priority: *priority,
        })
        .collect();
    priority.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.account.cmp(&b.account)));
    protocol::RotationSettings {
        strategy: match settings.strategy {
            pool::Strategy::ResetFirst => protocol::Strategy::ResetFirst,
            pool::Strategy::LeastUsed => protocol::Strategy::LeastUsed,
            pool::Strategy::RoundRobin => protocol::Strategy::RoundRobin,
            pool::Strategy::Priority => protocol::Strategy::Priority,
        },
        affinity: match settings.affinity {
            pool::AffinityMode::Session => protocol::Affinity::Session,
            pool::AffinityMode::None => protocol::Affinity::None,
        },
        transport: transport(settings.transport),
        max_attempts: settings.max_attempts,
        fallback_cooldown_ms: millis(settings.fallback_cooldown),
        reserve_percent: settings.reserve_percent,
        wait_for_reset_ms: settings.wait_for_reset.map_or(0, millis),
        reserve: match settings.reserve {
            pool::ReserveUse::Never => protocol::ReserveUse::Never,
            pool::ReserveUse::Luna => protocol::ReserveUse::Luna,
            pool::ReserveUse::Any => protocol::ReserveUse::Any,
        },
        reset_credits: match settings.reset_credits {
            pool::ResetCreditUse::Never => protocol::ResetCreditUse::Never,
            pool::ResetCreditUse::WhenDry => protocol::ResetCreditUse::WhenDry,
        },
        priority,
    }
}

pub(crate) fn strategy_of(strategy: protocol::Strategy) -> pool::Strategy {
    match strategy {
        protocol::Strategy::ResetFirst => pool::Strategy::ResetFirst,
        protocol::Strategy::LeastUsed => pool::Strategy::LeastUsed,
        protocol::Strategy::RoundRobin => pool::Strategy::RoundRobin,
        protocol::Strategy::Priority => pool::Strategy::Priority,
    }
}

pub(crate) fn affinity_of(affinity: protocol::Affinity) -> pool::AffinityMode {
    match affinity {
        protocol::Affinity::Session => pool::AffinityMode::Session,
        protocol::Affinity::None => pool::AffinityMode::None,
    }
}

pub(crate) fn reserve_use_of(reserve: protocol::ReserveUse) -> pool::ReserveUse {
    match reserve {
        protocol::ReserveUse::Never => pool::ReserveUse::Never,
        protocol::ReserveUse::Luna => pool::ReserveUse::Luna,
        protocol::ReserveUse::Any => pool::ReserveUse::Any,
    }
}

pub(crate) fn reset_credit_use_of(credits: protocol::ResetCreditUse) -> pool::ResetCreditUse {
    match credits {
        protocol::ResetCreditUse::Never => pool::ResetCreditUse::Never,
        protocol::ResetCreditUse::WhenDry => pool::ResetCreditUse::WhenDry,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
