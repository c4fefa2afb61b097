#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::json;

use super::*;

const NOW: At = At::from_secs(1_773_000_000);
const ASKED: Asked = Asked { requested_at: At(NOW.0 - 500), answered_at: NOW };

fn recorded(file: &str) -> Value {
    let path = format!("{}/tests/data/upstream/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn window(window_minutes: u32, used_percent: f64, resets_at: Option<i64>) -> Window {
    Window { window_minutes, used_percent, resets_at: resets_at.map(At::from_secs) }
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap()))
        .collect()
}

#[test]
fn the_headers_of_a_free_plan_hold_one_weekly_window() {
    let recorded = recorded("reported-in-issues/http_429_headers_free_plan.json");
    let headers = lenient::headers_from_json(recorded["headers"].as_object().unwrap());
    assert_eq!(
        from_headers(&headers, ASKED),
        Some(UsageReading {
            windows: vec![window(10080, 100.0, Some(1773860656))],
            reached: None,
            limits: vec![],
            lists_limits: false,
            credits: Some(Credits { has_credits: false, unlimited: false, balance: None }),
            spend: None,
            resets_left: None,
            reserve: None,
            plan: Some("free".into()),
            source: UsageSource::ResponseHeaders,
            requested_at: ASKED.requested_at,
            fetched_at: NOW,
        })
    );
}

#[test]
fn the_headers_in_an_error_frame_are_read_in_any_case() {
    let recorded = recorded("reported-in-issues/ws_error_usage_limit_reached_429.json");
    let headers = lenient::headers_from_json(recorded["frame"]["headers"].as_object().unwrap());
    let reading = from_headers(&headers, ASKED).unwrap();
    assert_eq!(
        reading.windows,
        [window(300, 100.0, Some(1777936568)), window(10080, 80.0, Some(1778239400))]
    );
    assert_eq!(reading.plan.as_deref(), Some("plus"));
    assert_eq!(
        reading.credits,
        Some(Credits { has_credits: false, unlimited: false, balance: Some("0".into()) })
    );
}

#[test]
fn a_header_window_counts_only_when_it_says_something() {
    let check = |pairs: &[(&str, &str)], expected: &[Window]| {
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| (format!("x-codex-primary-{name}"), *value)).collect();
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(header_windows(&headers(&pairs), "codex", NOW), expected, "{pairs:?}");
    };
    check(&[("used-percent", "0"), ("window-minutes", "0"), ("reset-at", "")], &[]);
    check(&[("used-percent", "0"), ("reset-after-seconds", "0")], &[]);
    check(&[("used-percent", ""), ("window-minutes", "300")], &[]);
    check(&[("used-percent", "many"), ("window-minutes", "300")], &[]);
    check(&[("used-percent", "NaN"), ("window-minutes", "300")], &[]);
    check(&[("used-percent", "0"), ("window-minutes", "300")], &[window(300, 0.0, None)]);
    check(&[("used-percent", "12.5"), ("window-minutes", "300.0")], &[window(300, 12.5, None)]);
    check(&[("used-percent", "7"), ("reset-at", "1773000100")], &[window(0, 7.0, Some(1773000100))]);
    check(
        &[("used-percent", "7"), ("window-minutes", "300"), ("reset-after-seconds", "60")],
        &[window(300, 7.0, Some(1773000060))],
    );
}

#[test]
fn header_families_of_other_limits_are_kept_apart() {
    let reading = from_headers(
        &headers(&[
            ("x-codex-primary-used-percent", "5"),
            ("x-codex-primary-window-minutes", "300"),
            ("x-codex-bengalfox-primary-used-percent", "100"),
            ("x-codex-bengalfox-primary-window-minutes", "300"),
            ("x-codex-bengalfox-limit-name", "GPT-5.3-Codex-Spark"),
        ]),
        ASKED,
    )
    .unwrap();
    assert_eq!(reading.windows, [window(300, 5.0, None)]);
    assert_eq!(
        reading.limits,
        [AdditionalLimit {
            limit_id: "codex_bengalfox".into(),
            name: Some("GPT-5.3-Codex-Spark".into()),
            windows: vec![window(300, 100.0, None)],
            refuses: false,
        }]
    );
}

#[test]
fn headers_without_usage_are_no_reading() {
    assert_eq!(from_headers(&HeaderMap::new(), ASKED), None);
    assert_eq!(from_headers(&headers(&[("x-codex-turn-state", "abc")]), ASKED), None);
}

#[test]
fn the_rate_limits_event_is_a_reading() {
    let event = json!({"type":"codex.rate_limits","plan_type":"plus","rate_limits":{"allowed":true,"limit_reached":false,
        "primary":{"used_percent":31,"window_minutes":300,"reset_at":1800000000},
        "secondary":{"used_percent":4.5,"window_minutes":10080,"reset_at":null}},
        "credits":{"has_credits":true,"unlimited":false,"balance":"12"}});
    let reading = from_event(&event, ASKED).unwrap();
    assert_eq!(reading.windows, [window(300, 31.0, Some(1800000000)), window(10080, 4.5, None)]);
    assert_eq!(
        reading.credits,
        Some(Credits { has_credits: true, unlimited: false, balance: Some("12".into()) })
    );
    assert_eq!(reading.source, UsageSource::StreamEvent);

    let mut of_a_limit = event;
    of_a_limit["metered_limit_name"] = "codex_bengalfox".into();
    let reading = from_event(&of_a_limit, ASKED).unwrap();
    assert_eq!(reading.windows, []);
    assert_eq!(reading.limits[0].limit_id, "codex_bengalfox");
    assert_eq!(reading.limits[0].windows.len(), 2);

    assert_eq!(from_event(&json!({"type":"codex.rate_limits","rate_limits":null}), ASKED), None);
}

