//! The `usage` of a response: how many tokens were sent, came from the cache, and were received. Nothing when upstream
//! counts in another way.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::pool::TokenCount;

pub fn token_count(usage: &RawValue) -> Option<TokenCount> {
    #[derive(Deserialize)]
    struct Usage {
        input_tokens: u64,
        output_tokens: u64,
        input_tokens_details: Option<Details>,
    }
    #[derive(Deserialize)]
    struct Details {
        cached_tokens: Option<u64>,
    }
    let usage: Usage = serde_json::from_str(usage.get()).ok()?;
    let cached = usage.input_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0);
    Some(TokenCount { input: usage.input_tokens, cached, output: usage.output_tokens })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_counted_as_far_as_upstream_says() {
        fn check(json: &str, expected: Option<(u64, u64, u64)>) {
            let raw: Option<Box<RawValue>> = serde_json::from_str(json).ok();
            let count = raw.and_then(|raw| token_count(&raw));
            assert_eq!(count.map(|count| (count.input, count.cached, count.output)), expected, "{json}");
        }
        check(
            r#"{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":2}"#,
            Some((9, 4, 2)),
        );
        check(r#"{"input_tokens":9,"input_tokens_details":null,"output_tokens":2}"#, Some((9, 0, 2)));
        check(r#"{"input_tokens":9,"output_tokens":2,"total_tokens":11}"#, Some((9, 0, 2)));
        check(r#"{"input_tokens":"9","output_tokens":2}"#, None);
        check(r#"{"input_tokens":-1,"output_tokens":2}"#, None);
        check("null", None);
    }
}
