//! The two notations of scripts: with `→ ← … «name»`, or with `> < .. $name` for any keyboard. The second is converted
//! to the first before a line is read.

/// Returns `line` in the first notation.
///
/// `>`, `<` and `<*` count at the beginning of a line. In messages and patterns `..` outside of strings, and a string
/// that is only `..`, is a hole; `$name` and `${any text}` are names; `$$` is a dollar sign.
pub fn normalized(line: &str) -> String {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let word = match word {
        ">" => "→",
        "<" => "←",
        "<*" => "←*",
        word => word,
    };
    if matches!(word, "→" | "←" | "←*" | "=" | "upstream" | "entry" | "settings") {
        format!("{word} {}", holes(rest))
    } else {
        line.to_owned()
    }
}

fn holes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_string = false;
    while let Some(next) = rest.chars().next() {
        let taken = match next {
            '\\' if in_string => {
                let escaped = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                out.push_str(&rest[..escaped]);
                escaped
            }
            '"' if !in_string && rest.starts_with("\"..\"") => {
                out.push_str("\"…\"");
                4
            }
            '"' => {
                in_string = !in_string;
                out.push('"');
                1
            }
            '.' if !in_string && rest.starts_with("..") => {
                out.push('…');
                2
            }
            '$' => dollar(rest, &mut out),
            other => {
                out.push(other);
                other.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    out
}

/// Writes the part that begins with a dollar sign. Returns how many bytes of `rest` it used.
fn dollar(rest: &str, out: &mut String) -> usize {
    let after = &rest[1..];
    if after.starts_with('$') {
        out.push('$');
        return 2;
    }
    if let Some(name) = after.strip_prefix('{').and_then(|inner| inner.split_once('}')).map(|(name, _)| name)
    {
        out.push_str(&format!("«{name}»"));
        return name.len() + 3;
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = after.find(|c| !is_name(c)).unwrap_or(after.len());
    if after.starts_with(|c: char| c.is_ascii_alphabetic()) {
        out.push_str(&format!("«{}»", &after[..end]));
        1 + end
    } else {
        out.push('$');
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyboard_notation_reads_as_the_other_one() {
        let same = [
            (r#"> {"id":1,"method":"$/cancelRequest"}"#, r#"→ {"id":1,"method":"$/cancelRequest"}"#),
            (r#"< {"id":1,"result":{"a":$c,..}}"#, r#"← {"id":1,"result":{"a":«c»,…}}"#),
            (r#"<* $c {"event":..}"#, r#"←* «c» {"event":…}"#),
            (r#"< {"a":"..","b":"a..b","c":"\"$x"}"#, r#"← {"a":"…","b":"a..b","c":"\"«x»"}"#),
            (r#"> {"a":"${x*70000}","b":"$ x"}"#, r#"→ {"a":"«x*70000»","b":"$ x"}"#),
            (
                "= headers ada 2 {\"authorization\":\"Bearer ${ada access}\"}",
                "= headers ada 2 {\"authorization\":\"Bearer «ada access»\"}",
            ),
            ("flags --codex-home ../x", "flags --codex-home ../x"),
            ("← «c» {…}", "← «c» {…}"),
        ];
        for (keyboard, written) in same {
            assert_eq!(normalized(keyboard), written);
            assert_eq!(normalized(written), written);
        }
        assert_eq!(normalized(r#"> {"a":"$$x"}"#), r#"→ {"a":"$x"}"#);
    }
}
