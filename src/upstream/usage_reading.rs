//! Upstream's usage in its three forms: `x-codex-*` headers, the `codex.rate_limits` event and the body of `GET
//! /wham/usage` (schema/upstream.md, usage). Missing or strange parts are left out, never guessed.

use http::HeaderMap;
use serde_json::{Map, Value};

use super::lenient::{self, Lenient};
use crate::pool::{
    AdditionalLimit, At, Credits, FIVE_HOURS, SpendControl, UsageReading, UsageSource, WEEK, Window,
};

/// The limit that every plan has. Its headers are `x-codex-*`.
const MAIN_LIMIT: &str = "codex";

/// A separate limit that has its own member.
const CODE_REVIEW: &str = "code_review_rate_limit";

/// When the request of a reading was sent, and when its answer came.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub requested_at: At,
    pub answered_at: At,
}

/// Reads the `x-codex-*` headers, and `x-<limit id>-*` headers beside them. `None` when there is no window, no credits,
/// no plan, and no limit is reached.
pub fn from_headers(headers: &HeaderMap, asked: Asked) -> Option<UsageReading> {
    let windows = header_windows(headers, MAIN_LIMIT, asked.answered_at);
    let limits = header_families(headers)
        .into_iter()
        .map(|family| AdditionalLimit {
            name: lenient::header(headers, &format!("x-{family}-limit-name")).map(str::to_owned),
            windows: header_windows(headers, &family, asked.answered_at),
            limit_id: limit_id_of(&family),
            refuses: false,
        })
        .filter(|limit| !limit.windows.is_empty())
        .collect();
    let reading = UsageReading {
        windows,
        reached: lenient::header(headers, "x-codex-rate-limit-reached-type").map(str::to_owned),
        limits,
        lists_limits: false,
        credits: header_credits(headers),
        spend: None,
        resets_left: None,
        reserve: None,
        plan: lenient::header(headers, "x-codex-plan-type").map(str::to_owned),
        source: UsageSource::ResponseHeaders,
        requested_at: asked.requested_at,
        fetched_at: asked.answered_at,
    };
    says_something(reading)
}

/// Reads a `codex.rate_limits` event. One with a `metered_limit_name` is only about that limit.
pub fn from_event(event: &Value, asked: Asked) -> Option<UsageReading> {
    let windows = event.get("rate_limits").map(|limits| json_windows(limits, asked.answered_at));
    let own_limit = event.text("metered_limit_name").filter(|id| !is_main_limit(id));
    let (windows, limits) = match (windows.unwrap_or_default(), own_limit) {
        (windows, None) => (windows, Vec::new()),
        (windows, Some(id)) => {
            let name = event.text("limit_name").map(str::to_owned);
            (Vec::new(), vec![AdditionalLimit { limit_id: limit_id_of(id), name, windows, refuses: false }])
        }
    };
    let reading = UsageReading {
        windows,
        reached: reached_type(event).or_else(|| refusal_of(event.get("rate_limits")?)),
        limits,
        lists_limits: false,
        credits: json_credits(event.get("credits")),
        spend: None,
        resets_left: None,
        reserve: None,
        plan: event.text("plan_type").map(str::to_owned),
        source: UsageSource::StreamEvent,
        requested_at: asked.requested_at,
        fetched_at: asked.answered_at,
    };
    says_something(reading)
}

/// Reads the `x-codex-*` headers in an error frame.
pub fn from_event_headers(event: &Value, asked: Asked) -> Option<UsageReading> {
    let reading = from_headers(&lenient::headers_of_event(event)?, asked)?;
    Some(UsageReading { source: UsageSource::StreamEvent, ..reading })
}

