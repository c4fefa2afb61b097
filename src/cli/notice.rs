//! The notices of a completion that a person sees.

use serde::Deserialize;
use serde_json::Value;

use crate::protocol::{Failed, Outcome, Timing};

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Notice {
    Rotated { from: String, to: Option<String>, reason: Reason },
    Accepted { label: String },
    Event { event: Value },
    Done { outcome: Outcome, attempts: u32, timing: Timing },
    Error { error: Box<Failed> },
    Cancelled,
}

#[derive(Debug, Deserialize)]
pub(super) struct Reason {
    pub(super) kind: String,
    pub(super) message: String,
}

/// Returns the text that an upstream event adds to the answer.
pub(super) fn text_of(event: &Value) -> Option<&str> {
    match event.get("type")?.as_str()? {
        "response.output_text.delta" | "response.refusal.delta" => event.get("delta")?.as_str(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_in_deltas_alone() {
        let delta = |kind: &str| json!({"type": kind, "delta": "Hi"});
        assert_eq!(text_of(&delta("response.output_text.delta")), Some("Hi"));
        assert_eq!(text_of(&delta("response.refusal.delta")), Some("Hi"));
        assert_eq!(text_of(&delta("response.function_call_arguments.delta")), None);
        for odd in [Value::Null, json!(7), json!([]), json!({"type": 7}), json!({"delta": "Hi"})] {
            assert_eq!(text_of(&odd), None, "{odd}");
        }
    }
}
