//! Properties of anything that a person pastes, or that a page makes a browser request. `tests/fuzz` generates it.

use super::browser::Paste;
use super::callback::read_request;
use crate::secret::Secret;

const STATE: &str = "st-1";

/// An address or a query is accepted only with the login's own state, and what is accepted can be exchanged.
pub fn pasted(data: &[u8]) {
    let Ok(input) = str::from_utf8(data) else { return };
    let (paste, _) = Paste::waiting_for(Secret::new(STATE));
    let Ok(answer) = paste.read(input) else { return };
    // A terminal breaks an address over lines, and a shell puts backslashes into it.
    let joined: String =
        input.chars().filter(|c| !c.is_whitespace() && !c.is_control() && *c != '\\').collect();
    let word = joined.trim_matches(['"', '\'', '<', '>']);
    let query = word.trim_start_matches('?');
    let bare = !word.contains('#')
        && !["http://", "https://"].iter().any(|scheme| word.starts_with(scheme))
        && !["code=", "state=", "error="].iter().any(|member| query.starts_with(member));
    let decoded = url::form_urlencoded::parse(joined.as_bytes());
    let stated = joined.contains(STATE) || decoded.into_iter().any(|(_, value)| value.contains(STATE));
    assert!(bare || stated, "believed without its state: {input:?}");
    match answer {
        Ok(code) => assert!(!code.expose().is_empty()),
        Err(error) => check_words(&error.to_string()),
    }
}

/// A request head at the callback: a refusal is one of three pages, none of which holds anything of the request. What
/// is accepted was requested with GET at the one path.
pub fn callback(data: &[u8]) {
    match read_request(data) {
        Ok(redirect) => {
            assert!(data.starts_with(b"GET /auth/callback"));
            if let Some(Err(error)) = redirect.answer {
                check_words(&error.to_string());
            }
        }
        Err(page) => {
            let answer = page.to_http();
            assert!(answer.starts_with("HTTP/1.1 40") && answer.len() < 1024, "{answer}");
        }
    }
}

/// Shown on pages and in terminals.
fn check_words(message: &str) {
    assert!(message.len() < 200 && !message.contains(|c: char| c.is_control() || c == '<'), "{message:?}");
}