/// Reads the body of `GET /wham/usage`. `None` when it is not a JSON object.
pub fn from_usage_body(body: &[u8], asked: Asked) -> Option<UsageReading> {
    let body: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let body = Value::Object(body);
    let listed = body.get("additional_rate_limits").and_then(Value::as_array);
    let mut limits: Vec<AdditionalLimit> = (listed.into_iter().flatten())
        .filter_map(|limit| additional_limit(limit, asked.answered_at))
        .collect();
    let reviews = body.get(CODE_REVIEW).map(|limit| json_windows(limit, asked.answered_at));
    if let Some(windows) = reviews.filter(|windows| !windows.is_empty()) {
        let refuses = body.get(CODE_REVIEW).and_then(refusal_of).is_some();
        limits.push(AdditionalLimit { limit_id: limit_id_of(CODE_REVIEW), name: None, windows, refuses });
    }
    let resets_left =
        body.get("rate_limit_reset_credits").and_then(|resets| resets.number("available_count"));
    Some(UsageReading {
        windows: body
            .get("rate_limit")
            .map(|limit| json_windows(limit, asked.answered_at))
            .unwrap_or_default(),
        reached: reached_type(&body).or_else(|| refusal_of(body.get("rate_limit")?)),
        limits,
        lists_limits: listed.is_some(),
        credits: json_credits(body.get("credits")),
        spend: spend_control(body.get("spend_control"), asked.answered_at),
        resets_left: resets_left.filter(|left| *left >= 0.0).map(|left| left as u32),
        reserve: super::reserve::reserve(&body),
        plan: body.text("plan_type").map(str::to_owned),
        source: UsageSource::UsageEndpoint,
        requested_at: asked.requested_at,
        fetched_at: asked.answered_at,
    })
}

/// `codex` and `premium`: the latter was seen on a Plus plan with the numbers of the main limit under `x-codex-*`
/// (reported-in-issues/ws_error_usage_limit_reached_429.json).
pub fn is_main_limit(id: &str) -> bool {
    id.eq_ignore_ascii_case(MAIN_LIMIT) || id.eq_ignore_ascii_case("premium")
}

