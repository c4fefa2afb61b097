//! Which parameter of a request upstream does not support at all, unlike one whose value it refuses.

use super::evidence::Evidence;

/// Returns the parameter that the message calls unsupported or unknown; `None` when something else is wrong.
pub(super) fn unsupported_parameter(evidence: &Evidence) -> Option<String> {
    let message = evidence.message.as_deref().unwrap_or_default();
    let lower = message.to_ascii_lowercase();
    let phrase = ["unsupported parameter", "unknown parameter", "unrecognized request argument supplied"]
        .iter()
        .find_map(|phrase| lower.find(phrase).map(|at| at + phrase.len()));
    let has_code = evidence
        .codes
        .iter()
        .any(|code| matches!(code.as_str(), "unsupported_parameter" | "unknown_parameter"));
    if phrase.is_none() && !has_code {
        return None;
    }
    evidence.param.clone().or_else(|| {
        // ASCII lower case keeps every position.
        let rest = message.get(phrase?..)?.trim_start_matches([':', ' ', '\'', '"', '`']);
        let end =
            rest.find(|c: char| !c.is_ascii_alphanumeric() && !"_-.[]".contains(c)).unwrap_or(rest.len());
        let name = rest[..end].trim_end_matches('.');
        (!name.is_empty()).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn parameters_are_named_by_member_or_message() {
        let check = |body: &str, expected: Option<&str>| {
            let evidence = Evidence::from_answer(&HeaderMap::new(), body);
            assert_eq!(unsupported_parameter(&evidence).as_deref(), expected, "{body}");
        };
        check(r#"{"detail":"Unsupported parameter: max_output_tokens"}"#, Some("max_output_tokens"));
        check(
            r#"{"error":{"message":"Unsupported parameter: 'max_output_tokens' is not supported with this model.","type":"invalid_request_error","param":"max_output_tokens","code":null}}"#,
            Some("max_output_tokens"),
        );
        check(
            r#"{"error":{"code":"unsupported_parameter","param":"temperature","message":"No."}}"#,
            Some("temperature"),
        );
        check(
            r#"{"error":{"message":"Unknown parameter: 'reasoning.context'."}}"#,
            Some("reasoning.context"),
        );
        check(
            r#"{"error":"Unrecognized request argument supplied: max_output_tokens"}"#,
            Some("max_output_tokens"),
        );
        check("Unsupported parameter: `top_p`, sorry", Some("top_p"));
        check(
            r#"{"error":{"code":"invalid_value","param":"max_output_tokens","message":"Too small."}}"#,
            None,
        );
        check(r#"{"error":{"code":"unsupported_parameter","message":"No."}}"#, None);
        check(r#"{"detail":"Unsupported parameter"}"#, None);
        check(r#"{"detail":"İ Unsupported parameter: ünd"}"#, None);
        check("", None);
    }
}
