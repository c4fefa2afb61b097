//! Luna Reserve in the body of `GET /wham/usage` (schema/upstream.md, usage).

use serde::Deserialize;
use serde_json::Value;

use super::lenient::Lenient;
use crate::pool::{RESERVE_LIMIT, RESERVE_MODEL, Reserve};

/// Asks for the reserve in the answer about usage.
pub(super) const ASKS_FOR_RESERVE: &str = "x-openai-codex-luna-reserve";

/// Returns what the body says about the reserve. `None` leaves the known state as it was: an answer may lack the list
/// of limits, or the banner that offers the reserve, while the reserve still exists.
pub(super) fn reserve(body: &Value) -> Option<Reserve> {
    let allowed = |limit: Option<&Value>| limit?.get("allowed")?.as_bool();
    let ordinary_allowed = allowed(body.get("rate_limit"));
    let listed = body.get("additional_rate_limits").and_then(Value::as_array);
    let is_reserve = |limit: &&Value| {
        limit.text("limit_name") == Some(RESERVE_MODEL)
            && limit.text("metered_feature") == Some(RESERVE_LIMIT)
    };
    let mut entries = listed.into_iter().flatten().filter(is_reserve);
    // Two entries with one name decide nothing.
    let entry = entries.next().filter(|_| entries.next().is_none());
    let own = entry.and_then(|entry| allowed(entry.get("rate_limit")));
    let is_offered =
        body.get("rate_limit_upsell").and_then(|upsell| upsell.text("banner_type")) == Some("luna_reserve");
    let granted = match (ordinary_allowed, own) {
        (Some(true), _) | (_, Some(false)) => false,
        (Some(false), Some(true)) if is_offered => true,
        _ => return None,
    };
    let ordinary_model = entry.and_then(|entry| entry.text("normal_model_slug")).map(str::to_owned);
    Some(Reserve { granted, ordinary_model })
}

/// Returns whether the body names no account other than this workspace.
pub(super) fn is_of_workspace(body: &[u8], workspace_id: Option<&str>) -> bool {
    #[derive(Deserialize)]
    struct Named {
        account_id: Option<String>,
    }
    let named = serde_json::from_slice::<Named>(body).ok().and_then(|body| body.account_id);
    match (named, workspace_id) {
        (Some(named), Some(workspace)) => named == workspace,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_reserve_is_granted_by_the_banner_and_its_own_limit_together() {
        let entry = |allowed: Value| {
            json!({"limit_name": "gpt-reserve", "metered_feature": "base_model_inference",
                "rate_limit": {"allowed": allowed}, "normal_model_slug": "gpt-5.6-luna"})
        };
        let banner = json!({"banner_type": "luna_reserve"});
        let check = |ordinary: Value, limits: Value, upsell: &Value, expected: Option<bool>| {
            let body = json!({"rate_limit": {"allowed": ordinary}, "additional_rate_limits": limits,
                "rate_limit_upsell": upsell});
            assert_eq!(reserve(&body).map(|reserve| reserve.granted), expected, "{body}");
        };
        check(json!(false), json!([entry(json!(true))]), &banner, Some(true));
        check(json!(false), json!([entry(json!(false))]), &banner, Some(false));
        check(json!(true), json!([entry(json!(true))]), &banner, Some(false));
        check(json!(true), Value::Null, &Value::Null, Some(false));
        // Members that an answer lacks change nothing.
        check(json!(false), json!([entry(json!(true))]), &Value::Null, None);
        check(json!(false), json!([entry(json!(true))]), &json!({"banner_type": "other"}), None);
        check(json!(false), Value::Null, &banner, None);
        check(Value::Null, json!([entry(json!(true))]), &banner, None);
        check(json!(false), json!([entry(Value::Null)]), &banner, None);
        check(json!(false), json!([entry(json!(true)), entry(json!(true))]), &banner, None);
        check(
            json!(false),
            json!([{"limit_name": "gpt-reserve", "rate_limit": {"allowed": true}}]),
            &banner,
            None,
        );
        assert_eq!(reserve(&json!([])), None);
    }

    #[test]
    fn the_ordinary_model_is_the_one_that_upstream_names() {
        let body = json!({"rate_limit": {"allowed": false}, "rate_limit_upsell": {"banner_type": "luna_reserve"},
            "additional_rate_limits": [{"limit_name": "gpt-reserve", "metered_feature": "base_model_inference",
                "rate_limit": {"allowed": true}, "normal_model_slug": "gpt-7-luna"}]});
        let expected = Reserve { granted: true, ordinary_model: Some("gpt-7-luna".to_owned()) };
        assert_eq!(reserve(&body), Some(expected));
    }

    #[test]
    fn an_answer_for_another_workspace_is_told_apart() {
        let check = |body: &str, workspace: Option<&str>, expected| {
            assert_eq!(is_of_workspace(body.as_bytes(), workspace), expected, "{body}");
        };
        check(r#"{"account_id":"ws-1"}"#, Some("ws-1"), true);
        check(r#"{"account_id":"ws-2"}"#, Some("ws-1"), false);
        check(r#"{"account_id":"ws-2"}"#, None, true);
        check(r#"{"account_id":null}"#, Some("ws-1"), true);
        check("{}", Some("ws-1"), true);
    }
}
