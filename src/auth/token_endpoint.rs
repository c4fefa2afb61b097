//! The token endpoint (schema/upstream.md, token endpoint): one request through the `oauth2` crate. Makes its answer
//! regular, and sorts refusals into "for good" and "not now". Bodies are never logged and never part of an error.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use oauth2::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};

use crate::http::{BaseUrl, HttpClient, explain};
use crate::pool::{Failure, FailureKind, Source};
use crate::secret::Secret;

/// The public client of Codex and pi; it has no secret.
pub const CLIENT_ID: &str = "app_EMoamEEZ73f0CkXaXp7hrann";
pub(super) const PATH: &str = "oauth/token";

const TIMEOUT: Duration = Duration::from_secs(30);
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Codes that are final with any status (schema/upstream.md, token endpoint).
const FOR_GOOD: [&str; 8] = [
    "refresh_token_expired",
    "refresh_token_invalidated",
    "refresh_token_exhausted",
    "token_revoked",
    "app_session_terminated",
    "account_deactivated",
    "account_suspended",
    "account_deleted",
];
/// This code is final with 400 only; with 401 any code is final.
const FOR_GOOD_WITH_400: &str = "invalid_grant";
/// This code is final with 400 and 403; with 401 any code is final.
const FOR_GOOD_WITH_400_OR_403: &str = "refresh_token_reused";

/// Why there is no token. The variants differ in what may be done with the refresh token that was sent.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TokenRefreshError {
    /// It will never be accepted again: the account needs a new login.
    #[error("the login was refused for good: {message}")]
    Terminal { code: Option<String>, status: u16, message: String },
    /// It was not sent, or was refused for now: keep it and try later.
    #[error("no token for now: {message}")]
    Transient { status: Option<u16>, message: String, retry_after: Option<Duration> },
    /// It was sent and no answer came, so it may be consumed. Look first for a newer one.
    #[error("the answer to a token request was lost: {message}")]
    OutcomeUnknown { message: String },
    /// It was accepted, and the answer has no readable access token. The new refresh token was found in it.
    #[error("the token endpoint returned a new refresh token but no readable access token")]
    AccessTokenMissing { refresh: Secret },
}

impl TokenRefreshError {
    pub fn failure(&self) -> Failure {
        let (kind, status, code, retry_after) = match self {
            TokenRefreshError::Terminal { code, status, .. } => {
                let deactivated = code.as_deref().is_some_and(|code| code.starts_with("account_"));
                let kind = if deactivated { FailureKind::Deactivated } else { FailureKind::LoginRequired };
                (kind, Some(*status), code.clone(), None)
            }
            TokenRefreshError::Transient { status, retry_after, .. } => {
                (FailureKind::TokenUnavailable, *status, None, *retry_after)
            }
            TokenRefreshError::OutcomeUnknown { .. } => (FailureKind::OutcomeUnknown, None, None, None),
            TokenRefreshError::AccessTokenMissing { .. } => (FailureKind::TokenUnavailable, None, None, None),
        };
        Failure { status, code, retry_after, ..Failure::new(kind, Source::TokenEndpoint, self.to_string()) }
    }

    /// An endpoint that repeats what it received must not get a token into messages and logs as a code.
    pub(super) fn without(self, sent: &Secret) -> Self {
        let sent = sent.expose().to_ascii_lowercase();
        let repeats = |text: &str| text.contains(&sent) || sent.contains(text);
        match self {
            TokenRefreshError::Terminal { code: Some(code), status, .. } if repeats(&code) => {
                TokenRefreshError::Terminal { code: None, status, message: bare(status) }
            }
            TokenRefreshError::Transient { status: Some(status), message, retry_after }
                if message.split(' ').next().is_some_and(repeats) =>
            {
                TokenRefreshError::Transient { status: Some(status), message: bare(status), retry_after }
            }
            other => other,
        }
    }

    fn transient(message: impl Into<String>) -> Self {
        TokenRefreshError::Transient { status: None, message: message.into(), retry_after: None }
    }
}

