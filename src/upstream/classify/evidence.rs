//! Collects what an answer or an event says about its failure, from all places where it may be.

use base64::Engine;
use http::HeaderMap;
use serde_json::Value;

use super::codes;
use crate::pool::{At, FailureKind, Speaker};
use crate::upstream::lenient::{self, Lenient};

#[derive(Debug, Default)]
pub(super) struct Evidence {
    pub(super) status: Option<u16>,
    /// Codes and types, lower-case, the most specific first.
    pub(super) codes: Vec<String>,
    pub(super) message: Option<String>,
    /// A code came from a member named `code` or `type` of a JSON body, or of an event.
    pub(super) has_code_in_body: bool,
    /// The faulty parameter.
    pub(super) param: Option<String>,
    /// Unix time in seconds.
    resets_at: Option<f64>,
    resets_in_seconds: Option<f64>,
}

impl Evidence {
    pub(super) fn from_answer(headers: &HeaderMap, body: &str) -> Self {
        let mut evidence = Evidence::default();
        match serde_json::from_str::<Value>(body) {
            Ok(body) => evidence.add(&body),
            Err(_) => evidence.message = plain_message(body),
        }
        if let Some(json) = lenient::header(headers, "x-error-json").and_then(base64_json) {
            evidence.add(&json);
        }
        if let Some(code) = lenient::header(headers, "x-openai-authorization-error") {
            evidence.add_code(code);
        }
        evidence
    }

    pub(super) fn from_event(event: &Value) -> Self {
        let mut evidence = Evidence::default();
        let inner = event.get("response").unwrap_or(event);
        evidence.status = [event, inner].into_iter().find_map(status_of);
        // The type of the frame itself names no failure.
        match inner.get("error").or_else(|| inner.get("detail")).filter(|error| !error.is_null()) {
            Some(error) => evidence.add_error(error),
            None => evidence.add_members(event, &["code"]),
        }
        evidence
    }

    pub(super) fn speaker(&self) -> Speaker {
        if self.has_code_in_body { Speaker::Upstream } else { Speaker::Unknown }
    }

    /// Returns whether a code says more than that something is wrong.
    pub(super) fn has_own_code(&self) -> bool {
        self.codes.iter().any(|code| !codes::is_general(code))
    }

    /// Returns whether words about capacity are meant literally: a message that names a parameter, or has a code, is
    /// about the request.
    pub(super) fn is_capacity(&self, worded: Option<FailureKind>) -> bool {
        worded == Some(FailureKind::Overloaded) && self.param.is_none() && !self.has_own_code()
    }

    pub(super) fn quotes_reset(&self) -> bool {
        self.resets_at.is_some() || self.resets_in_seconds.is_some()
    }

    /// Returns whether the date has passed although the wait beside it has not.
    pub(super) fn quotes_a_past_date(&self, now: At) -> bool {
        let date = self.resets_at.and_then(lenient::at_from_unix);
        date.is_some_and(|date| date <= now) && self.resets_in_seconds.is_some_and(|seconds| seconds > 0.0)
    }

    pub(super) fn resets_at(&self, now: At) -> Option<At> {
        let after = self.resets_in_seconds.and_then(|seconds| lenient::at_after(seconds, now));
        lenient::later_credible([self.resets_at.and_then(lenient::at_from_unix), after], now)
    }

    /// An answer's body: `{"error": …}`, `{"detail": …}`, or the members themselves.
    fn add(&mut self, body: &Value) {
        for name in ["error", "detail"] {
            if let Some(error) = body.get(name).filter(|error| !error.is_null()) {
                self.add_error(error);
            }
        }
        self.add_members(body, &["code", "type"]);
    }

    fn add_error(&mut self, error: &Value) {
        match error {
            Value::String(text) if text.trim().is_empty() => {}
            Value::String(text) if is_code(text) => self.add_code(text),
            Value::String(text) => {
                self.message.get_or_insert_with(|| text.clone());
            }
            _ => self.add_members(error, &["code", "type"]),
        }
    }

    fn add_members(&mut self, object: &Value, codes: &[&str]) {
        for name in codes {
            if let Some(code) = object.text(name) {
                self.has_code_in_body |= is_code(code);
                self.add_code(code);
            }
        }
        if self.message.is_none() {
            let message = ["message", "error_description"].into_iter().find_map(|name| object.text(name));
            self.message = message.map(str::to_owned);
        }
        if self.param.is_none() {
            self.param = object.text("param").map(str::to_owned);
        }
        self.resets_at = self.resets_at.or_else(|| object.number("resets_at"));
        self.resets_in_seconds = self.resets_in_seconds.or_else(|| object.number("resets_in_seconds"));
    }

    fn add_code(&mut self, code: &str) {
        let code = code.to_ascii_lowercase();
        if is_code(&code) && !self.codes.contains(&code) {
            self.codes.push(code);
        }
    }
}

/// Returns whether a word looks like a code, and not like a sentence or a token.
fn is_code(text: &str) -> bool {
    text.len() <= 80
        && !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Returns the HTTP status of an error in a frame. The status of a response (`"failed"`) is a word.
fn status_of(object: &Value) -> Option<u16> {
    let status = ["status_code", "status"].into_iter().find_map(|name| object.number(name))?;
    (400.0..600.0).contains(&status).then_some(status as u16)
}

fn base64_json(text: &str) -> Option<Value> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// A body that is not JSON is its own message, unless it is a page.
fn plain_message(body: &str) -> Option<String> {
    let text = body.trim();
    (!text.is_empty() && !text.starts_with('<')).then(|| text.to_owned())
}
