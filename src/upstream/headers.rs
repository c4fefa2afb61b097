//! The headers of a completion: which of a client's headers are sent, and the defaults. They never hold an account's
//! e-mail or label.

use std::time::UNIX_EPOCH;

use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use super::usage_reading::{Asked, from_headers};
use crate::http::user_agent;
use crate::pool::{At, ClockSkew, UsageReading};

/// Upstream refuses longer ids (schema/upstream.md, requests).
const MAX_SESSION_ID: usize = 64;

const SESSION_HEADERS: [&str; 5] =
    ["session-id", "session_id", "thread-id", "conversation_id", "x-client-request-id"];

/// Why a client's header is not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderRefusal {
    #[error("the header `{0}` may not be set by a client")]
    NotAllowed(String),
    #[error("the value of the header `{0}` holds characters that are not allowed in a header")]
    BadValue(String),
}

/// The name of the client for upstream.
#[derive(Clone, Copy, Debug)]
pub struct Originator<'a> {
    pub name: &'a str,
    pub version: &'a str,
}

/// The headers of an answer that the client sees, and what they say about usage.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnswerHeaders {
    /// `x-request-id`, `x-oai-request-id`, `openai-model`, `retry-after` and the `x-codex-*` family; names in lower case.
    pub shown: Vec<(String, String)>,
    pub usage: Option<UsageReading>,
    /// From the answer's `Date`.
    pub skew: Option<ClockSkew>,
}

impl Default for Originator<'static> {
    fn default() -> Self {
        Originator { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") }
    }
}

/// Returns the headers of one completion except those of the account: the defaults, replaced by the client's own.
pub fn request_headers<'h>(
    originator: Originator<'_>,
    session_id: Option<&str>,
    client: impl IntoIterator<Item = (&'h str, &'h str)>,
) -> Result<HeaderMap, HeaderRefusal> {
    let mut client: Vec<_> =
        client.into_iter().map(|(name, value)| parse_client_header(name, value)).collect::<Result<_, _>>()?;
    // An empty session is no session.
    client.retain(|(name, value)| !(SESSION_HEADERS.contains(&name.as_str()) && value.is_empty()));
    let name = header_token(originator.name);
    let name = client
        .iter()
        .find(|(header, _)| header == "originator")
        .and_then(|(_, value)| value.to_str().ok())
        .map_or(name, header_token);

    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    // A compressed stream that is not flushed after each event delays all of them.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
        .insert(HeaderName::from_static("openai-beta"), HeaderValue::from_static("responses=experimental"));
    let agent = user_agent(&name, &header_token(originator.version));
    for (header, value) in [(HeaderName::from_static("originator"), name), (USER_AGENT, agent)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(header, value);
        }
    }
    if let Some(id) = session_id.and_then(session_header) {
        headers.insert(HeaderName::from_static("session-id"), id.clone());
        headers.insert(HeaderName::from_static("x-client-request-id"), id);
    }
    if client.iter().any(|(name, _)| name == "session_id") {
        headers.remove("session-id");
    }
    for (name, value) in client {
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Returns a session key that upstream accepts: unchanged, or its SHA-256 in hex when it is too long.
pub fn session_key(session_id: &str) -> String {
    if session_id.len() <= MAX_SESSION_ID { session_id.to_owned() } else { sha256_hex(session_id) }
}

impl AnswerHeaders {
    pub(super) fn read(headers: &HeaderMap, asked: Asked) -> Self {
        let shown = headers.iter().filter_map(|(name, value)| {
            let shown =
                matches!(name.as_str(), "x-request-id" | "x-oai-request-id" | "openai-model" | "retry-after")
                    || name.as_str().starts_with("x-codex-");
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())).filter(|_| shown)
        });
        let date =
            super::lenient::header(headers, "date").and_then(|date| httpdate::parse_http_date(date).ok());
        let date = date.and_then(|date| date.duration_since(UNIX_EPOCH).ok());
        let skew = date.map(|date| ClockSkew::between(At(0) + date, asked.requested_at, asked.answered_at));
        AnswerHeaders { shown: shown.collect(), usage: from_headers(headers, asked), skew }
    }

    /// Returns the value of one of the shown headers, unless it is empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.shown.iter().find(|(shown, _)| shown.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