/// Sends the request of the `oauth2` crate. A successful answer gets the members that the crate requires; anything else
/// is an error.
pub(super) async fn send(
    http: &HttpClient,
    base: &BaseUrl,
    request: HttpRequest,
) -> Result<HttpResponse, TokenRefreshError> {
    let client = http.get_unpooled(base).map_err(|error| TokenRefreshError::transient(error.to_string()))?;
    let mut request =
        reqwest::Request::try_from(request).map_err(|e| TokenRefreshError::transient(explain(e)))?;
    *request.timeout_mut() = Some(TIMEOUT);
    let lost = |message| TokenRefreshError::OutcomeUnknown { message };
    let mut response = client.execute(request).await.map_err(|error| {
        // Without a connection nothing was sent.
        match error.is_connect() || error.is_builder() {
            true => TokenRefreshError::transient(explain(error)),
            false => lost(explain(error)),
        }
    })?;

    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = zeroize::Zeroizing::new(Vec::new());
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= MAX_ANSWER_BYTES => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Ok(Some(_)) if status.is_success() => return Err(lost("the answer is too long".into())),
            Err(error) if status.is_success() => {
                let found =
                    refresh_token_in(&body).map(|refresh| TokenRefreshError::AccessTokenMissing { refresh });
                return Err(found.unwrap_or_else(|| lost(explain(error))));
            }
            // The status of a refusal is enough.
            Ok(Some(_)) | Err(_) => break,
        }
    }
    if !status.is_success() {
        return Err(refusal(status, &headers, &body));
    }
    let regular = regular_answer(&body).ok_or_else(|| match refresh_token_in(&body) {
        Some(refresh) => TokenRefreshError::AccessTokenMissing { refresh },
        None => lost("the answer cannot be read, or holds no access token".to_owned()),
    })?;
    let mut answer = HttpResponse::new(regular);
    answer
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    Ok(answer)
}

/// Sorts a refusal: only a code of the closed list, or any code with 401, is for good. A page or a 401 without a code
/// comes from something between us and the endpoint.
fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> TokenRefreshError {
    let code = error_code(body);
    let listed = |codes: &[&str]| code.as_deref().is_some_and(|code| codes.contains(&code));
    let terminal = match status {
        StatusCode::UNAUTHORIZED => code.is_some(),
        StatusCode::BAD_REQUEST => {
            listed(&FOR_GOOD) || listed(&[FOR_GOOD_WITH_400, FOR_GOOD_WITH_400_OR_403])
        }
        StatusCode::FORBIDDEN => listed(&FOR_GOOD) || listed(&[FOR_GOOD_WITH_400_OR_403]),
        _ => listed(&FOR_GOOD),
    };
    let message = match &code {
        Some(code) => format!("{code} (HTTP {})", status.as_u16()),
        None => bare(status.as_u16()),
    };
    if terminal {
        return TokenRefreshError::Terminal { code, status: status.as_u16(), message };
    }
    let seconds = headers.get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    TokenRefreshError::Transient {
        status: Some(status.as_u16()),
        message,
        retry_after: seconds.map(Duration::from_secs),
    }
}

fn bare(status: u16) -> String {
    format!("HTTP {status}")
}

/// Reads `{"error":{"code"}}`, `{"error":"code"}` or `{"code"}`, in lower case. Only a plain word counts, because it
/// gets into messages and logs.
pub(super) fn error_code(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let code = match body.get("error") {
        Some(Value::Object(error)) => error.get("code"),
        Some(Value::String(_)) => body.get("error"),
        _ => body.get("code"),
    };
    let code = code?.as_str()?.to_ascii_lowercase();
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (!code.is_empty() && code.len() <= 64 && code.bytes().all(word)).then_some(code)
}

/// Returns the refresh token of an answer that cannot be read as a whole, e.g. because it was cut.
fn refresh_token_in(body: &[u8]) -> Option<Secret> {
    const NAME: &[u8] = b"\"refresh_token\"";
    let at = memchr::memmem::find(body, NAME)? + NAME.len();
    let rest = body[at..].trim_ascii_start().strip_prefix(b":")?;
    let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<String>();
    let token = zeroize::Zeroizing::new(values.next()?.ok()?);
    (!token.is_empty()).then(|| Secret::new(token.as_str()))
}

