//! Errors in the shape that clients of the Responses API read.

use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::event_stream::Body;

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) details: Box<ErrorDetails>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct ErrorDetails {
    pub(super) message: String,
    pub(super) r#type: &'static str,
    pub(super) param: Option<String>,
    pub(super) code: Option<String>,
    /// In seconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resets_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resets_in_seconds: Option<i64>,
}

impl ApiError {
    /// `kind` is the type of the error, by which clients distinguish errors.
    pub(super) fn new(
        status: StatusCode,
        kind: &'static str,
        code: Option<&str>,
        message: impl Into<String>,
    ) -> Self {
        let code = code.map(str::to_owned);
        let details = ErrorDetails { message: message.into(), r#type: kind, code, ..ErrorDetails::default() };
        ApiError { status, details: Box::new(details), headers: Vec::new() }
    }

    /// The client must change its request.
    pub(super) fn invalid_request(
        status: StatusCode,
        code: Option<&str>,
        message: impl Into<String>,
    ) -> Self {
        Self::new(status, "invalid_request_error", code, message)
    }

    pub(super) fn wrong_key() -> Self {
        let mut error = Self::invalid_request(
            StatusCode::UNAUTHORIZED,
            Some("invalid_api_key"),
            "this is not the gateway's key; `multicodex gateway key` prints it. A login of the client's own is not \
             accepted here",
        );
        error.headers.push((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        error
    }

    #[must_use]
    pub(super) fn about(mut self, param: impl Into<String>) -> Self {
        self.details.param = Some(param.into());
        self
    }

    #[must_use]
    pub(super) fn retry_after(mut self, seconds: i64) -> Self {
        self.headers.push((RETRY_AFTER, HeaderValue::from(seconds)));
        self
    }

    /// Clients that would repeat the request do not repeat it.
    #[must_use]
    pub(super) fn not_worth_a_retry(mut self) -> Self {
        let name = HeaderName::from_static("x-should-retry");
        self.headers.push((name, HeaderValue::from_static("false")));
        self
    }

    pub(super) fn json(&self) -> String {
        #[derive(Serialize)]
        struct Envelope<'a> {
            error: &'a ErrorDetails,
        }
        // It has only strings and numbers, so it cannot fail.
        serde_json::to_string(&Envelope { error: &self.details }).unwrap_or_default()
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::whole(self.json()));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().extend(self.headers);
        response
    }
}
