//! The closed lists of upstream's codes and what each means (schema/upstream.md, error codes).

use crate::pool::FailureKind::{self, *};

/// Returns `None` for a code that is unknown, or so general that the status says more.
pub(super) fn kind_of_code(code: &str) -> Option<FailureKind> {
    Some(match code {
        "usage_limit_reached"
        | "usage_limit_exceeded"
        | "rate_limit_reached"
        | "organization_usage_limit_exceeded"
        | "workspace_owner_usage_limit_reached"
        | "workspace_member_usage_limit_reached" => UsageLimit,

        "usage_not_included"
        | "insufficient_quota"
        | "credit_balance_exhausted"
        | "out_of_credits"
        | "billing_hard_limit_reached"
        | "organization_spend_limit_exceeded"
        | "project_spend_limit_exceeded"
        | "workspace_owner_credits_depleted"
        | "workspace_member_credits_depleted" => Credits,

        "rate_limit_exceeded" | "rate_limit_error" | "too_many_requests" | "connector_rate_limit" => {
            RateLimit
        }

        "deactivated_workspace"
        | "workspace_deactivated"
        | "account_deactivated"
        | "account_suspended"
        | "account_deleted" => Deactivated,

        "token_invalidated"
        | "token_expired"
        | "token_revoked"
        | "invalid_token"
        | "authentication_error" => Unauthorized,

        "codex_workspace_access_denied"
        | "workspace_access_denied"
        | "missing_codex_entitlement"
        | "codex_access_denied" => WorkspaceDenied,

        "server_is_overloaded"
        | "server_overloaded"
        | "overloaded_error"
        | "engine_overloaded"
        | "slow_down"
        | "policy_capacity_unavailable"
        | "flex_unavailable" => Overloaded,

        "model_not_found" | "model_not_supported" | "unsupported_model" | "model_not_available" => {
            ModelUnsupported
        }

        "context_length_exceeded" | "context_too_large" | "context_window_exceeded" => ContextLengthExceeded,

        // The region is that of this machine, and policy is about the prompt: another account changes neither.
        "unsupported_country_region_territory"
        | "previous_response_not_found"
        | "invalid_encrypted_content"
        | "invalid_prompt"
        | "bio_policy"
        | "cyber_policy"
        | "misalignment_policy_violation"
        | "content_policy_violation"
        | "content_filter"
        | "unsupported_parameter"
        | "unknown_parameter"
        | "invalid_value"
        | "string_above_max_length" => RequestRejected,

        code if code.contains("at_capacity") || code.contains("capacity_exceeded") => Overloaded,
        code if code.contains("overloaded") => Overloaded,

        _ => return None,
    })
}

/// Codes and types that say only that something is wrong.
pub(super) fn is_general(code: &str) -> bool {
    matches!(
        code,
        "invalid_request_error"
            | "bad_request"
            | "error"
            | "api_error"
            | "server_error"
            | "internal_server_error"
    )
}

/// General types, used when an event has no known code, no status and no clear message.
pub(super) fn kind_of_type(codes: &[String]) -> Option<FailureKind> {
    codes.iter().find_map(|code| match code.as_str() {
        "invalid_request_error" | "request_forbidden" => Some(RequestRejected),
        "server_error" | "internal_server_error" | "api_error" => Some(ServerError),
        _ => None,
    })
}
