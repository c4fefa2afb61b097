//! Secrets as a type: a `Secret` cannot be printed, logged or serialised by accident.

use std::borrow::Cow;
use std::fmt;

use zeroize::Zeroizing;

/// The text that replaces a secret.
const REDACTED: &str = "[redacted]";

/// Shorter beginnings are the same for all tokens.
const TELLING: usize = 8;

/// A token, code or verifier. `Debug` redacts it, there is no `Display` and no `Serialize`, and the memory it
/// owns is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Secret(Zeroizing::new(text.into()))
    }

    /// Returns the text itself. Each call is a place where a secret leaves its type: the request to its own issuer, the
    /// credential files, and the answer of `accounts/token`.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns `text` without this secret. A text that was `cut` may end with the beginning of the secret, which is
    /// removed, too.
    pub fn strike_out<'a>(&self, mut text: Cow<'a, str>, cut: bool) -> Cow<'a, str> {
        let secret = self.expose();
        if !secret.is_empty() && text.contains(secret) {
            text = Cow::Owned(text.replace(secret, REDACTED));
        }
        let begun = |length: &usize| secret.as_bytes().get(..*length).is_some_and(|it| ends_with(&text, it));
        match (TELLING..secret.len()).rev().find(begun) {
            Some(length) if cut => Cow::Owned(text[..text.len() - length].to_owned()),
            _ => text,
        }
    }
}

fn ends_with(text: &str, end: &[u8]) -> bool {
    text.as_bytes().ends_with(end) && text.is_char_boundary(text.len() - end.len())
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formatting_never_shows_the_text() {
        let secret = Secret::new("canary-token");
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)), "[redacted] Some(\n    [redacted],\n)");
    }

    #[test]
    fn a_secret_is_struck_out_whole_and_a_beginning_of_it_where_the_text_was_cut() {
        let check = |text: &str, cut: bool, expected: &str| {
            assert_eq!(Secret::new("canary-token").strike_out(Cow::Borrowed(text), cut), expected, "{text}");
        };
        check("nothing", true, "nothing");
        check("a canary-token b canary-token", true, "a [redacted] b [redacted]");
        check("a canary-toke", true, "a ");
        check("a canary-toke", false, "a canary-toke");
        check("a canary-t", true, "a ");
        check("a canary-", true, "a canary-");
        check("canary-token canary-to", true, "[redacted] ");
        check("canary-toke b", true, "canary-toke b");
        assert_eq!(Secret::new("").strike_out(Cow::Borrowed("a"), true), "a");
    }
}
