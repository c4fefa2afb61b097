//! What upstream checks first: the bearer token, the workspace, the fixed members of a request.

use serde_json::{Value, json};

use super::answer::Answer;
use super::received::Received;
use super::rule::Route;
use super::server::Shared;
use super::tokens::BearerFault;
use crate::pool::At;

/// Returns the refusal, if there is one. The endpoints of logins and tokens check for themselves.
pub(super) fn refuse(shared: &Shared, route: Route, received: &Received, now: At) -> Option<Answer> {
    match route {
        Route::Token
        | Route::Revoke
        | Route::Authorize
        | Route::DeviceCode
        | Route::DevicePoll
        | Route::DevicePage => None,
        Route::Responses => bearer(shared, received, now).or_else(|| request(received)),
        _ => bearer(shared, received, now),
    }
}

fn bearer(shared: &Shared, received: &Received, now: At) -> Option<Answer> {
    let Some(token) = received.bearer() else {
        return Some(Answer::json(401, json!({ "detail": "Unauthorized" })));
    };
    let state = shared.state();
    let owner = match state.tokens.check(token, now) {
        Ok(owner) => owner,
        Err(BearerFault::Expired) => {
            return Some(unauthorized(
                "token_expired",
                "Provided authentication token is expired. Please try signing in again.",
            ));
        }
        Err(BearerFault::Unknown | BearerFault::Revoked) => {
            return Some(unauthorized(
                "token_invalidated",
                "Your authentication token has been invalidated. Please try signing in again.",
            ));
        }
    };
    let workspace = &state.accounts[owner].account.workspace_id;
    (received.header("chatgpt-account-id") != Some(workspace)).then(|| {
        Answer::json(
            403,
            json!({ "detail": "The chatgpt-account-id header names another workspace than the token" }),
        )
    })
}

fn unauthorized(code: &str, message: &str) -> Answer {
    Answer::json(
        401,
        json!({ "error": { "message": message, "type": null, "code": code, "param": null }, "status": 401 }),
    )
}

/// The fixed members of a request for a completion.
pub(super) fn request(received: &Received) -> Option<Answer> {
    let detail = |text: &str| Some(Answer::json(400, json!({ "detail": text })));
    let Some(Value::Object(body)) = received.json() else {
        return detail("The body is not a JSON object");
    };
    if body.get("store") != Some(&Value::Bool(false)) {
        return detail("Store must be set to false");
    }
    if body.get("stream") != Some(&Value::Bool(true)) {
        return detail("Stream must be set to true");
    }
    let cache_key = body.get("prompt_cache_key").and_then(Value::as_str).unwrap_or_default();
    if cache_key.chars().count() > 64 {
        return detail("Invalid 'prompt_cache_key': longer than 64 characters");
    }
    if !body.get("model").is_some_and(Value::is_string) {
        return detail("A model must be named");
    }
    if body.contains_key("stream_id") {
        return detail("Unsupported parameter: stream_id");
    }
    effort(&body)
}

/// GPT-6.2 always reasons.
fn effort(body: &serde_json::Map<String, Value>) -> Option<Answer> {
    let model = body.get("model").and_then(Value::as_str)?;
    let effort = body.get("reasoning")?.get("effort")?.as_str()?;
    if !model.starts_with("gpt-6.2-") || !["none", "minimal"].contains(&effort) {
        return None;
    }
    let message = format!("Unsupported value: '{effort}' is not supported with the '{model}' model.");
    Some(Answer::json(
        400,
        json!({ "error": {
            "message": message, "type": "invalid_request_error", "param": "reasoning.effort", "code": "unsupported_value",
        } }),
    ))
}