/// Headers write `codex-bengalfox`, bodies `codex_bengalfox`.
pub fn limit_id_of(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

fn says_something(reading: UsageReading) -> Option<UsageReading> {
    let empty = reading.windows.is_empty()
        && reading.limits.is_empty()
        && reading.reached.is_none()
        && reading.credits.is_none()
        && reading.plan.is_none();
    (!empty).then_some(reading)
}

fn header_families(headers: &HeaderMap) -> Vec<String> {
    let mut families: Vec<String> = headers
        .keys()
        .filter_map(|name| {
            let name = name.as_str().strip_prefix("x-")?;
            let family = name
                .strip_suffix("-primary-used-percent")
                .or_else(|| name.strip_suffix("-secondary-used-percent"))?;
            (family != MAIN_LIMIT).then(|| family.to_owned())
        })
        .collect();
    families.sort();
    families.dedup();
    families
}

fn header_windows(headers: &HeaderMap, family: &str, now: At) -> Vec<Window> {
    let windows = ["primary", "secondary"].into_iter().filter_map(|slot| {
        let mut name = format!("x-{family}-{slot}-");
        let family_and_slot = name.len();
        let mut number = |what: &str| {
            name.truncate(family_and_slot);
            name.push_str(what);
            lenient::header_number(headers, &name)
        };
        let minutes = number("window-minutes");
        window(number("used-percent"), minutes, number("reset-at"), number("reset-after-seconds"), now)
    });
    shortest_first(windows.collect())
}

fn json_windows(limit: &Value, now: At) -> Vec<Window> {
    let slots = limit.as_object().into_iter().flat_map(Map::values);
    let windows = slots.filter_map(|slot| {
        let minutes =
            slot.number("window_minutes").or_else(|| Some(slot.number("limit_window_seconds")? / 60.0));
        let reset_at = slot.number("reset_at").or_else(|| slot.number("resets_at"));
        window(slot.number("used_percent"), minutes, reset_at, slot.number("reset_after_seconds"), now)
    });
    shortest_first(windows.collect())
}

/// A slot counts when its percentage is known and anything in it is not zero: free plans send an empty second slot. A
/// window of unknown length has 0 minutes.
fn window(
    used_percent: Option<f64>,
    minutes: Option<f64>,
    reset_at: Option<f64>,
    reset_after: Option<f64>,
    now: At,
) -> Option<Window> {
    let used_percent = used_percent?;
    let window_minutes = minutes.filter(|minutes| *minutes > 0.0).map_or(0, whole_minutes);
    let resets_at = resets_at(reset_at, reset_after, now);
    (used_percent != 0.0 || window_minutes != 0 || resets_at.is_some()).then_some(Window {
        window_minutes,
        used_percent: used_percent.max(0.0),
        resets_at,
    })
}

/// Upstream's lengths of the usual windows differ a little at times; within 3 % they count as the usual ones.
fn whole_minutes(minutes: f64) -> u32 {
    let is_about = |usual: u32| (minutes - f64::from(usual)).abs() * 100.0 <= f64::from(usual) * 3.0;
    let usual = [FIVE_HOURS, WEEK].into_iter().find(|usual| is_about(*usual));
    usual.unwrap_or(minutes.ceil() as u32)
}

fn resets_at(at: Option<f64>, after: Option<f64>, now: At) -> Option<At> {
    let at = at.and_then(lenient::at_from_unix);
    let after = after.and_then(|seconds| lenient::at_after(seconds, now));
    // A reset that has passed shows that the window is a new one.
    lenient::later_credible([at, after], now).or(at.filter(|at| *at <= now))
}

/// A length that occurs twice is one window; the more complete report counts.
fn shortest_first(mut windows: Vec<Window>) -> Vec<Window> {
    windows.sort_by(|a, b| {
        a.window_minutes.cmp(&b.window_minutes).then(b.used_percent.total_cmp(&a.used_percent))
    });
    windows.dedup_by_key(|window| window.window_minutes);
    windows
}

fn additional_limit(limit: &Value, now: At) -> Option<AdditionalLimit> {
    let name = limit.text("limit_name");
    let id = limit.text("metered_feature").or(name)?;
    Some(AdditionalLimit {
        limit_id: limit_id_of(id),
        name: name.map(str::to_owned),
        windows: limit.get("rate_limit").map(|limit| json_windows(limit, now)).unwrap_or_default(),
        refuses: limit.get("rate_limit").and_then(refusal_of).is_some(),
    })
}

/// An object with a `type`, or the type itself.
fn reached_type(body: &Value) -> Option<String> {
    let reached = body.get("rate_limit_reached_type")?;
    reached.text("type").or(reached.as_str()).map(str::to_owned)
}

/// The name of a refusing limit without a type. Its percentage may still be below 100.
fn refusal_of(limit: &Value) -> Option<String> {
    let flag = |name: &str| limit.get(name).and_then(Value::as_bool);
    let refuses = flag("limit_reached") == Some(true) || flag("allowed") == Some(false);
    refuses.then(|| "limit_reached".to_owned())
}

/// Its individual limit may be absent: then only whether it was reached is known.
fn spend_control(control: Option<&Value>, now: At) -> Option<SpendControl> {
    let control = control?;
    let limit = control.get("individual_limit").unwrap_or(&Value::Null);
    let reached = control.get("reached").and_then(Value::as_bool);
    let amount = |name: &str| match limit.get(name) {
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => limit.text(name).map(str::to_owned),
    };
    let spend = SpendControl {
        reached: reached.unwrap_or_default(),
        limit: amount("limit"),
        used: amount("used"),
        used_percent: limit.number("used_percent"),
        resets_at: resets_at(limit.number("reset_at"), limit.number("reset_after_seconds"), now),
    };
    (reached.is_some() || spend != SpendControl::default()).then_some(spend)
}

fn json_credits(credits: Option<&Value>) -> Option<Credits> {
    let credits = credits.filter(|credits| credits.is_object())?;
    let balance = match credits.get("balance") {
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => credits.text("balance").map(str::to_owned),
    };
    let flag = |name: &str| credits.get(name).and_then(Value::as_bool).unwrap_or(false);
    Some(Credits { has_credits: flag("has_credits"), unlimited: flag("unlimited"), balance })
}

fn header_credits(headers: &HeaderMap) -> Option<Credits> {
    let flag = |name: &str| match lenient::header(headers, name)?.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    };
    let (has_credits, unlimited) = (flag("x-codex-credits-has-credits"), flag("x-codex-credits-unlimited"));
    if has_credits.is_none() && unlimited.is_none() {
        return None;
    }
    Some(Credits {
        has_credits: has_credits.unwrap_or(false),
        unlimited: unlimited.unwrap_or(false),
        balance: lenient::header(headers, "x-codex-credits-balance").map(str::to_owned),
    })
}

#[cfg(test)]
mod tests;