/// Returns whether a client's header of this name, in lower case, is sent. No header that names the caller is.
pub fn may_be_relayed(name: &str) -> bool {
    const ALLOWED: [&str; 11] = [
        "originator",
        "user-agent",
        "session-id",
        "session_id",
        "thread-id",
        "conversation_id",
        "x-client-request-id",
        "openai-beta",
        "version",
        "accept-language",
        // Asks for the short form of a model's tools; all other x-openai-* headers are left out.
        "x-openai-internal-codex-responses-lite",
    ];
    ALLOWED.contains(&name) || name.starts_with("x-codex-")
}

/// Names compare case-insensitively.
fn parse_client_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), HeaderRefusal> {
    let refused = || HeaderRefusal::NotAllowed(name.to_owned());
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
    if !may_be_relayed(parsed.as_str()) {
        return Err(refused());
    }
    let value = HeaderValue::from_str(value).map_err(|_| HeaderRefusal::BadValue(name.to_owned()))?;
    Ok((parsed, value))
}

/// Returns a name or version that is valid in `User-Agent`.
fn header_token(text: &str) -> String {
    let token: String = text
        .trim()
        .chars()
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '_' })
        .take(64)
        .collect();
    if token.is_empty() { env!("CARGO_PKG_NAME").to_owned() } else { token }
}

/// Only visible ASCII is valid in every header; anything else is hashed.
fn session_header(session_id: &str) -> Option<HeaderValue> {
    let key = session_key(session_id);
    let is_visible = key.bytes().all(|byte| byte.is_ascii_graphic());
    HeaderValue::try_from(if is_visible { key } else { sha256_hex(session_id) }).ok()
}

/// Returns the session that a client's own headers name, in the order of the clients that send them.
pub fn session_in_headers<'h>(client: impl Iterator<Item = (&'h str, &'h str)> + Clone) -> Option<&'h str> {
    ["session-id", "session_id", "thread-id"].into_iter().find_map(|wanted| {
        let mut named =
            client.clone().filter(|(name, value)| name.eq_ignore_ascii_case(wanted) && !value.is_empty());
        named.next().map(|(_, value)| value)
    })
}

