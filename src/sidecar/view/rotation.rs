//! The rotation settings and order, for the wire.

use crate::pool::{self, At, Demand, Pool, ROTATION_SETTINGS};
use crate::protocol;
use crate::sidecar::view::settings::settings_view;

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
        settings: settings_view(ROTATION_SETTINGS, settings),
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
