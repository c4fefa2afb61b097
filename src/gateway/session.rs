//! The client's name of its conversation. Clients have no common header for it.

use http::HeaderMap;
use serde::Deserialize;

/// Headers that name a conversation, by precedence.
const HEADERS: [&str; 4] = ["session-id", "thread-id", "session_id", "x-session-affinity"];

/// Returns the client's own name of the conversation. Its prompt cache key, which comes last, is not read here.
pub(super) fn session(headers: &HeaderMap, body: &str) -> Option<String> {
    let named = HEADERS.iter().find_map(|name| {
        headers.get(*name).and_then(|value| value.to_str().ok()).filter(|session| !session.is_empty())
    });
    named.map(str::to_owned).or_else(|| in_metadata(body))
}

fn in_metadata(body: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        client_metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        session_id: String,
    }
    memchr::memmem::find(body.as_bytes(), b"\"client_metadata\"")?;
    let body: Body = serde_json::from_str(body).ok()?;
    Some(body.client_metadata.session_id).filter(|session| !session.is_empty())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_named_by_headers_before_the_body() {
        let check = |pairs: &[(&'static str, &str)], body: &str, expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().unwrap());
            }
            assert_eq!(session(&headers, body).as_deref(), expected, "{pairs:?} {body}");
        };
        let body = r#"{"client_metadata":{"session_id":"m"},"prompt_cache_key":"p"}"#;
        check(&[("session_id", "c"), ("thread-id", "b"), ("session-id", "a")], body, Some("a"));
        check(&[("session_id", "c"), ("thread-id", "b")], body, Some("b"));
        check(&[("x-session-affinity", "d"), ("session_id", "c")], body, Some("c"));
        check(&[("x-session-affinity", "d")], body, Some("d"));
        check(&[("session-id", "")], body, Some("m"));
        check(&[], body, Some("m"));
        check(&[], r#"{"client_metadata":{"session_id":7}}"#, None);
        check(&[], r#"{"input":"\"client_metadata\""}"#, None);
        check(&[], r#"{"prompt_cache_key":"p"}"#, None);
    }
}
