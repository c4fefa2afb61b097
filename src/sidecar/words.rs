//! Splits a line into words: separated by white space, joined by quotes. The last one may be incomplete.

/// One word, and where it begins in the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) starts_at: usize,
    /// Its quote is still open, or nothing follows it, not even a space.
    pub(crate) unfinished: bool,
}

/// Within quotes white space is part of the word, and `\` takes the next character as it is. Never fails: an open quote
/// ends with the line.
pub(crate) fn words(line: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut current: Option<Word> = None;
    let mut quote: Option<char> = None;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        if quote.is_none() && c.is_whitespace() {
            words.extend(current.take().map(|word| Word { unfinished: false, ..word }));
            continue;
        }
        let word =
            current.get_or_insert_with(|| Word { text: String::new(), starts_at: at, unfinished: true });
        match (c, quote) {
            ('"' | '\'', None) if word.text.is_empty() && word.starts_at == at => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('\\', Some(_)) => word.text.extend(chars.next().map(|(_, next)| next)),
            (c, _) => word.text.push(c),
        }
    }
    words.extend(current);
    words
}

/// Returns the text as one word of a line.
pub fn quoted(text: &str) -> String {
    let plain = !text.is_empty() && !text.starts_with(['"', '\'']) && !text.contains(char::is_whitespace);
    if plain {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(line: &str) -> Vec<String> {
        words(line).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn quotes_hold_words_together() {
        assert_eq!(texts("  use  ada@example.com "), ["use", "ada@example.com"]);
        assert_eq!(texts(r#"use "OpenAI Codex 1234" x"#), ["use", "OpenAI Codex 1234", "x"]);
        assert_eq!(texts(r#"use 'a "b"'"#), ["use", "a \"b\""]);
        assert_eq!(texts(r#"use "a \"b\" \\c""#), ["use", "a \"b\" \\c"]);
        assert_eq!(texts(r#"use "open end"#), ["use", "open end"]);
        // Within a word it is an ordinary character.
        assert_eq!(texts("use o'neill"), ["use", "o'neill"]);
        assert_eq!(texts(r#"use """#), ["use", ""]);
        assert!(texts(" \t ").is_empty());
    }

    #[test]
    fn the_last_word_is_unfinished_until_a_space_follows() {
        let last = |line: &str| words(line).last().map(|word| (word.starts_at, word.unfinished));
        assert_eq!(last("use ad"), Some((4, true)));
        assert_eq!(last("use ad "), Some((4, false)));
        assert_eq!(last("use \"a b "), Some((4, true)));
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_one_word_and_the_same(text in "\\PC{0,20}|[\"'\\\\ a]{0,8}") {
            prop_assert_eq!(texts(&format!("use {} x", quoted(&text))), ["use", &text, "x"]);
        }
    }
}
