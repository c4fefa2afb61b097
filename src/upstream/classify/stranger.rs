//! Answers that do not come from upstream: a page, a redirect or a line from something between this machine and
//! upstream, e.g. Cloudflare, a corporate proxy, or the portal of a hotel's network.

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::wording::kind_of_message;
use crate::pool::FailureKind;
use crate::upstream::lenient;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    /// Cloudflare asks for a browser, or blocks this address.
    Cloudflare,
    Redirect,
    /// HTML instead of an answer.
    Page,
    /// A proxy or a network asks for its own login (407, 511).
    Gate,
    /// A 200 or 403 with text that is neither a stream nor JSON; upstream writes JSON.
    Word,
}

/// Returns what answered instead of upstream; `None` when it may have been upstream itself.
pub(super) fn in_between(status: StatusCode, headers: &HeaderMap, body: &str) -> Option<Stranger> {
    let text = body.trim_start_matches('\u{feff}').trim();
    let is_json = serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object());
    let starts = |tag: &str| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag));
    let says_html =
        lenient::header(headers, "content-type").is_some_and(|kind| kind.starts_with("text/html"));
    let is_page =
        ["<!doctype", "<html", "<head", "<body", "<script", "<?xml", "<meta"].iter().any(|tag| starts(tag));
    let is_page = is_page || (says_html && !is_json);
    let marks = ["Just a moment", "challenge-platform", "cf-chl", "cf_chl"];
    let is_challenge = lenient::header(headers, "cf-mitigated").is_some()
        || (is_page && marks.iter().any(|mark| text.contains(mark)))
        || cloudflare_error(text).is_some();
    if is_challenge {
        Some(Stranger::Cloudflare)
    } else if status.is_redirection() {
        Some(Stranger::Redirect)
    } else if matches!(status.as_u16(), 407 | 511) {
        Some(Stranger::Gate)
    } else if is_page {
        Some(Stranger::Page)
    } else if !text.starts_with(['{', '['])
        && (status.is_success()
            || (status == StatusCode::FORBIDDEN && !text.is_empty() && kind_of_message(text).is_none()))
    {
        Some(Stranger::Word)
    } else {
        None
    }
}

/// Returns the number of Cloudflare's one-line errors, e.g. `error code: 1020`.
fn cloudflare_error(text: &str) -> Option<u16> {
    let lower = text.get(..64.min(text.len())).unwrap_or(text).to_ascii_lowercase();
    let (_, code) = lower.split_once("error code: ").filter(|(before, _)| before.is_empty())?;
    code.trim().parse().ok().filter(|code| (1000..1100).contains(code))
}

impl Stranger {
    pub(super) fn kind(self, status: StatusCode) -> FailureKind {
        match (self, status.as_u16()) {
            // A token that a proxy removed looks like this; the account's own token is not known to be bad.
            (Stranger::Page, 401) => FailureKind::Unauthorized,
            (Stranger::Page, 503 | 529) => FailureKind::Overloaded,
            (Stranger::Page, 500..) => FailureKind::ServerError,
            _ => FailureKind::Challenge,
        }
    }

    pub(super) fn message(self, status: StatusCode, headers: &HeaderMap) -> String {
        let status = status.as_u16();
        match self {
            Stranger::Cloudflare => {
                format!(
                    "a challenge or block of Cloudflare came instead of upstream's answer (HTTP {status})"
                )
            }
            Stranger::Page => format!("a web page came instead of upstream's answer (HTTP {status})"),
            Stranger::Gate => {
                format!("a proxy or the network asks for its own login (HTTP {status})")
            }
            Stranger::Word => {
                format!("a text that is not upstream's came instead of its answer (HTTP {status})")
            }
            Stranger::Redirect => {
                let host = lenient::header(headers, "location").and_then(|at| url::Url::parse(at).ok());
                match host.as_ref().and_then(url::Url::host_str) {
                    Some(host) => format!("the request was redirected to {host} (HTTP {status})"),
                    None => format!("the request was redirected (HTTP {status})"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_others_are_told_apart() {
        let check = |status: u16, header: Option<(&'static str, &'static str)>, body: &str, expected| {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            let mut headers = HeaderMap::new();
            if let Some((name, value)) = header {
                headers.insert(name, http::HeaderValue::from_static(value));
            }
            assert_eq!(in_between(status, &headers, body), expected, "{status} {body}");
        };
        use Stranger::*;
        check(403, None, "error code: 1020", Some(Cloudflare));
        check(429, None, "error code: 1015\n", Some(Cloudflare));
        check(403, None, "  Error code: 1009", Some(Cloudflare));
        check(503, Some(("cf-mitigated", "challenge")), "", Some(Cloudflare));
        check(403, None, "<!DOCTYPE html><title>Just a moment...</title>", Some(Cloudflare));
        check(302, Some(("location", "https://portal.example/login")), "", Some(Redirect));
        check(307, None, "", Some(Redirect));
        check(200, None, "<html>Welcome", Some(Page));
        check(200, Some(("content-type", "text/html; charset=utf-8")), "Welcome", Some(Page));
        check(502, None, "<html>Bad gateway", Some(Page));
        check(200, None, "Please log in to the network", Some(Word));
        check(200, None, "\"ok\"", Some(Word));
        check(200, None, r#"{"detail":"Unauthorized"}"#, None);
        check(403, Some(("content-type", "text/html")), r#"{"detail":"x"}"#, None);
        check(403, None, "error code: 7", Some(Word));
        check(500, None, "error", None);
        check(407, None, "", Some(Gate));
        check(511, None, r#"{"login":"http://portal.example"}"#, Some(Gate));
        check(511, None, "<html>Log in", Some(Gate));
        check(403, None, "Blocked by the policy of Example Corp.", Some(Word));
        check(403, None, "Forbidden", Some(Word));
        check(403, None, "", None);
        check(403, None, "Your account has been deactivated", None);
        check(404, None, "Not found", None);
        check(403, None, r#"{"error":{"message":"error code: 1020"}}"#, None);
    }
}
