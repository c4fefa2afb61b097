//! The known cases by name, each spelled as the admin endpoint takes it. Bodies are as schema/upstream.md (error codes,
//! token endpoint) has them, most of them as users saw them: see tests/data/upstream/reported-in-issues.

use super::behaviour::Behaviour;

#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    pub about: &'static str,
    json: &'static str,
}

impl Row {
    /// # Errors
    ///
    /// Never for a row of [`ROWS`]: a test reads them all.
    pub fn behaviour(&self) -> serde_json::Result<Behaviour> {
        serde_json::from_str(self.json)
    }
}

pub(super) fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

const fn row(name: &'static str, about: &'static str, json: &'static str) -> Row {
    Row { name, about, json }
}

#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    // Limits, as HTTP answers.
    row("usage_limit", "429 usage_limit_reached, over in an hour",
        r#"{"answer":{"status":429,"body":{"error":{"type":"usage_limit_reached","message":"The usage limit has been reached","plan_type":"plus","resets_in_seconds":3600}}}}"#),
    row("usage_limit_undated", "429 usage_limit_reached that says nothing of a reset",
        r#"{"answer":{"status":429,"body":{"error":{"type":"usage_limit_reached","message":"The usage limit has been reached","plan_type":"plus"}}}}"#),
    row("usage_limit_headers", "429 usage_limit_reached, dated only by the x-codex-* headers of the account",
        r#"{"answer":{"status":429,"quota_headers":true,"body":{"error":{"type":"usage_limit_reached","message":"The usage limit has been reached","plan_type":"plus"}}}}"#),
    row("usage_not_included", "429 usage_not_included: the plan has no such usage",
        r#"{"answer":{"status":429,"body":{"error":{"type":"usage_not_included","message":"To use Codex with your ChatGPT plan, upgrade to Plus."}}}}"#),
    row("credits", "402, credits are used up",
        r#"{"answer":{"status":402,"body":{"error":{"code":"credit_balance_exhausted","message":"Your credit balance is exhausted.","type":"insufficient_quota","param":null}}}}"#),
    row("rate_limit_retry_after", "429 rate_limit_exceeded with retry-after: 2",
        r#"{"answer":{"status":429,"headers":{"retry-after":"2"},"body":{"error":{"code":"rate_limit_exceeded","message":"Rate limit reached for requests","type":"requests","param":null}}}}"#),
    row("rate_limit", "429 rate_limit_exceeded that says nothing of when",
        r#"{"answer":{"status":429,"body":{"error":{"code":"rate_limit_exceeded","message":"Rate limit reached for requests","type":"requests","param":null}}}}"#),
    row("rate_limit_text", "429 rate_limit_exceeded, \"try again in 1.5s\" in its text",
        r#"{"answer":{"status":429,"body":{"error":{"code":"rate_limit_exceeded","message":"Rate limit reached. Please try again in 1.5s.","type":"tokens","param":null}}}}"#),
    row("slow_down", "429 slow_down with retry-after: 1",
        r#"{"answer":{"status":429,"headers":{"retry-after":"1"},"body":{"error":{"code":"slow_down","message":"Slow down","type":"requests","param":null}}}}"#),

    // Limits that every account of the workspace meets (schema/upstream.md, error codes).
    row("organization_usage_limit", "429 organization_usage_limit_exceeded, over in an hour",
        r#"{"answer":{"status":429,"body":{"error":{"code":"organization_usage_limit_exceeded","message":"Your organization has reached its usage limit.","type":"usage_limit","param":null,"resets_in_seconds":3600}}}}"#),
    row("organization_spend_limit", "429 organization_spend_limit_exceeded",
        r#"{"answer":{"status":429,"body":{"error":{"code":"organization_spend_limit_exceeded","message":"Your organization has reached its spend limit.","type":"insufficient_quota","param":null}}}}"#),
    row("project_spend_limit", "429 project_spend_limit_exceeded",
        r#"{"answer":{"status":429,"body":{"error":{"code":"project_spend_limit_exceeded","message":"Your project has reached its spend limit.","type":"insufficient_quota","param":null}}}}"#),
    row("insufficient_quota", "429 insufficient_quota",
        r#"{"answer":{"status":429,"body":{"error":{"code":"insufficient_quota","message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null}}}}"#),

    // Who is asking.
    row("token_invalidated", "401 token_invalidated",
        r#"{"answer":{"status":401,"body":{"error":{"message":"Your authentication token has been invalidated. Please try signing in again.","type":"invalid_request_error","code":"token_invalidated","param":null},"status":401}}}"#),
    row("token_expired", "401 token_expired, as text/plain",
        r#"{"answer":{"status":401,"headers":{"content-type":"text/plain"},"body":{"error":{"message":"Provided authentication token is expired. Please try signing in again.","type":null,"code":"token_expired","param":null},"status":401}}}"#),
    row("token_revoked", "401 token_revoked",
        r#"{"answer":{"status":401,"body":{"error":{"message":"Encountered invalidated oauth token for user, failing request","type":null,"code":"token_revoked","param":null},"status":401}}}"#),
    row("account_deactivated", "401 account_deactivated",
        r#"{"answer":{"status":401,"body":{"error":{"message":"Your OpenAI account has been deactivated, please check your email for more information.","type":"invalid_request_error","code":"account_deactivated","param":null},"status":401}}}"#),
    row("deactivated_workspace", "402 deactivated_workspace",
        r#"{"answer":{"status":402,"body":{"detail":{"code":"deactivated_workspace"}}}}"#),
    row("workspace_denied", "403, the workspace does not let this account in",
        r#"{"answer":{"status":403,"body":{"error":{"code":"workspace_access_denied","message":"You do not have access to this workspace.","type":"request_forbidden","param":null}}}}"#),
    row("region", "403 unsupported_country_region_territory",
        r#"{"answer":{"status":403,"body":{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported","param":null,"type":"request_forbidden"}}}}"#),
    row("cloudflare", "403, a challenge page",
        r#"{"answer":{"status":403,"headers":{"cf-mitigated":"challenge","server":"cloudflare"},"body":"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>"}}"#),
    row("cloudflare_blocked", "403, a block page",
        r#"{"answer":{"status":403,"headers":{"server":"cloudflare"},"body":"<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head><body>Sorry, you have been blocked</body></html>"}}"#),

    // The request's own fault.
    row("model_unsupported", "400, the model is not for this account",
        r#"{"answer":{"status":400,"body":{"detail":"The 'gpt-6.1-sol' model is not supported when using Codex with a ChatGPT account."}}}"#),
    row("model_not_found", "404 model_not_found",
        r#"{"answer":{"status":404,"body":{"error":{"code":"model_not_found","message":"The model 'gpt-6.1-sol' does not exist or you do not have access to it.","type":"invalid_request_error","param":null}}}}"#),
    row("unsupported_parameter", "400, a parameter that is not supported",
        r#"{"answer":{"status":400,"body":{"detail":"Unsupported parameter: max_output_tokens"}}}"#),
    row("stream_id", "400, several conversations on one socket are not supported (CLIProxyAPI#5561)",
        r#"{"answer":{"status":400,"body":{"detail":"Unsupported parameter: stream_id"}}}"#),
    row("effort_unsupported", "400, an effort that GPT-6.2 refuses (pi 1.6.0's models)",
        r#"{"answer":{"status":400,"body":{"error":{"message":"Unsupported value: 'none' is not supported with the 'gpt-6.2-sol' model.","type":"invalid_request_error","param":"reasoning.effort","code":"unsupported_value"}}}}"#),
    row("context_length", "400 context_length_exceeded",
        r#"{"answer":{"status":400,"body":{"error":{"code":"context_length_exceeded","message":"Your input exceeds the context window of this model. Please adjust your input and try again.","type":"invalid_request_error","param":"input"}}}}"#),
    row("too_large", "413",
        r#"{"answer":{"status":413,"body":{"error":{"code":"context_too_large","message":"The request is too large.","type":"invalid_request_error","param":null}}}}"#),
    row("unprocessable", "422",
        r#"{"answer":{"status":422,"body":{"detail":[{"loc":["body","input"],"msg":"field required","type":"value_error.missing"}]}}}"#),
    row("policy", "400 cyber_policy",
        r#"{"answer":{"status":400,"body":{"error":{"code":"cyber_policy","message":"This request was refused by a policy.","type":"invalid_request_error","param":null}}}}"#),
    row("previous_response_not_found", "400 previous_response_not_found",
        r#"{"answer":{"status":400,"body":{"error":{"code":"previous_response_not_found","message":"Previous response with id 'resp_1' not found.","type":"invalid_request_error","param":"previous_response_id"}}}}"#),
    row("invalid_encrypted_content", "400 invalid_encrypted_content",
        r#"{"answer":{"status":400,"body":{"error":{"code":"invalid_encrypted_content","message":"The encrypted content could not be verified.","type":"invalid_request_error","param":null}}}}"#),

    // Upstream's own trouble.
    row("not_found", "404 with no more to it",
        r#"{"answer":{"status":404,"body":{"detail":"Not Found"}}}"#),
    row("server_error", "500",
        r#"{"answer":{"status":500,"body":{"error":{"code":"server_error","message":"The server had an error processing your request.","type":"server_error","param":null}}}}"#),
    row("bad_gateway", "502, HTML",
        r#"{"answer":{"status":502,"body":"<html><head><title>502 Bad Gateway</title></head></html>"}}"#),
    row("unavailable", "503 with retry-after: 1",
        r#"{"answer":{"status":503,"headers":{"retry-after":"1"},"body":"upstream connect error"}}"#),
    row("overloaded", "503 server_is_overloaded",
        r#"{"answer":{"status":503,"body":{"error":{"code":"server_is_overloaded","message":"Our servers are currently overloaded. Please try again later.","type":"service_unavailable_error","param":null}}}}"#),
    row("redirect", "302 to somewhere else",
        r#"{"answer":{"status":302,"headers":{"location":"http://127.0.0.1:1/elsewhere"}}}"#),
    row("json_instead_of_stream", "200, the whole response as JSON",
        r#"{"answer":{"status":200,"body":{"id":"resp_json","object":"response","status":"completed","error":null,"model":"gpt-6.1-sol","output":[{"id":"msg_json","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"whole","annotations":[]}]}],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}}}"#),
    row("html_instead_of_stream", "200, HTML",
        r#"{"answer":{"status":200,"body":"<html><head><title>Sign in</title></head></html>"}}"#),

    // In a stream that began with status 200.
    row("stream_usage_limit", "response.failed with usage_limit_reached after the preamble, over in an hour",
        r#"{"stream":{"fault":{"after":"preamble","what":{"failed":{"code":"usage_limit_reached","message":"The usage limit has been reached","resets_in_seconds":3600}}}}}"#),
    row("stream_usage_limit_error", "an error event with usage_limit_reached and status_code 429 after the preamble",
        r#"{"stream":{"fault":{"after":"preamble","what":{"event":{"type":"error","error":{"type":"usage_limit_reached","message":"The usage limit has been reached","plan_type":"plus","resets_in_seconds":3600},"status_code":429}}}}}"#),
    row("stream_usage_limit_first", "the same before any other event",
        r#"{"stream":{"fault":{"after":"headers","what":{"event":{"type":"error","error":{"type":"usage_limit_reached","message":"The usage limit has been reached","plan_type":"plus","resets_in_seconds":3600},"status":429}}}}}"#),
    row("stream_usage_limit_after_output", "response.failed with usage_limit_reached after five events of output",
        r#"{"stream":{"spoken":{"deltas":{"count":20,"size":4}},"fault":{"after":{"output":5},"what":{"failed":{"code":"usage_limit_reached","message":"The usage limit has been reached","resets_in_seconds":3600}}}}}"#),
    row("stream_rate_limit", "response.failed with rate_limit_exceeded, \"try again in 1.5s\"",
        r#"{"stream":{"fault":{"after":"preamble","what":{"failed":{"code":"rate_limit_exceeded","message":"Rate limit reached for gpt-6.1-sol on tokens per min (TPM): Limit 30000, Used 22999, Requested 12528. Please try again in 1.5s."}}}}}"#),
    row("stream_insufficient_quota", "an error event and then response.failed, both insufficient_quota",
        r#"{"stream":{"fault":{"after":"preamble","what":{"error_then_failed":{"type":"insufficient_quota","code":"insufficient_quota","message":"You exceeded your current quota, please check your plan and billing details.","param":null}}}}}"#),
    row("stream_context_length", "response.failed with context_length_exceeded",
        r#"{"stream":{"fault":{"after":"preamble","what":{"failed":{"code":"context_length_exceeded","message":"Your input exceeds the context window of this model."}}}}}"#),
    row("stream_overloaded", "response.failed with server_is_overloaded",
        r#"{"stream":{"fault":{"after":"preamble","what":{"failed":{"code":"server_is_overloaded","message":"Our servers are currently overloaded."}}}}}"#),
    row("stream_server_error", "response.failed with server_error",
        r#"{"stream":{"fault":{"after":"preamble","what":{"failed":{"code":"server_error","message":"The server had an error."}}}}}"#),
    row("stream_server_error_after_output", "response.failed with server_error after five events of output",
        r#"{"stream":{"spoken":{"deltas":{"count":20,"size":4}},"fault":{"after":{"output":5},"what":{"failed":{"code":"server_error","message":"The server had an error."}}}}}"#),
    row("stream_model_unsupported", "an error event with status 400 that names the model",
        r#"{"stream":{"fault":{"after":"headers","what":{"event":{"type":"error","status":400,"error":{"type":"invalid_request_error","message":"The 'gpt-6.1-sol' model is not supported when using Codex with a ChatGPT account."}}}}}}"#),
    row("limit_reached_event", "codex.rate_limits with limit_reached, and then a good answer",
        r#"{"stream":{"limits_event":true}}"#),
    row("reasoning_removed", "a good answer that reports removed reasoning, for each reason there is (pi 1.6.0)",
        r#"{"stream":{"removed":["organization_mismatch","end_user_mismatch","model_mismatch","prefix_mismatch","turn_boundary"]}}"#),
    row("incomplete", "response.incomplete for max_output_tokens after five events of output",
        r#"{"stream":{"fault":{"after":{"output":5},"what":{"incomplete":"max_output_tokens"}}}}"#),
    row("not_json", "an event that is not JSON after five events of output",
        r#"{"stream":{"fault":{"after":{"output":5},"what":{"insert":"this is {not JSON"}}}}"#),
    row("not_json_first", "an event that is not JSON before any output",
        r#"{"stream":{"fault":{"after":"preamble","what":{"insert":"this is {not JSON"}}}}"#),
    row("after_terminal", "one more event after response.completed",
        r#"{"stream":{"fault":{"after":"terminal","what":{"insert":"{\"type\":\"response.output_text.delta\",\"delta\":\"late\"}"}}}}"#),
    row("no_terminal", "the stream ends well, but without a terminal event",
        r#"{"stream":{"fault":{"after":{"output":5},"what":"end"}}}"#),
    row("empty_stream", "status 200 and not one event",
        r#"{"stream":{"fault":{"after":"headers","what":"end"}}}"#),

    // WebSockets. Elsewhere the connection is closed.
    row("websocket_connection_limit", "400 websocket_connection_limit_reached",
        r#"{"answer":{"status":400,"body":{"error":{"code":"websocket_connection_limit_reached","message":"Responses websocket connection limit reached (60 minutes). Create a new websocket connection to continue.","type":"invalid_request_error","param":null}}}}"#),
    row("websocket_policy", "closed with 1008 before anything is said", r#"{"close":1008}"#),
    row("websocket_too_big", "closed with 1009 before anything is said", r#"{"close":1009}"#),
    row("websocket_error", "closed with 1011 before anything is said", r#"{"close":1011}"#),
    row("websocket_restart", "closed with 1012 after the preamble",
        r#"{"stream":{"fault":{"after":"preamble","what":{"close":1012}}}}"#),
    row("websocket_error_after_output", "closed with 1011 after five events of output",
        r#"{"stream":{"spoken":{"deltas":{"count":20,"size":4}},"fault":{"after":{"output":5},"what":{"close":1011}}}}"#),

    // The connection.
    row("cut_after_headers", "the connection is closed after the headers",
        r#"{"stream":{"fault":{"after":"headers","what":{"break":"cut"}}}}"#),
    row("cut_after_preamble", "the connection is closed after the preamble",
        r#"{"stream":{"fault":{"after":"preamble","what":{"break":"cut"}}}}"#),
    row("cut_after_output", "the connection is closed after five events of output",
        r#"{"stream":{"fault":{"after":{"output":5},"what":{"break":"cut"}}}}"#),
    row("reset_after_output", "the connection is reset after five events of output",
        r#"{"stream":{"fault":{"after":{"output":5},"what":{"break":"reset"}}}}"#),
    row("hang_after_headers", "nothing comes after the headers",
        r#"{"stream":{"fault":{"after":"headers","what":{"break":"hang"}}}}"#),
    row("hang_after_preamble", "nothing comes after the preamble",
        r#"{"stream":{"fault":{"after":"preamble","what":{"break":"hang"}}}}"#),
    row("hang_after_output", "nothing comes after five events of output",
        r#"{"stream":{"fault":{"after":{"output":5},"what":{"break":"hang"}}}}"#),
    row("trickle", "an event every 100 ms",
        r#"{"stream":{"pace":{"each_ms":100}}}"#),
    row("only_comments", "comments every 100 ms and nothing else",
        r#"{"stream":{"fault":{"after":"headers","what":{"only_comments_each_ms":100}}}}"#),

    // The token endpoint.
    row("refresh_token_expired", "401 refresh_token_expired",
        r#"{"answer":{"status":401,"body":{"error":{"message":"Your refresh token has expired. Please log in again.","type":"invalid_request_error","param":null,"code":"refresh_token_expired"}}}}"#),
    row("refresh_token_reused", "401 refresh_token_reused",
        r#"{"answer":{"status":401,"body":{"error":{"message":"Your refresh token has already been used to generate a new access token. Please try signing in again.","type":"invalid_request_error","param":null,"code":"refresh_token_reused"}}}}"#),
    row("refresh_token_invalidated", "401 refresh_token_invalidated",
        r#"{"answer":{"status":401,"body":{"error":{"message":"Your session has ended. Please log in again.","type":"invalid_request_error","param":null,"code":"refresh_token_invalidated"}}}}"#),
    row("app_session_terminated", "401 app_session_terminated",
        r#"{"answer":{"status":401,"body":{"error":{"message":"Your session was terminated.","type":"invalid_request_error","param":null,"code":"app_session_terminated"}}}}"#),
    row("invalid_grant", "400 invalid_grant",
        r#"{"answer":{"status":400,"body":{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}}}"#),
    row("token_bad_request", "400 with a code that is not known to be for good",
        r#"{"answer":{"status":400,"body":{"error":{"message":"Try again.","type":"invalid_request_error","param":null,"code":"temporarily_unavailable"}}}}"#),
    row("token_rate_limit", "429 from the token endpoint",
        r#"{"answer":{"status":429,"headers":{"retry-after":"1"},"body":{"error":{"code":"rate_limit_exceeded","message":"Too many requests"}}}}"#),
    row("token_without_access", "200 without an access token",
        r#"{"answer":{"status":200,"body":{"token_type":"Bearer"}}}"#),
    row("token_lost", "the refresh token is redeemed, and the connection closed without an answer",
        r#"{"lost":"cut"}"#),
    row("token_lost_hanging", "the refresh token is redeemed, and nothing answered",
        r#"{"lost":"hang"}"#),
    row("token_keeps_refresh", "200 without a refresh token: the old one stays valid",
        r#"{"issue":{"omit":["refresh_token"]}}"#),

    // Logins.
    row("device_off", "404, no device logins for this server",
        r#"{"answer":{"status":404,"body":{"detail":"Not Found"}}}"#),
    row("device_slow_down", "400 slow_down",
        r#"{"answer":{"status":400,"body":{"error":"slow_down"}}}"#),
    row("device_expired", "400 expired_token",
        r#"{"answer":{"status":400,"body":{"error":"expired_token"}}}"#),
    row("device_denied", "403 access_denied",
        r#"{"answer":{"status":403,"body":{"error":"access_denied"}}}"#),
];

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_row_is_a_behaviour_with_a_name_of_its_own() {
        let mut names = HashSet::new();
        for row in ROWS {
            assert!(row.behaviour().is_ok(), "{}: {:?}", row.name, row.behaviour());
            assert!(names.insert(row.name), "{} twice", row.name);
            // A unit behaviour of the same name would hide the row, or the other way round.
            assert!(serde_json::from_str::<Behaviour>(&format!("\"{}\"", row.name)).is_err(), "{}", row.name);
        }
        assert_eq!(Behaviour::row("usage_limit").unwrap(), Behaviour::usage_limit());
        assert_eq!(Behaviour::row("no such row"), None);
    }
}
