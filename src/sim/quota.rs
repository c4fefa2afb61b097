//! An account's quota besides its usage: reset credits and Luna Reserve (schema/upstream.md, usage).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::account::SimWindow;
use super::answer::Answer;
use super::received::Received;
use super::state::Member;
use super::wham;
use crate::pool::At;

const RESERVE_MODEL: &str = "gpt-reserve";
/// A reset begins a new week, so the end of the week moves.
const WEEK_MINUTES: u32 = 10_080;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimResetCredit {
    pub id: String,
    /// Seconds from the time when the usage was set; absent for one that never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_seconds: Option<i64>,
    /// `redeemed` for one that was spent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// The second quota of an account whose ordinary usage is used up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimReserve {
    pub used_percent: f64,
    /// Whether the banner that offers it is sent, too.
    #[serde(default = "yes")]
    pub banner: bool,
}

/// The redemptions of one account.
#[derive(Clone, Debug, Default)]
pub(super) struct Redeemed {
    /// Request id and credit id, in the order in which they were carried out.
    pub(super) done: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Redeem {
    redeem_request_id: String,
    credit_id: Option<String>,
}

fn yes() -> bool {
    true
}

/// `GET wham/rate-limit-reset-credits`.
pub(super) fn list(member: &Member, now: At) -> Answer {
    let credits: Vec<Value> = member
        .account
        .usage
        .reset_credits
        .iter()
        .map(|credit| {
            let status = if is_spent(member, credit) { "redeemed" } else { "available" };
            let expires_at = expires_at(member, credit).and_then(|at| Timestamp::from_second(at).ok());
            let expires_at = expires_at.map(|at| at.to_string());
            json!({
                "id": credit.id, "reset_type": "codex_rate_limits", "status": status, "expires_at": expires_at,
                "title": "Full reset (Weekly + 5 hr)",
            })
        })
        .collect();
    Answer::json(200, json!({ "available_count": available(member, now), "credits": credits }))
}

/// Returns how many can be redeemed.
pub(super) fn available(member: &Member, now: At) -> usize {
    member.account.usage.reset_credits.iter().filter(|credit| is_available(member, credit, now)).count()
}

/// `POST wham/rate-limit-reset-credits/consume`: a request id redeems at most one credit, however often it comes.
pub(super) fn redeem(member: &mut Member, received: &Received, now: At) -> Answer {
    let Ok(Redeem { redeem_request_id, credit_id }) = serde_json::from_str(&received.body) else {
        return Answer::json(
            422,
            json!({ "detail": [{ "loc": ["body", "redeem_request_id"], "msg": "field required" }] }),
        );
    };
    let answer =
        |code: &str, windows: usize| Answer::json(200, json!({ "code": code, "windows_reset": windows }));
    if member.redeemed.done.iter().any(|(request, _)| *request == redeem_request_id) {
        return answer("already_redeemed", 0);
    }
    let credits = &member.account.usage.reset_credits;
    let wanted = |credit: &&SimResetCredit| {
        credit_id.as_ref().is_none_or(|id| credit.id == *id) && is_available(member, credit, now)
    };
    let Some(credit) = credits.iter().find(wanted).map(|credit| credit.id.clone()) else {
        return answer("no_credit", 0);
    };
    let used = member.account.usage.windows.iter().filter(|window| window.used_percent > 0.0).count();
    if used == 0 {
        return answer("nothing_to_reset", 0);
    }
    member.redeemed.done.push((redeem_request_id, credit));
    if !member.account.usage.resets_in_vain {
        let passed = (now.0 - member.usage_set_at.0) / 1000;
        for window in &mut member.account.usage.windows {
            window.used_percent = 0.0;
            if window.minutes == WEEK_MINUTES {
                window.resets_in_seconds = passed + i64::from(WEEK_MINUTES) * 60;
            }
        }
    }
    answer("reset", used)
}

/// Returns the members of `wham/usage` about the reserve, for a request that asked for it.
pub(super) fn reserve_members(member: &Member, now: At) -> Option<(Value, Value)> {
    let reserve = member.account.usage.reserve.as_ref()?;
    let window = SimWindow { used_percent: reserve.used_percent, ..SimWindow::seven_days(0.0) };
    let limit = json!({
        "limit_name": RESERVE_MODEL,
        "metered_feature": "base_model_inference",
        "rate_limit": wham::rate_limit(&[window], member, now),
        "normal_model_slug": "gpt-5.6-luna",
    });
    let is_up = member.account.usage.windows.iter().any(|window| window.used_percent >= 100.0);
    let banner = if is_up && reserve.banner { json!({ "banner_type": "luna_reserve" }) } else { Value::Null };
    Some((limit, banner))
}

/// Returns whether this request is answered from the reserve or refused by it; `None` when it does not use the reserve.
pub(super) fn charge_reserve(member: &mut Member, received: &Received) -> Option<Result<(), Box<Answer>>> {
    let model = received.json()?;
    if model["model"] != RESERVE_MODEL {
        return None;
    }
    let cost = member.account.usage.cost_percent;
    let reserve = member.account.usage.reserve.as_mut()?;
    if reserve.used_percent >= 100.0 {
        return Some(Err(Box::new(Answer::json(
            429,
            json!({ "error": {
                "type": "usage_limit_reached",
                "message": "The usage limit of the reserve has been reached",
                "resets_in_seconds": 7200,
            } }),
        ))));
    }
    reserve.used_percent = (reserve.used_percent + cost).min(100.0);
    Some(Ok(()))
}

fn is_spent(member: &Member, credit: &SimResetCredit) -> bool {
    credit.status.is_some() || member.redeemed.done.iter().any(|(_, id)| *id == credit.id)
}

fn is_available(member: &Member, credit: &SimResetCredit, now: At) -> bool {
    !is_spent(member, credit) && expires_at(member, credit).is_none_or(|at| at > now.0 / 1000)
}

/// Unix seconds.
fn expires_at(member: &Member, credit: &SimResetCredit) -> Option<i64> {
    credit.expires_in_seconds.map(|seconds| member.usage_set_at.0 / 1000 + seconds)
}
