//! The endpoint of a request, by its method and path.

use http::header::UPGRADE;
use http::{HeaderMap, Method};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Responses,
    /// A WebSocket instead of a request. It is refused in a way that makes clients fall back at once.
    ResponsesUpgrade,
    Models,
    Usage,
    Health,
    /// The older API, which is not supported.
    ChatCompletions,
    Unknown,
}

impl Endpoint {
    pub(super) fn of(method: &Method, path: &str, headers: &HeaderMap) -> Self {
        match (method, path.strip_suffix('/').unwrap_or(path)) {
            (&Method::POST, "/v1/responses" | "/responses" | "/backend-api/codex/responses") => {
                Endpoint::Responses
            }
            (&Method::GET, "/v1/responses" | "/responses" | "/backend-api/codex/responses")
                if headers.contains_key(UPGRADE) =>
            {
                Endpoint::ResponsesUpgrade
            }
            (&Method::GET, "/v1/models" | "/models" | "/backend-api/codex/models") => Endpoint::Models,
            (&Method::GET, "/v1/usage") => Endpoint::Usage,
            (&Method::GET, "/healthz") => Endpoint::Health,
            (&Method::POST, "/v1/chat/completions" | "/chat/completions") => Endpoint::ChatCompletions,
            _ => Endpoint::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn endpoints_are_told_apart_by_method_path_and_upgrade() {
        let check = |method: Method, path: &str, expected: Endpoint| {
            assert_eq!(Endpoint::of(&method, path, &HeaderMap::new()), expected, "{method} {path}");
        };
        for base in ["/v1", "", "/backend-api/codex"] {
            check(Method::POST, &format!("{base}/responses"), Endpoint::Responses);
            check(Method::POST, &format!("{base}/responses/"), Endpoint::Responses);
            check(Method::GET, &format!("{base}/responses"), Endpoint::Unknown);
            check(Method::GET, &format!("{base}/models"), Endpoint::Models);
            check(Method::OPTIONS, &format!("{base}/responses"), Endpoint::Unknown);
            let upgrade = HeaderMap::from_iter([(UPGRADE, HeaderValue::from_static("websocket"))]);
            let path = format!("{base}/responses");
            assert_eq!(Endpoint::of(&Method::GET, &path, &upgrade), Endpoint::ResponsesUpgrade, "{path}");
        }
        check(Method::GET, "/v1/usage", Endpoint::Usage);
        check(Method::GET, "/healthz", Endpoint::Health);
        check(Method::POST, "/healthz", Endpoint::Unknown);
        check(Method::POST, "/v1/chat/completions", Endpoint::ChatCompletions);
        check(Method::POST, "/v1/responses/compact", Endpoint::Unknown);
        check(Method::GET, "/", Endpoint::Unknown);
    }
}
