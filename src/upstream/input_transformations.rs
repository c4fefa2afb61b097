//! What the backend did to the input of a response (schema/upstream.md): from GPT-6.2 on it removes, without an error,
//! reasoning that another organization, user or model produced, or whose prefix was edited.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::pool::ReasoningDropped;

/// Counts the removals by their reason. `turn_boundary` is normal and not counted; unknown reasons are not counted
/// either.
pub(super) fn reasoning_dropped(input_transformations: &RawValue) -> ReasoningDropped {
    #[derive(Deserialize)]
    struct Transformation<'a> {
        #[serde(borrow)]
        r#type: &'a str,
        #[serde(borrow)]
        action: &'a str,
        #[serde(borrow)]
        reason: &'a str,
    }
    let mut dropped = ReasoningDropped::default();
    let all = serde_json::from_str::<Vec<&RawValue>>(input_transformations.get()).unwrap_or_default();
    for transformation in all {
        let Ok(Transformation { r#type: "reasoning", action: "removed", reason }) =
            serde_json::from_str(transformation.get())
        else {
            continue;
        };
        let count = match reason {
            "organization_mismatch" => &mut dropped.organization_mismatch,
            "end_user_mismatch" => &mut dropped.end_user_mismatch,
            "model_mismatch" => &mut dropped.model_mismatch,
            "prefix_mismatch" => &mut dropped.prefix_mismatch,
            _ => continue,
        };
        *count += 1;
    }
    dropped
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn removals_of_reasoning_are_counted_by_reason() {
        let check = |json: &str, expected: [u32; 4]| {
            let raw: &RawValue = serde_json::from_str(json).unwrap();
            let dropped = reasoning_dropped(raw);
            let counts = [
                dropped.organization_mismatch,
                dropped.end_user_mismatch,
                dropped.model_mismatch,
                dropped.prefix_mismatch,
            ];
            assert_eq!(counts, expected, "{json}");
            assert_eq!(dropped.is_empty(), expected == [0; 4]);
        };
        let removed = |reason: &str| {
            format!(r#"{{"type":"reasoning","id":"rs_1","action":"removed","reason":"{reason}"}}"#)
        };
        let all = ["organization_mismatch", "end_user_mismatch", "model_mismatch", "prefix_mismatch"];
        check(&format!("[{}]", all.map(removed).join(",")), [1, 1, 1, 1]);
        let org = removed(all[0]);
        check(&format!("[{org},{},{org}]", removed("turn_boundary")), [2, 0, 0, 0]);
        check(&format!(r#"[null,7,{{"type":"\ud800"}},{org}]"#), [1, 0, 0, 0]);
        check(&format!("[{}]", removed("something_new")), [0; 4]);
        check(r#"[{"type":"reasoning","id":"a","action":"kept","reason":"model_mismatch"}]"#, [0; 4]);
        check(r#"[{"type":"message","id":"a","action":"removed","reason":"model_mismatch"}]"#, [0; 4]);
        for odd in ["[]", "{}", "7", "\"x\""] {
            check(odd, [0; 4]);
        }
    }
}
