//! The faults, their places in an answer, and the expected result of each: the terminal notice for the client, the
//! state of the account, and how often it and the helper were asked.

use multicodex::sim::{After, Behaviour, Break, FaultKind, ROWS, Row, StreamPlan};
use serde_json::json;

/// A fault and its expected result.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub fault: Behaviour,
    pub expected: &'static str,
}

/// Nothing more is sent, and the connection stays: only a timeout notices it.
pub fn hangs(case: &Case) -> bool {
    case.name.starts_with("hang")
}

/// The results before the first event, before output, after output, and after the last event.
#[rustfmt::skip]
const STREAM_FAULTS: &[(&str, [&str; 4])] = &[
    ("hang", ["moved idle_timeout done | ready rests | 1+1", "moved idle_timeout done | ready rests | 1+1", "after_output idle_timeout | ready | 1+0", "done | ready | 1+0"]),
    ("cut", ["moved stream_interrupted done | ready rests | 1+1", "moved stream_interrupted done | ready rests | 1+1", "after_output stream_interrupted | ready | 1+0", "done | ready | 1+0"]),
    ("reset", ["moved stream_interrupted done | ready rests | 1+1", "moved stream_interrupted done | ready rests | 1+1", "after_output stream_interrupted | ready | 1+0", "done | ready | 1+0"]),
    ("whole end", ["moved stream_interrupted done | ready rests | 1+1", "moved stream_interrupted done | ready rests | 1+1", "after_output stream_interrupted | ready | 1+0", "done | ready | 1+0"]),
    ("failed", ["moved server_error done | ready rests | 1+1", "moved server_error done | ready rests | 1+1", "after_output server_error | ready rests | 1+0", "done | ready | 1+0"]),
    ("limit", ["moved usage_limit done | cooling | 1+1", "moved usage_limit done | cooling | 1+1", "after_output usage_limit | cooling | 1+0", "done | ready | 1+0"]),
    ("limit event", ["moved usage_limit done | cooling | 1+1", "moved usage_limit done | cooling | 1+1", "after_output usage_limit | cooling | 1+0", "done | ready | 1+0"]),
    ("quota twice", ["moved credits done | cooling | 1+1", "moved credits done | cooling | 1+1", "after_output credits | cooling | 1+0", "done | ready | 1+0"]),
    ("incomplete", ["done incomplete | ready | 1+0", "done incomplete | ready | 1+0", "done incomplete | ready | 1+0", "done | ready | 1+0"]),
    ("not JSON", ["moved upstream_protocol done | ready rests | 1+1", "moved upstream_protocol done | ready rests | 1+1", "after_output upstream_protocol | ready | 1+0", "done | ready | 1+0"]),
    ("unknown event", ["done | ready | 1+0", "done | ready | 1+0", "done | ready | 1+0", "done | ready | 1+0"]),
    ("pause", ["done | ready | 1+0", "done | ready | 1+0", "done | ready | 1+0", "done | ready | 1+0"]),
];

/// The same for the simulator's named rows.
#[rustfmt::skip]
const ROWS_EXPECTED: &[(&str, &[&str])] = &[
    ("moved usage_limit done | cooling | 1+1", &["usage_limit", "usage_limit_undated", "usage_limit_headers", "organization_usage_limit", "stream_usage_limit", "stream_usage_limit_error", "stream_usage_limit_first"]),
    ("moved credits done | cooling | 1+1", &["usage_not_included", "credits", "organization_spend_limit", "project_spend_limit", "insufficient_quota", "stream_insufficient_quota"]),
    ("moved rate_limit done | cooling | 1+1", &["rate_limit_retry_after", "rate_limit", "rate_limit_text", "slow_down", "stream_rate_limit"]),
    ("moved unauthorized done | needs_login | 2+1", &["token_invalidated", "token_expired", "token_revoked"]),
    ("moved deactivated done | deactivated | 1+1", &["account_deactivated", "deactivated_workspace"]),
    ("moved workspace_denied done | ready | 1+1", &["workspace_denied"]),
    ("before_output request_rejected | ready | 1+0", &["region", "unsupported_parameter", "stream_id", "effort_unsupported", "unprocessable", "policy", "previous_response_not_found", "invalid_encrypted_content", "not_found", "websocket_connection_limit"]),
    ("moved challenge done | ready rests | 1+1", &["cloudflare", "cloudflare_blocked"]),
    ("moved model_unsupported done | ready | 1+1", &["model_unsupported", "model_not_found", "stream_model_unsupported"]),
    ("before_output context_length_exceeded | ready | 1+0", &["context_length", "too_large", "stream_context_length"]),
    ("moved server_error done | ready rests | 1+1", &["server_error", "bad_gateway", "stream_server_error"]),
    ("moved overloaded done | ready rests | 1+1", &["unavailable", "overloaded", "stream_overloaded"]),
    ("moved challenge done | ready rests | 1+1", &["redirect", "html_instead_of_stream"]),
    ("moved upstream_protocol done | ready rests | 1+1", &["not_json_first"]),
    ("done | ready | 1+0", &["json_instead_of_stream", "reasoning_removed", "limit_reached_event", "after_terminal", "trickle"]),
    ("after_output usage_limit | cooling | 1+0", &["stream_usage_limit_after_output"]),
    ("after_output server_error | ready rests | 1+0", &["stream_server_error_after_output"]),
    ("done incomplete | ready | 1+0", &["incomplete"]),
    ("after_output upstream_protocol | ready | 1+0", &["not_json"]),
    ("after_output stream_interrupted | ready | 1+0", &["no_terminal", "cut_after_output", "reset_after_output", "websocket_error_after_output"]),
    ("moved stream_interrupted done | ready rests | 1+1", &["empty_stream", "cut_after_headers", "cut_after_preamble", "websocket_restart"]),
    ("moved network done | ready rests | 1+1", &["websocket_policy", "websocket_too_big", "websocket_error"]),
    ("moved idle_timeout done | ready rests | 1+1", &["hang_after_headers", "hang_after_preamble"]),
    ("after_output idle_timeout | ready | 1+0", &["hang_after_output"]),
];

