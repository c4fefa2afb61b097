//! An answer that is not a stream: status, headers, body.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::pool::At;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    pub status: u16,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A string is sent as it is, anything else as JSON. An `error` with `resets_in_seconds` and no `resets_at` gets
    /// the latter when it is sent.
    #[serde(default)]
    pub body: Value,
    /// Adds the account's `x-codex-*` headers, as real limit answers have them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quota_headers: bool,
}

impl Answer {
    pub fn json(status: u16, body: Value) -> Self {
        Answer { status, headers: BTreeMap::new(), body, quota_headers: false }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.insert(name.to_owned(), value.into());
        self
    }

    /// Content type and bytes.
    pub(super) fn rendered(&self, now: At) -> (&'static str, Bytes) {
        match &self.body {
            Value::String(text) if text.trim_start().starts_with('<') => {
                ("text/html; charset=utf-8", text.clone().into())
            }
            Value::String(text) => ("text/plain", text.clone().into()),
            Value::Null => ("application/json", Bytes::new()),
            json => {
                let mut json = json.clone();
                date_resets(&mut json, now);
                ("application/json", json.to_string().into())
            }
        }
    }
}

/// Adds the date to `resets_in_seconds` where it is missing.
pub(super) fn date_resets(json: &mut Value, now: At) {
    if let Some(members) = json.as_object_mut() {
        if !members.contains_key("resets_at")
            && let Some(seconds) = members.get("resets_in_seconds").and_then(Value::as_i64)
        {
            members.insert("resets_at".to_owned(), (now.0 / 1000 + seconds).into());
        }
        members.values_mut().for_each(|member| date_resets(member, now));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn resets_are_dated_when_they_are_sent() {
        let answer = Answer::json(429, json!({ "error": { "resets_in_seconds": 60 }, "list": [1] }));
        let (kind, bytes) = answer.rendered(At(1_800_000_000_999));
        assert_eq!(kind, "application/json");
        assert_eq!(
            serde_json::from_slice::<Value>(&bytes).ok(),
            Some(json!({ "error": { "resets_in_seconds": 60, "resets_at": 1_800_000_060 }, "list": [1] }))
        );
    }

    #[test]
    fn a_string_goes_out_as_it_is() {
        assert_eq!(
            Answer::json(502, json!("<html>")).rendered(At(0)),
            ("text/html; charset=utf-8", Bytes::from_static(b"<html>"))
        );
        assert_eq!(Answer::json(401, json!("no")).rendered(At(0)), ("text/plain", Bytes::from_static(b"no")));
    }
}