#[test]
fn the_usage_body_is_read_by_window_length() {
    let check = |body: Value, windows: &[Window]| {
        let reading = from_usage_body(body.to_string().as_bytes(), ASKED).unwrap();
        assert_eq!(reading.windows, windows, "{body}");
    };
    let slot = |used: Value, seconds: Value, at: Value| json!({"used_percent":used,"limit_window_seconds":seconds,"reset_at":at});
    check(json!({}), &[]);
    check(json!({"plan_type":"plus","rate_limit":null,"credits":null,"additional_rate_limits":null}), &[]);
    check(
        json!({"rate_limit":{"allowed":true,
            "primary_window":slot(json!(5), json!(604800), json!(1795357947)),
            "secondary_window":slot(json!(12.5), json!(18000), json!(1795357047))}}),
        &[window(300, 12.5, Some(1795357047)), window(10080, 5.0, Some(1795357947))],
    );
    check(
        json!({"rate_limit":{"primary_window":slot(json!("40"), json!(2592000.0), Value::Null),"secondary_window":null}}),
        &[window(43200, 40.0, None)],
    );
    for (seconds, minutes) in
        [(17_940, 300), (18_540, 300), (17_400, 290), (604_740, 10_080), (620_000, 10_080), (86_400, 1440)]
    {
        check(
            json!({"rate_limit":{"primary_window":slot(json!(1), json!(seconds), Value::Null)}}),
            &[window(minutes, 1.0, None)],
        );
    }
    check(
        json!({"rate_limit":{"primary_window":{"used_percent":1,"limit_window_seconds":18001,"reset_after_seconds":10}}}),
        &[window(300, 1.0, Some(1773000010))],
    );
    check(
        json!({"rate_limit":{"primary_window":slot(json!(1), json!(18000), Value::Null),
            "secondary_window":slot(json!(9), json!(18000), Value::Null)}}),
        &[window(300, 9.0, None)],
    );
}

#[test]
fn what_else_a_usage_body_tells_is_read_as_far_as_it_is_there() {
    let read = |body: Value| from_usage_body(body.to_string().as_bytes(), ASKED).unwrap();
    let bare = read(
        json!({"spend_control": null, "rate_limit_reached_type": null, "rate_limit_reset_credits": null}),
    );
    assert_eq!((bare.spend, bare.reached, bare.resets_left, bare.lists_limits), (None, None, None, false));
    let full = read(json!({
        "spend_control": {"reached": true, "individual_limit": {"source": "x", "limit": "20", "used": 19.5,
            "remaining": "0.5", "used_percent": 97, "reset_after_seconds": 60}},
        "rate_limit_reached_type": {"type": "something_new"},
        "rate_limit_reset_credits": {"available_count": 2},
        "additional_rate_limits": [],
        "code_review_rate_limit": {"primary_window": {"used_percent": 3, "limit_window_seconds": 604800}},
        "plan_type": "a plan of tomorrow",
    }));
    assert_eq!(
        full.spend,
        Some(SpendControl {
            reached: true,
            limit: Some("20".into()),
            used: Some("19.5".into()),
            used_percent: Some(97.0),
            resets_at: Some(At::from_secs(1_773_000_060)),
        })
    );
    assert_eq!((full.reached.as_deref(), full.resets_left), (Some("something_new"), Some(2)));
    assert_eq!((full.lists_limits, full.limits.len()), (true, 1));
    assert_eq!(full.limits[0].limit_id, "code_review_rate_limit");
    assert_eq!(full.plan.as_deref(), Some("a plan of tomorrow"));
    let only_reached = read(json!({"spend_control": {"reached": false, "individual_limit": null}}));
    assert_eq!(only_reached.spend, Some(SpendControl::default()));
}

#[test]
fn the_recorded_usage_body_has_a_limit_of_its_own() {
    let body = recorded("codex-lb/upstream_usage_with_additional.json").to_string();
    let reading = from_usage_body(body.as_bytes(), ASKED).unwrap();
    assert_eq!(reading.windows, [window(300, 45.0, Some(1741500000)), window(10080, 30.0, Some(1741900000))]);
    assert_eq!(
        reading.limits,
        [AdditionalLimit {
            limit_id: "codex_other".into(),
            name: Some("codex_other".into()),
            windows: vec![window(300, 70.0, Some(1741500000))],
            refuses: false,
        }]
    );
    assert_eq!(reading.plan.as_deref(), Some("plus"));
}

#[test]
fn what_is_no_object_is_no_usage_body() {
    for body in ["", "[]", "null", "<html>", "{"] {
        assert_eq!(from_usage_body(body.as_bytes(), ASKED), None, "{body:?}");
    }
}
