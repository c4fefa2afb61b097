//! Text in columns of a terminal: its width, how it is cut, and which characters are never shown.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

const ELLIPSIS: &str = "…";

/// Replaces characters that move the cursor, change colours or reverse the line: names come from outside.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unwanted) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| if is_unwanted(c) { '\u{fffd}' } else { c }).collect())
}

fn is_unwanted(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
}

/// Returns the columns of a text. Terminals disagree about joined emoji and flags, so the widest reading counts.
pub(super) fn width(text: &str) -> usize {
    text.graphemes(true).map(width_of).sum()
}

fn width_of(grapheme: &str) -> usize {
    let apart: usize = grapheme.chars().map(|c| c.width().unwrap_or(0)).sum();
    apart.max(grapheme.width())
}

/// Cuts the end so that at most `max` columns are left.
pub(super) fn cut_end(text: &str, max: usize) -> Cow<'_, str> {
    if width(text) <= max {
        return Cow::Borrowed(text);
    }
    let kept = start_within(text, max.saturating_sub(1));
    if max == 0 { Cow::Borrowed("") } else { Cow::Owned(format!("{kept}{ELLIPSIS}")) }
}

/// Cuts the middle so that at most `max` columns are left: similar names differ at their ends.
fn cut_middle(text: &str, max: usize) -> Cow<'_, str> {
    if width(text) <= max {
        return Cow::Borrowed(text);
    }
    if max < 4 {
        return cut_end(text, max);
    }
    let at_the_end = (max - 1) / 2;
    let start = start_within(text, max - 1 - at_the_end);
    let end = end_within(text, at_the_end);
    Cow::Owned(format!("{start}{ELLIPSIS}{end}"))
}

/// Cuts a name in its middle. Accounts of one person often differ just before the `@` and rarely after it, so a long
/// domain is cut first.
pub(super) fn cut_name(text: &str, max: usize) -> Cow<'_, str> {
    let long = width(text) > max;
    let Some((local, domain)) = text.rsplit_once('@').filter(|_| long && max >= 12) else {
        return cut_middle(text, max);
    };
    let left_over = (max - 1).saturating_sub(width(local));
    let domain = cut_end(domain, left_over.max((max - 1) / 3));
    let local = cut_middle(local, max - 1 - width(&domain));
    Cow::Owned(format!("{local}@{domain}"))
}

/// Breaks text between words into lines that fit. A path or an address that does not fit keeps a line of its own,
/// uncut, so that it can be copied.
pub(super) fn wrapped(text: &str, room: Option<usize>) -> Vec<String> {
    let Some(room) = room else { return vec![text.to_owned()] };
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let word = if word.contains('/') { Cow::Borrowed(word) } else { cut_name(word, room) };
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(&word) <= room => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word.into_owned()),
        }
    }
    lines
}

fn start_within(text: &str, max: usize) -> &str {
    let mut used = 0;
    let mut end = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        used += width_of(grapheme);
        if used > max {
            break;
        }
        end = at + grapheme.len();
    }
    &text[..end]
}

fn end_within(text: &str, max: usize) -> &str {
    let mut used = 0;
    let mut start = text.len();
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        used += width_of(grapheme);
        if used > max {
            break;
        }
        start = at;
    }
    &text[start..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_are_counted_as_a_terminal_does() {
        let cases = [
            ("", 0),
            ("ada", 3),
            ("日本語", 6),
            ("e\u{301}", 1),
            ("🦀", 2),
            ("\u{1f469}\u{200d}\u{1f4bb}", 4),
            ("🇩🇪", 2),
            ("한국", 4),
        ];
        for (text, columns) in cases {
            assert_eq!(width(text), columns, "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_gives_way() {
        assert_eq!(cut_end("abcdef", 6), "abcdef");
        assert_eq!(cut_end("abcdef", 4), "abc…");
        assert_eq!(cut_end("日本語", 5), "日本…");
        assert_eq!(cut_end("日本語", 4), "日…");
        assert_eq!(cut_end("ab", 0), "");
        assert_eq!(cut_middle("ada.lovelace@example.com", 11), "ada.l…e.com");
        assert_eq!(cut_middle("日本語日本語", 8), "日本…語");
        assert_eq!(
            cut_middle("e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}", 5),
            "e\u{301}e\u{301}…e\u{301}e\u{301}"
        );
        assert_eq!(cut_middle("abcdef", 3), "ab…");
        assert_eq!(cut_name("ada.lovelace+work@subdomain.example.com", 24), "ada.love…ce+work@subdom…");
        assert_eq!(cut_name("ada.lovelace+home@example.com", 29), "ada.lovelace+home@example.com");
        assert_eq!(cut_name("OpenAI Codex 1234abcd", 12), "OpenAI…4abcd");
    }

    #[test]
    fn a_name_cannot_colour_the_screen_or_turn_a_line_around() {
        assert_eq!(clean("a\u{1b}[31mb\nc\u{202e}d"), "a\u{fffd}[31mb\u{fffd}c\u{fffd}d");
        assert_eq!(clean("日本 e\u{301}"), "日本 e\u{301}");
    }

    proptest! {
        #[test]
        fn a_cut_text_never_is_wider_than_asked(text in "\\PC{0,40}", max in 0..30usize) {
            prop_assert!(width(&cut_end(&text, max)) <= max);
            prop_assert!(width(&cut_middle(&text, max)) <= max);
            prop_assert!(width(&cut_name(&text, max)) <= max);
            let name = format!("{text}@{text}");
            prop_assert!(width(&cut_name(&name, max)) <= max);
        }
    }
}
