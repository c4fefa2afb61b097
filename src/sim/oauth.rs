//! The token endpoint: redeeming refresh tokens and the codes of logins, and revoking. It refuses other grants.

use serde_json::{Value, json};

use super::answer::Answer;
use super::behaviour::Issue;
use super::login;
use super::received::Received;
use super::server::Shared;
use super::state::State;
use super::tokens::{Owner, RefreshFault};
use crate::pool::At;

/// Takes JSON and forms, as clients send both.
pub(super) fn token(shared: &Shared, received: &Received, issue: &Issue, now: At) -> Answer {
    match received.member("grant_type").as_deref() {
        Some("refresh_token") => redeem(shared, received, issue, now),
        Some("authorization_code") => redeem_code(shared, received, issue, now),
        _ => Answer::json(400, json!({ "error": "unsupported_grant_type" })),
    }
}

pub(super) fn revoke(shared: &Shared, owner: Option<Owner>) -> Answer {
    if let Some(owner) = owner {
        shared.state().tokens.revoke(owner);
    }
    Answer::json(200, json!({}))
}

fn redeem(shared: &Shared, received: &Received, issue: &Issue, now: At) -> Answer {
    let refresh = received.member("refresh_token").unwrap_or_default();
    if refresh.is_empty() {
        return refused(400, "invalid_request", "Invalid 'refresh_token': empty string.");
    }
    let mut state = shared.state();
    let keeps_refresh_token = issue.omit.iter().any(|member| member == "refresh_token");
    let redeemed = match state.tokens.owner_of_refresh(&refresh) {
        Some(owner) if keeps_refresh_token => Ok(owner),
        _ => state.tokens.redeem(&refresh),
    };
    let owner = match redeemed {
        Ok(owner) => owner,
        Err(RefreshFault::Reused) => {
            return refused(
                401,
                "refresh_token_reused",
                "Your refresh token has already been used to generate a new access token. Please try signing in again.",
            );
        }
        Err(RefreshFault::Revoked) => {
            return refused(401, "refresh_token_invalidated", "Your session has ended. Please log in again.");
        }
        Err(RefreshFault::Unknown) => {
            return Answer::json(
                400,
                json!({ "error": "invalid_grant", "error_description": "Unknown refresh token." }),
            );
        }
    };
    handed_out(&mut state, owner, issue, now)
}

fn redeem_code(shared: &Shared, received: &Received, issue: &Issue, now: At) -> Answer {
    let mut state = shared.state();
    match login::redeem_code(&mut state, received) {
        Ok(owner) => handed_out(&mut state, owner, issue, now),
        Err(refused) => refused,
    }
}

fn handed_out(state: &mut State, owner: Owner, issue: &Issue, now: At) -> Answer {
    let other = issue.identity_of.as_deref().and_then(|name| state.owner_of(name));
    let login = state.issue_without(&issue.omit_claims, other.unwrap_or(owner), now);
    let mut body = json!({
        "access_token": login.access_token,
        "refresh_token": login.refresh_token,
        "id_token": login.id_token,
        "token_type": "Bearer",
        "expires_in": login.expires_in,
        "scope": "openid profile email offline_access",
    });
    if let Value::Object(members) = &mut body {
        members.retain(|name, _| !issue.omit.contains(name));
    }
    Answer::json(200, body)
}

fn refused(status: u16, code: &str, message: &str) -> Answer {
    let error = json!({ "message": message, "type": "invalid_request_error", "param": null, "code": code });
    Answer::json(status, json!({ "error": error }))
}