/// The crate requires a `token_type` and a numeric `expires_in`; upstream's clients do not. Returns `None` without an
/// access token.
fn regular_answer(body: &[u8]) -> Option<Vec<u8>> {
    let mut answer: Map<String, Value> = serde_json::from_slice(body).ok()?;
    answer.get("access_token")?.as_str().filter(|token| !token.is_empty())?;
    let number = match answer.get("expires_in") {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    let seconds = number.filter(|seconds: &f64| *seconds >= 1.0).map(|seconds| seconds as u64);
    answer.insert("expires_in".into(), seconds.map_or(Value::Null, Value::from));
    if !answer.get("token_type").is_some_and(Value::is_string) {
        answer.insert("token_type".into(), json!("bearer"));
    }
    for name in ["refresh_token", "id_token"] {
        if answer.get(name).and_then(Value::as_str).is_none_or(str::is_empty) {
            answer.remove(name);
        }
    }
    if !answer.get("scope").is_some_and(Value::is_string) {
        answer.remove("scope");
    }
    serde_json::to_vec(&answer).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_is_the_token_is_not_repeated() {
        let check = |status: u16, code: &str, expected: &str| {
            let body = json!({"error": {"code": code}}).to_string();
            let refusal = refusal(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes());
            let failure = refusal.without(&Secret::new("RT_1_secret")).failure();
            assert!(failure.message.ends_with(expected), "{failure:?}");
            assert!(!format!("{failure:?}").contains("secret"), "{failure:?}");
        };
        check(401, "rt_1_secret", "for good: HTTP 401");
        check(401, "x_RT_1_SECRET", "for good: HTTP 401");
        check(500, "rt_1_secret", "for now: HTTP 500");
        check(500, "_secret", "for now: HTTP 500");
        check(401, "invalid_grant", "for good: invalid_grant (HTTP 401)");
    }

    #[test]
    fn only_a_closed_list_is_for_good() {
        let check = |status: u16, body: &str, terminal: bool, code: Option<&str>| {
            let error = refusal(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes());
            match &error {
                TokenRefreshError::Terminal { code: found, .. } => {
                    assert_eq!((true, code), (terminal, found.as_deref()), "{status} {body}");
                }
                TokenRefreshError::Transient { message, .. } => {
                    assert!(!terminal, "{status} {body}");
                    assert_eq!(code.is_some_and(|code| message.contains(code)), code.is_some());
                }
                TokenRefreshError::OutcomeUnknown { .. } | TokenRefreshError::AccessTokenMissing { .. } => {
                    panic!("{status} {body}")
                }
            }
        };
        let nested = |code: &str| format!(r#"{{"error":{{"code":"{code}","message":"m"}}}}"#);
        check(400, &nested("refresh_token_expired"), true, Some("refresh_token_expired"));
        check(403, &nested("refresh_token_expired"), true, Some("refresh_token_expired"));
        check(401, &nested("refresh_token_reused"), true, Some("refresh_token_reused"));
        check(400, &nested("refresh_token_reused"), true, Some("refresh_token_reused"));
        check(400, &nested("Refresh_Token_Reused"), true, Some("refresh_token_reused"));
        check(500, &nested("refresh_token_reused"), false, Some("refresh_token_reused"));
        check(400, &nested("refresh_token_invalidated"), true, Some("refresh_token_invalidated"));
        check(400, r#"{"error":"invalid_grant","error_description":"x"}"#, true, Some("invalid_grant"));
        check(403, r#"{"error":"invalid_grant"}"#, false, Some("invalid_grant"));
        check(429, r#"{"error":"invalid_grant"}"#, false, Some("invalid_grant"));
        check(400, r#"{"code":"app_session_terminated"}"#, true, Some("app_session_terminated"));
        check(403, &nested("account_deactivated"), true, Some("account_deactivated"));
        check(403, &nested("account_suspended"), true, Some("account_suspended"));
        check(403, &nested("account_deleted"), true, Some("account_deleted"));
        check(403, &nested("refresh_token_reused"), true, Some("refresh_token_reused"));
        check(403, &nested("token_revoked"), true, Some("token_revoked"));
        check(400, &nested("refresh_token_exhausted"), true, Some("refresh_token_exhausted"));
        check(401, "", false, None);
        check(401, "<html>", false, None);
        check(401, r#"{"detail":"Unauthorized"}"#, false, None);
        check(401, &nested("something_new"), true, Some("something_new"));
        check(400, r#"{"error":"invalid_request"}"#, false, Some("invalid_request"));
        check(400, r#"{"error":{"message":"Invalid 'refresh_token': empty string"}}"#, false, None);
        check(400, &nested("rt_ secret"), false, None);
        check(403, "<html>Just a moment...</html>", false, None);
        check(404, "", false, None);
        check(429, &nested("rate_limit_exceeded"), false, Some("rate_limit_exceeded"));
        check(500, "", false, None);
        check(503, "{", false, None);
        check(302, "", false, None);
    }

    #[test]
    fn the_recorded_refusals_are_for_good() {
        let path = format!(
            "{}/tests/data/upstream/reported-in-issues/oauth_token_401_bodies.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let recorded: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let codes: Vec<_> = recorded
            .as_array()
            .unwrap()
            .iter()
            .map(|recorded| {
                let body = recorded["body"].to_string();
                match refusal(StatusCode::BAD_REQUEST, &HeaderMap::new(), body.as_bytes()) {
                    TokenRefreshError::Terminal { code, .. } => code.unwrap(),
                    other => panic!("{other:?}"),
                }
            })
            .collect();
        assert_eq!(codes, ["refresh_token_invalidated", "refresh_token_reused"]);
    }

    #[test]
    fn errors_say_what_failed_in_the_words_of_the_pool() {
        let check =
            |error: TokenRefreshError, expected: FailureKind| assert_eq!(error.failure().kind, expected);
        let terminal = |code: &str| TokenRefreshError::Terminal {
            code: Some(code.into()),
            status: 401,
            message: "m".into(),
        };
        check(terminal("refresh_token_reused"), FailureKind::LoginRequired);
        check(terminal("account_deactivated"), FailureKind::Deactivated);
        check(TokenRefreshError::transient("m"), FailureKind::TokenUnavailable);
        check(TokenRefreshError::OutcomeUnknown { message: "m".into() }, FailureKind::OutcomeUnknown);
    }

    #[test]
    fn a_refresh_token_is_found_in_an_answer_that_cannot_be_read() {
        let check = |body: &str, expected: Option<&str>| {
            let found = refresh_token_in(body.as_bytes());
            assert_eq!(found.as_ref().map(Secret::expose), expected, "{body}");
        };
        check(r#"{"refresh_token":"new"}"#, Some("new"));
        check(r#"{"refresh_token" : "n\u0065w","access_token":"cut"#, Some("new"));
        check(r#"{"access_token":"a","refresh_token":"cut"#, None);
        check(r#"{"refresh_token":""}"#, None);
        check(r#"{"refresh_token":null}"#, None);
        check("<html>", None);
        check("", None);
    }

    #[test]
    fn answers_are_made_regular() {
        let check = |body: &str, expected: Option<Value>| {
            let regular = regular_answer(body.as_bytes());
            assert_eq!(
                regular.map(|json| serde_json::from_slice::<Value>(&json).unwrap()),
                expected,
                "{body}"
            );
        };
        check(
            r#"{"access_token":"a"}"#,
            Some(json!({"access_token":"a","token_type":"bearer","expires_in":null})),
        );
        check(
            r#"{"access_token":"a","refresh_token":"","id_token":null,"expires_in":"60","token_type":"Bearer","scope":null}"#,
            Some(json!({"access_token":"a","token_type":"Bearer","expires_in":60})),
        );
        check(
            r#"{"access_token":"a","expires_in":-1,"x":1}"#,
            Some(json!({"access_token":"a","token_type":"bearer","expires_in":null,"x":1})),
        );
        check(r#"{"access_token":""}"#, None);
        check(r#"{"error":"authorization_pending"}"#, None);
        check("[]", None);
        check("", None);
    }
}
