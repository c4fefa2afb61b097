//! Usage in its three forms (endpoint, headers, event) and the small endpoints beside it (schema/upstream.md, usage).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::account::SimWindow;
use super::answer::Answer;
use super::quota;
use super::state::Member;
use crate::pool::At;

const MODELS_ETAG: &str = "W/\"sim-models-1\"";

/// `with_reserve`: the request asked for Luna Reserve, too.
pub(super) fn usage(member: &Member, with_reserve: bool, now: At) -> Answer {
    let account = &member.account;
    let mut limits: Vec<Value> = account
        .usage
        .limits
        .iter()
        .map(|limit| {
            json!({
                "limit_name": limit.name,
                "metered_feature": limit.id,
                "rate_limit": rate_limit(&limit.windows, member, now),
            })
        })
        .collect();
    let (reserve, banner) = quota::reserve_members(member, now)
        .filter(|_| with_reserve)
        .map_or((None, Value::Null), |(limit, banner)| (Some(limit), banner));
    limits.extend(reserve);
    let mut body = json!({
        "user_id": account.user_id,
        "account_id": account.workspace_id,
        "email": account.email,
        "plan_type": account.plan,
        "rate_limit": rate_limit(&account.usage.windows, member, now),
        "code_review_rate_limit": null,
        "additional_rate_limits": limits,
        "credits": account.usage.credits,
        "rate_limit_reached_type": null,
        "rate_limit_upsell": banner,
    });
    if !account.usage.reset_credits.is_empty() {
        body["rate_limit_reset_credits"] = json!({ "available_count": quota::available(member, now) });
    }
    if let Some(members) = body.as_object_mut() {
        members.extend(account.usage.body.clone());
    }
    Answer::json(200, body)
}

/// The `x-codex-*` family of a responses answer.
pub(super) fn quota_headers(member: &Member, now: At) -> BTreeMap<String, String> {
    let account = &member.account;
    let mut headers = BTreeMap::from([
        ("x-codex-active-limit".to_owned(), "codex".to_owned()),
        ("x-codex-plan-type".to_owned(), account.plan.clone()),
    ]);
    for (slot, window) in ["primary", "secondary"].iter().zip(&account.usage.windows) {
        let mut put = |name: &str, value: String| headers.insert(format!("x-codex-{slot}-{name}"), value);
        let resets_at = window.resets_at(member.usage_set_at);
        put("used-percent", number(window.used_percent).to_string());
        put("window-minutes", window.minutes.to_string());
        put("reset-at", resets_at.to_string());
        put("reset-after-seconds", (resets_at - now.0 / 1000).max(0).to_string());
    }
    if let Some(credits) = &account.usage.credits {
        let yes_or_no = |yes| if yes { "True" } else { "False" }.to_owned();
        headers.insert("x-codex-credits-has-credits".to_owned(), yes_or_no(credits.has_credits));
        headers.insert("x-codex-credits-unlimited".to_owned(), yes_or_no(credits.unlimited));
        headers.insert("x-codex-credits-balance".to_owned(), credits.balance.clone());
    }
    headers
}

/// A `codex.rate_limits` event.
pub(super) fn limits_event(member: &Member, limit_reached: bool) -> Value {
    let account = &member.account;
    let slot = |at: usize| {
        account.usage.windows.get(at).map(|window| {
            json!({
                "used_percent": number(window.used_percent),
                "window_minutes": window.minutes,
                "reset_at": window.resets_at(member.usage_set_at),
            })
        })
    };
    json!({
        "type": "codex.rate_limits",
        "plan_type": account.plan,
        "rate_limits": {
            "allowed": !limit_reached, "limit_reached": limit_reached, "primary": slot(0), "secondary": slot(1),
        },
        "credits": account.usage.credits,
    })
}

pub(super) fn accounts_check(member: &Member) -> Answer {
    let account = &member.account;
    Answer::json(
        200,
        json!({
            "accounts": [{
                "id": account.workspace_id,
                "plan_type": account.plan,
                "structure": "personal",
                "workspace_backend_origin": "NO_CONSTRAINT",
                "account_routing_override": "NO_CONSTRAINT",
                "name": null,
                "profile_picture_url": null,
            }],
            "account_ordering": [account.workspace_id],
            "default_account_id": account.workspace_id,
        }),
    )
}

pub(super) fn models() -> Answer {
    let models: Vec<Value> = [
        ("gpt-6.2-sol", 500_000),
        ("gpt-6.2-astra", 272_000),
        ("gpt-6.1-sol", 272_000),
        ("gpt-6.1-terra", 272_000),
        ("gpt-6-astra", 272_000),
    ]
    .iter()
    .enumerate()
    .map(|(priority, (slug, context_window))| {
        json!({
            "slug": slug,
            "display_name": slug,
            "default_reasoning_level": "medium",
            "supported_reasoning_levels": [
                { "effort": "low", "description": "" },
                { "effort": "medium", "description": "" },
                { "effort": "high", "description": "" },
            ],
            "visibility": "list",
            "supported_in_api": true,
            "priority": priority,
            "context_window": context_window,
            // Codex takes no list whose models lack one of these.
            "shell_type": "shell_command",
            "base_instructions": "Be brief.",
            "support_verbosity": true,
            "truncation_policy": { "mode": "bytes", "limit": 10_000 },
            "experimental_supported_tools": [],
        })
    })
    .collect();
    Answer::json(200, json!({ "models": models })).header("etag", MODELS_ETAG)
}

pub(super) fn rate_limit(windows: &[SimWindow], member: &Member, now: At) -> Value {
    let reached = windows.iter().any(|window| window.used_percent >= 100.0);
    let slot = |at: usize| {
        windows.get(at).map(|window| {
            let resets_at = window.resets_at(member.usage_set_at);
            json!({
                "used_percent": number(window.used_percent),
                "limit_window_seconds": i64::from(window.minutes) * 60,
                "reset_after_seconds": (resets_at - now.0 / 1000).max(0),
                "reset_at": resets_at,
            })
        })
    };
    json!({ "allowed": !reached, "limit_reached": reached, "primary_window": slot(0), "secondary_window": slot(1) })
}

/// Whole percentages are sent as integers, as upstream does.
fn number(percent: f64) -> Value {
    if percent.fract() == 0.0 { json!(percent as i64) } else { json!(percent) }
}