fn sha256_hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::pool::At;

    const PI: Originator<'static> = Originator { name: "pi-multicodex", version: "0.1.0" };

    #[test]
    fn only_the_allow_list_passes() {
        let check = |name: &str, value: &str, expected: Result<(), HeaderRefusal>| {
            assert_eq!(parse_client_header(name, value).map(drop), expected, "{name}: {value:?}");
        };
        let not_allowed = |name: &str| Err(HeaderRefusal::NotAllowed(name.to_owned()));
        let bad_value = |name: &str| Err(HeaderRefusal::BadValue(name.to_owned()));
        for name in [
            "originator",
            "Originator",
            "user-agent",
            "session-id",
            "session_id",
            "thread-id",
            "conversation_id",
            "x-client-request-id",
            "OpenAI-Beta",
            "version",
            "accept-language",
            "x-codex-turn-state",
            "X-Codex-Window-Id",
            "x-openai-internal-codex-responses-lite",
        ] {
            check(name, "v", Ok(()));
        }
        for name in [
            "authorization",
            "Authorization",
            "chatgpt-account-id",
            "cookie",
            "host",
            "accept",
            "accept-encoding",
            "content-type",
            "content-encoding",
            "content-length",
            "transfer-encoding",
            "connection",
            "x-codex",
            "x-codexx-a",
            "x-openai-agent-assertion",
            "x-openai-internal-codex-responses",
            "proxy-authorization",
            "",
            "a b",
            "originator\r\nhost",
        ] {
            check(name, "v", not_allowed(name));
        }
        check("originator", "a\r\nhost: evil", bad_value("originator"));
        check("originator", "a\nb", bad_value("originator"));
        check("originator", "a\0b", bad_value("originator"));
        check("originator", "", Ok(()));
        check("originator", "grüße", Ok(()));
    }

    #[test]
    fn defaults_give_way_to_the_client() {
        let headers = request_headers(PI, Some("s-1"), []).unwrap();
        let system = format!("({}; {})", std::env::consts::OS, std::env::consts::ARCH);
        let expected = [
            ("accept", "text/event-stream".to_owned()),
            ("accept-encoding", "identity".to_owned()),
            ("content-type", "application/json".to_owned()),
            ("openai-beta", "responses=experimental".to_owned()),
            ("originator", "pi-multicodex".to_owned()),
            ("session-id", "s-1".to_owned()),
            ("user-agent", format!("pi-multicodex/0.1.0 {system}")),
            ("x-client-request-id", "s-1".to_owned()),
        ];
        let mut actual: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap().to_owned())).collect();
        actual.sort();
        assert_eq!(actual, expected);

        let client = [("Originator", "pi"), ("session_id", "mine"), ("x-client-request-id", "r")];
        let headers = request_headers(PI, Some("s-1"), client).unwrap();
        assert_eq!(headers["originator"], "pi");
        assert_eq!(headers["user-agent"], format!("pi/0.1.0 {system}"));
        assert_eq!(headers["session_id"], "mine");
        assert_eq!(headers.get("session-id"), None);
        assert_eq!(headers["x-client-request-id"], "r");

        let odd = Originator { name: "Grü\nße", version: "" };
        let headers = request_headers(odd, None, []).unwrap();
        assert_eq!(headers["originator"], "Gr___e");
        assert_eq!(headers.get("session-id"), None);
    }

    #[test]
    fn empty_session_headers_are_absent() {
        for name in SESSION_HEADERS {
            let headers = request_headers(PI, Some("s"), [(name, "")]).unwrap();
            assert_eq!(headers["session-id"], "s", "{name}");
            assert_eq!(headers["x-client-request-id"], "s", "{name}");
            let headers = request_headers(PI, None, [(name, "")]).unwrap();
            assert_eq!(headers.get(name), None, "{name}");
        }
    }

    #[test]
    fn session_ids_are_hashed_only_when_they_must() {
        let check = |id: &str, same: bool| {
            let headers = request_headers(PI, Some(id), []).unwrap();
            let sent = headers["session-id"].to_str().unwrap();
            assert_eq!(sent == id, same, "{id:?}");
            assert!(sent.len() <= 64 && !sent.is_empty(), "{sent}");
        };
        check(&"x".repeat(64), true);
        check(&"x".repeat(65), false);
        check("a\r\nb", false);
        assert_eq!(session_key("grün"), "grün");
        assert_eq!(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn only_the_named_answer_headers_are_shown() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-request-id", "r"),
            ("openai-model", "m"),
            ("x-codex-plan-type", "plus"),
            ("x-codex-secondary-reset-at", ""),
            ("set-cookie", "secret"),
            ("cf-ray", "y"),
        ] {
            headers.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        let answer = AnswerHeaders::read(&headers, Asked { requested_at: At(1), answered_at: At(2) });
        let mut names: Vec<_> = answer.shown.iter().map(|(name, _)| name.as_str()).collect();
        names.sort();
        assert_eq!(
            names,
            ["openai-model", "x-codex-plan-type", "x-codex-secondary-reset-at", "x-request-id"]
        );
        assert_eq!(answer.get("X-Request-Id"), Some("r"));
        assert_eq!(answer.get("x-codex-secondary-reset-at"), None);
        assert_eq!(answer.usage.unwrap().plan.as_deref(), Some("plus"));
    }
}
