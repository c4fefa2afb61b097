#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use FailureKind::*;
use serde_json::json;

use super::*;

const NOW: At = At::from_secs(1_775_000_000);

fn recorded(file: &str) -> Value {
    let path = format!("{}/tests/data/upstream/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap()))
        .collect()
}

fn answer(status: u16, pairs: &[(&str, &str)], body: &str) -> Failure {
    let status = StatusCode::from_u16(status).unwrap();
    classify(status, &headers(pairs), body, Source::ResponseBody, NOW)
}

fn error(code: &str) -> String {
    json!({"error": {"code": code, "message": "Sorry."}}).to_string()
}

#[test]
fn answers_by_status_and_code() {
    let check = |status: u16, body: &str, expected: FailureKind| {
        let failure = answer(status, &[], body);
        assert_eq!((failure.kind, failure.status), (expected, Some(status)), "{status} {body}");
    };
    check(429, r#"{"error":{"type":"usage_limit_reached"}}"#, UsageLimit);
    check(429, r#"{"error":{"type":"usage_limit_reached","code":"rate_limit_exceeded"}}"#, UsageLimit);
    check(429, r#"{"error":{"type":"usage_not_included"}}"#, Credits);
    check(429, r#"{"error":{"resets_in_seconds":60}}"#, UsageLimit);
    check(429, r#"{"detail":"You've hit your limit"}"#, UsageLimit);
    check(429, r#"{"error":{"code":"rate_limit_exceeded"}}"#, RateLimit);
    check(429, r#"{"error":{"type":"insufficient_quota"}}"#, Credits);
    check(429, "", RateLimit);
    check(429, "{}", RateLimit);
    check(402, r#"{"detail":{"code":"deactivated_workspace"}}"#, Deactivated);
    check(402, r#"{"error":{"code":"credit_balance_exhausted"}}"#, Credits);
    check(402, r#"{"error":{"type":"usage_not_included"}}"#, Credits);
    check(402, "", Credits);
    check(401, &error("token_invalidated"), Unauthorized);
    check(401, &error("token_expired"), Unauthorized);
    check(401, &error("something_new"), Unauthorized);
    check(401, r#"{"detail":"Missing scopes: api.responses.write"}"#, Unauthorized);
    check(401, "", Unauthorized);
    check(401, &error("account_deactivated"), Deactivated);
    check(403, &error("account_deactivated"), Deactivated);
    check(401, r#"{"detail":"Your OpenAI account has been deactivated, please check"}"#, Deactivated);
    check(403, r#"{"detail":{"code":"codex_workspace_access_denied"}}"#, WorkspaceDenied);
    check(403, r#"{"detail":"Not a member of this workspace"}"#, WorkspaceDenied);
    check(403, "", WorkspaceDenied);
    check(403, &error("unsupported_country_region_territory"), RequestRejected);
    check(403, &error("cyber_policy"), RequestRejected);
    check(400, &error("misalignment_policy_violation"), RequestRejected);
    check(400, &error("bio_policy"), RequestRejected);
    check(400, &error("invalid_prompt"), RequestRejected);
    check(400, &error("previous_response_not_found"), RequestRejected);
    check(404, &error("previous_response_not_found"), RequestRejected);
    check(400, &error("invalid_encrypted_content"), RequestRejected);
    check(400, &error("context_length_exceeded"), ContextLengthExceeded);
    check(413, &error("context_too_large"), ContextLengthExceeded);
    check(400, r#"{"error":{"message":"Your input exceeds the context window"}}"#, ContextLengthExceeded);
    check(413, "", RequestRejected);
    check(422, r#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#, RequestRejected);
    check(400, r#"{"detail":"Store must be set to false"}"#, RequestRejected);
    check(400, "", RequestRejected);
    check(404, "", RequestRejected);
    check(400, &error("model_not_found"), ModelUnsupported);
    check(404, &error("model_not_found"), ModelUnsupported);
    check(404, r#"{"error":{"message":"The model `x` does not exist","param":"model"}}"#, ModelUnsupported);
    check(400, r#"{"error":{"message":"Bad.","param":"model"}}"#, ModelUnsupported);
    check(500, "", ServerError);
    check(500, &error("server_error"), ServerError);
    check(502, "Bad Gateway", ServerError);
    check(504, "", ServerError);
    check(408, "", ServerError);
    check(503, "", Overloaded);
    check(503, &error("server_is_overloaded"), Overloaded);
    check(500, r#"{"error":{"message":"The engine is currently overloaded"}}"#, Overloaded);
    check(503, &error("slow_down"), Overloaded);
    check(529, "", Overloaded);
    check(500, &error("usage_limit_reached"), UsageLimit);
    check(302, "", Challenge);
    check(400, r#"{"detail":"Selected model is at capacity. Please try a different model."}"#, Overloaded);
    check(400, r#"{"error":{"message":"We are at capacity","type":"invalid_request_error"}}"#, Overloaded);
    check(422, "The server is overloaded", Overloaded);
    check(400, r#"{"error":{"message":"Model capacity exceeded","type":"server_error"}}"#, Overloaded);
    check(404, r#"{"error":{"message":"No capacity for this model","code":null,"param":null}}"#, Overloaded);
    check(400, r#"{"error":{"code":"model_at_capacity","message":"Later."}}"#, Overloaded);
    check(403, r#"{"detail":"Selected model is at capacity"}"#, Overloaded);
    check(407, "", Challenge);
    check(511, "", Challenge);
    check(400, r#"{"error":{"message":"x is at capacity","param":"x"}}"#, RequestRejected);
    check(400, r#"{"error":{"message":"at capacity","code":"invalid_value"}}"#, RequestRejected);
    check(200, r#"{"detail":"Unauthorized"}"#, UpstreamProtocol);
    check(200, "{}", UpstreamProtocol);
    check(200, &error("usage_limit_reached"), UsageLimit);
    check(418, "", RequestRejected);
}

#[test]
fn pages_are_not_upstreams_words() {
    let challenge = "<!DOCTYPE html><html><head><title>Just a moment...</title>";
    let check = |status: u16, pairs: &[(&str, &str)], body: &str, expected: FailureKind| {
        assert_eq!(answer(status, pairs, body).kind, expected, "{status} {pairs:?} {body}");
    };
    check(403, &[], challenge, Challenge);
    check(503, &[], challenge, Challenge);
    check(200, &[], challenge, Challenge);
    check(403, &[("content-type", "text/html; charset=UTF-8")], "blocked by Cloudflare", Challenge);
    check(429, &[], "<html>error 1015</html>", Challenge);
    check(403, &[("cf-mitigated", "challenge")], "<html></html>", Challenge);
    check(502, &[("content-type", "text/html")], "<html>502 Bad Gateway</html>", ServerError);
    check(503, &[], "<html>usage limit</html>", Overloaded);
    check(401, &[], "<html></html>", Unauthorized);
    check(404, &[], "<html></html>", Challenge);
    check(200, &[], "<html>Log in to the hotel</html>", Challenge);
    check(403, &[], "error code: 1020", Challenge);
    check(302, &[("location", "https://portal.example/x?token=y")], "", Challenge);
    check(429, &[("content-type", "text/html")], &error("usage_limit_reached"), UsageLimit);
    assert_eq!(
        answer(403, &[], challenge).message,
        "a challenge or block of Cloudflare came instead of upstream's answer (HTTP 403)"
    );
    assert_eq!(
        answer(502, &[], "<html>secret page</html>").message,
        "a web page came instead of upstream's answer (HTTP 502)"
    );
    assert_eq!(
        answer(302, &[("location", "https://portal.example/x?token=y")], "").message,
        "the request was redirected to portal.example (HTTP 302)"
    );
}

#[test]
fn headers_speak_too() {
    let check = |status: u16, pairs: &[(&str, &str)], body: &str, expected: FailureKind| {
        assert_eq!(answer(status, pairs, body).kind, expected, "{status} {pairs:?} {body}");
    };
    // {"error":{"code":"token_revoked"}} and {"error":{"code":"account_deactivated"}}
    check(400, &[("x-error-json", "eyJlcnJvciI6eyJjb2RlIjoidG9rZW5fcmV2b2tlZCJ9fQ==")], "", Unauthorized);
    check(
        401,
        &[("x-error-json", "eyJlcnJvciI6eyJjb2RlIjoiYWNjb3VudF9kZWFjdGl2YXRlZCJ9fQ==")],
        "",
        Deactivated,
    );
    check(401, &[("x-error-json", "%%%")], "", Unauthorized);
    check(401, &[("X-OpenAI-Authorization-Error", "account_deactivated")], "", Deactivated);
    check(429, &[("retry-after", "2")], "", RateLimit);
    check(429, &[("Retry-After", "")], "", RateLimit);
    check(429, &[("retry-after", "1")], &error("slow_down"), RateLimit);
    check(503, &[("retry-after", "1")], &error("slow_down"), RateLimit);
    check(503, &[("retry-after", "1")], "", Overloaded);
    check(429, &[("x-codex-primary-used-percent", "100")], "", UsageLimit);
    check(429, &[("x-codex-primary-used-percent", "99.9")], "", RateLimit);
    check(429, &[("x-codex-rate-limit-reached-type", "rate_limit_reached")], "", UsageLimit);
    check(429, &[("x-codex-primary-used-percent", "100"), ("retry-after", "3")], "", RateLimit);
}

#[test]
fn a_limit_quotes_when_it_ends() {
    let check = |body: Value, expected: Option<i64>| {
        let failure = answer(429, &[], &body.to_string());
        assert_eq!(failure.resets_at, expected.map(At), "{body}");
        assert_eq!(failure.kind, UsageLimit, "{body}");
    };
    let limit = |name: &str, value: Value| json!({"error": {"type": "usage_limit_reached", name: value}});
    check(limit("resets_at", json!(1775317531)), Some(1775317531000));
    check(limit("resets_at", json!("1775317531")), Some(1775317531000));
    check(limit("resets_at", json!(1775317531.5)), Some(1775317531500));
    check(limit("resets_at", json!(1775317531000i64)), Some(1775317531000));
    check(limit("resets_at", Value::Null), None);
    check(limit("resets_at", json!(0)), None);
    check(limit("resets_in_seconds", json!(60)), Some(NOW.0 + 60_000));
    check(limit("resets_in_seconds", json!(-60)), None);
    check(limit("resets_in_seconds", json!(1e300)), None);
    check(limit("other", json!(1)), None);
}

#[test]
fn only_a_limit_of_its_own_is_named() {
    let check = |active: &str, code: &str, expected: Option<&str>| {
        let failure = answer(429, &[("X-Codex-Active-Limit", active)], &error(code));
        assert_eq!(failure.limit_id.as_deref(), expected, "{active} {code}");
    };
    check("codex", "usage_limit_reached", None);
    check("premium", "usage_limit_reached", None);
    check("Premium", "usage_limit_reached", None);
    check("", "usage_limit_reached", None);
    check("codex_bengalfox", "usage_limit_reached", Some("codex_bengalfox"));
    check("codex-bengalfox", "rate_limit_exceeded", Some("codex_bengalfox"));
    check("codex_bengalfox", "account_deactivated", None);
}

#[test]
fn events_by_code_status_and_words() {
    let check = |event: Value, expected: FailureKind| {
        let failure = classify_event(&event, NOW);
        assert_eq!((failure.kind, failure.source), (expected, Source::StreamEvent), "{event}");
    };
    let failed = |code: &str, message: &str| {
        json!({"type": "response.failed", "response": {"id": "resp_1", "status": "failed", "model": "m",
            "error": {"code": code, "message": message}}})
    };
    check(failed("rate_limit_exceeded", "Please try again in 1.5s."), RateLimit);
    check(failed("context_length_exceeded", ""), ContextLengthExceeded);
    check(failed("insufficient_quota", ""), Credits);
    check(failed("usage_limit_reached", ""), UsageLimit);
    check(failed("usage_not_included", ""), Credits);
    check(failed("server_is_overloaded", ""), Overloaded);
    check(failed("server_error", ""), ServerError);
    check(failed("server_error", "The usage limit has been reached"), UsageLimit);
    check(failed("invalid_prompt", ""), RequestRejected);
    check(failed("cyber_policy", ""), RequestRejected);
    check(failed("model_not_found", ""), ModelUnsupported);
    check(failed("slow_down", "Please slow down"), Overloaded);
    check(failed("something_new", ""), ServerError);
    check(json!({"type": "response.failed", "response": {"status": "failed", "error": null}}), ServerError);
    check(json!({"type": "response.failed"}), ServerError);
    check(json!({"type": "error", "code": "usage_limit_reached", "message": "m"}), UsageLimit);
    check(
        json!({"type": "error", "error": {"type": "invalid_request_error", "message": "No."}}),
        RequestRejected,
    );
    check(json!({"type": "error", "status": 401, "error": {"message": "No."}}), Unauthorized);
    check(json!({"type": "error", "status_code": 503, "error": {"message": "No."}}), Overloaded);
    check(json!({"type": "error", "status": 400, "error": {"message": "No."}}), RequestRejected);
    check(json!({"type": "error", "message": "5-hour limit reached"}), UsageLimit);
    check(json!({"type": "error", "error": "token_expired"}), Unauthorized);
    check(json!({"type": "error", "error": "Sorry, no."}), ServerError);
    check(json!({"type": "error", "status": 200}), ServerError);
    check(json!({"type": "error"}), ServerError);
}

#[test]
fn words_and_headers_in_events_give_the_wait() {
    let event = json!({"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded",
        "message": "Rate limit reached for gpt-5.1. Please try again in 11.054s."}}});
    assert_eq!(classify_event(&event, NOW).retry_after, Some(Duration::from_millis(11_054)));
    let event = json!({"type": "error", "error": {"code": "slow_down"}, "headers": {"Retry-After": 3}});
    let failure = classify_event(&event, NOW);
    assert_eq!((failure.kind, failure.retry_after), (RateLimit, Some(Duration::from_secs(3))));
}

#[test]
fn every_recorded_refusal_is_understood() {
    let check = |recorded: &Value, kind: FailureKind, code: Option<&str>| {
        let status = recorded["status"].as_u64().unwrap() as u16;
        let failure = answer(status, &[], &recorded["body"].to_string());
        assert_eq!((failure.kind, failure.code.as_deref()), (kind, code), "{recorded}");
        failure
    };
    let file = |name: &str| recorded(&format!("reported-in-issues/{name}.json"));
    let bodies = file("http_400_bodies");
    check(&bodies[0], ModelUnsupported, None);
    check(&bodies[1], RequestRejected, None);
    assert_eq!(bodies.as_array().unwrap().len(), 2);
    let bodies = file("http_401_bodies");
    check(&bodies[0], Unauthorized, Some("token_invalidated"));
    check(&bodies[1], Unauthorized, Some("token_expired"));
    check(&bodies[2], Unauthorized, Some("token_revoked"));
    assert_eq!(bodies.as_array().unwrap().len(), 3);
    check(&file("http_402_deactivated_workspace"), Deactivated, Some("deactivated_workspace"));
    check(&file("http_403_region"), RequestRejected, Some("unsupported_country_region_territory"));
    let failure = check(&file("http_429_body_free_plan"), UsageLimit, Some("usage_limit_reached"));
    assert_eq!(failure.resets_at, Some(At::from_secs(1775602705)));
    assert_eq!(failure.message, "The usage limit has been reached");

    let headers =
        lenient::headers_from_json(file("http_429_headers_free_plan")["headers"].as_object().unwrap());
    let status = StatusCode::TOO_MANY_REQUESTS;
    let failure = classify(status, &headers, "", Source::ResponseBody, NOW);
    assert_eq!((failure.kind, failure.limit_id), (UsageLimit, None));

    let failure = classify_event(&file("ws_error_usage_limit_reached_429")["frame"], NOW);
    assert_eq!(
        failure,
        Failure {
            status: Some(429),
            code: Some("usage_limit_reached".into()),
            resets_at: Some(At::from_secs(1777936568)),
            speaker: Speaker::Upstream,
            ..Failure::new(UsageLimit, Source::StreamEvent, "The usage limit has been reached")
        }
    );
    let failure = classify_event(&file("ws_error_400_model_not_supported")["frame"], NOW);
    assert_eq!((failure.kind, failure.status), (ModelUnsupported, Some(400)));

    let body = recorded("responses-api/openai-error.1.json").to_string();
    let failure = answer(429, &[], &body);
    assert_eq!((failure.kind, failure.code.as_deref()), (Credits, Some("insufficient_quota")));
    let chunks =
        format!("{}/tests/data/upstream/responses-api/openai-error.1.chunks.txt", env!("CARGO_MANIFEST_DIR"));
    let chunks = std::fs::read_to_string(chunks).unwrap();
    let events: Vec<Value> = chunks.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for event in &events[2..4] {
        assert_eq!(classify_event(event, NOW).kind, Credits, "{event}");
    }
}

#[test]
fn a_failure_without_words_still_says_something() {
    assert_eq!(answer(500, &[], "").message, "HTTP 500");
    assert_eq!(
        answer(402, &[], r#"{"detail":{"code":"deactivated_workspace"}}"#).message,
        "deactivated_workspace (HTTP 402)"
    );
    assert_eq!(classify_event(&json!({"type": "error"}), NOW).message, "upstream gave no reason");
    let token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c2VyIn0.";
    let failure = answer(401, &[], &format!(r#"{{"detail":"bad token {token}"}}"#));
    assert_eq!(failure.message, "bad token [redacted].");
}

#[test]
fn only_parameters_that_change_no_meaning_are_dispensable() {
    let check = |body: &str, dispensable: bool| {
        let failure = answer(400, &[], body);
        let found = failure.refused_parameter.map(DispensableParameter::name);
        assert_eq!(
            (failure.kind, found),
            (RequestRejected, dispensable.then_some("max_output_tokens")),
            "{body}"
        );
    };
    check(r#"{"detail":"Unsupported parameter: max_output_tokens"}"#, true);
    check(r#"{"error":{"code":"unknown_parameter","param":"max_output_tokens","message":"No."}}"#, true);
    check(r#"{"error":{"message":"Unknown parameter: 'max_output_tokens'."}}"#, true);
    check(r#"{"detail":"Unsupported parameter: temperature"}"#, false);
    check(r#"{"error":{"code":"invalid_value","param":"max_output_tokens","message":"Too small."}}"#, false);
    check(r#"{"detail":"Unsupported parameter: tools.max_output_tokens"}"#, false);
}

#[test]
fn a_date_that_has_passed_beside_a_wait_that_has_not_tells_that_the_clocks_differ() {
    fn check(date: i64, wait: i64, expected: (Option<i64>, bool)) {
        let body = json!({"error": {"type": "usage_limit_reached", "resets_at": NOW.0 / 1000 + date,
            "resets_in_seconds": wait}});
        let failure = answer(429, &[], &body.to_string());
        let wait = failure.resets_at.map(|at| at.since(NOW).as_secs() as i64);
        assert_eq!((wait, failure.is_by_our_clock), expected, "{body}");
    }
    check(-3600, 60, (Some(60), true));
    check(0, 60, (Some(60), true));
    check(60, 60, (Some(60), false));
    check(3600, 60, (Some(3600), false));
    check(-60, 0, (None, false));
}