/// Rows of the token endpoint and of logins: see refresh.rs and login. `only_comments` never ends by itself.
const NOT_ABOUT_COMPLETIONS: &[&str] = &[
    "refresh_",
    "app_session_",
    "invalid_grant",
    "token_bad",
    "token_rate",
    "token_without",
    "token_lost",
    "token_keeps",
    "device_",
    "only_comments",
];

fn kind(name: &str) -> FaultKind {
    let limit = json!({"code": "usage_limit_reached", "message": "m", "resets_in_seconds": 3600});
    match name {
        "hang" => FaultKind::Break(Break::Hang),
        "cut" => FaultKind::Break(Break::Cut),
        "reset" => FaultKind::Break(Break::Reset),
        "whole end" => FaultKind::End,
        "failed" => FaultKind::Failed(json!({"code": "server_error", "message": "m"})),
        "limit" => FaultKind::Failed(limit),
        "limit event" => FaultKind::Event(json!({"type": "error", "error": limit, "status": 429})),
        "quota twice" => FaultKind::ErrorThenFailed(json!({"code": "insufficient_quota", "message": "m"})),
        "incomplete" => FaultKind::Incomplete("max_output_tokens".to_owned()),
        "not JSON" => FaultKind::Insert("{not JSON".to_owned()),
        "unknown event" => FaultKind::Insert(r#"{"type":"response.of_tomorrow","x":1}"#.to_owned()),
        "pause" => FaultKind::PauseMs(20),
        other => panic!("no such fault: {other}"),
    }
}

/// Every fault in every phase of a stream, with events of this size, and this many events before a fault after output.
pub fn stream_cases(event_bytes: usize, outputs: usize) -> Vec<Case> {
    let plan = StreamPlan::deltas(60, event_bytes);
    let phases = [
        ("headers", After::Headers),
        ("preamble", After::Preamble),
        ("output", After::Output(outputs)),
        ("end", After::Terminal),
    ];
    let cross = |(name, expected): &(&str, [&'static str; 4])| {
        let fault = |after| Behaviour::Stream(plan.clone().with_fault(after, kind(name)));
        let cases = phases.iter().zip(expected).map(|((phase, after), expected)| Case {
            name: format!("{name} at {phase}"),
            fault: fault(*after),
            expected,
        });
        cases.collect::<Vec<_>>()
    };
    STREAM_FAULTS.iter().flat_map(cross).collect()
}

/// Faults before there is an answer.
pub fn connection_cases() -> Vec<Case> {
    let case = |name: &str, fault, expected| Case { name: name.to_owned(), fault, expected };
    vec![
        case("hang at connection", Behaviour::Hang, "moved idle_timeout done | ready rests | 1+1"),
        case(
            "hang, and upstream worked",
            Behaviour::Lost(Break::Hang),
            "moved idle_timeout done | ready rests | 1+1",
        ),
        case("cut at connection", Behaviour::Cut, "moved network done | ready rests | 1+1"),
        case("reset at connection", Behaviour::Reset, "moved network done | ready rests | 1+1"),
        case(
            "cut, and upstream worked",
            Behaviour::Lost(Break::Cut),
            "moved network done | ready rests | 1+1",
        ),
    ]
}

/// Every named row of the simulator that affects completions.
pub fn row_cases() -> Vec<Case> {
    let rows =
        ROWS.iter().filter(|row| !NOT_ABOUT_COMPLETIONS.iter().any(|start| row.name.starts_with(start)));
    let case = |row: &Row| {
        let expected = ROWS_EXPECTED.iter().find(|(_, names)| names.contains(&row.name));
        Case {
            name: row.name.to_owned(),
            fault: row.behaviour().expect("a row is a behaviour"),
            expected: expected.map_or("a row that is in no table", |(expected, _)| expected),
        }
    };
    rows.map(case).collect()
}
