//! JSON as a page shows it: a value that fits stays on one line, and long lists and texts are cut with `…`.

use serde_json::{Map, Value};

const WIDTH: usize = 100;
/// How many elements of a list of objects are shown.
const ELEMENTS: usize = 2;
/// How many characters of a text are shown.
const TEXT: usize = 120;

/// Members that a reader looks for first, in this order; the others follow by name.
const FIRST: &[&str] = &["jsonrpc", "id", "method", "code", "message", "type", "params", "result", "error"];

pub fn pretty(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, &mut text);
    text
}

fn write(value: &Value, indent: usize, text: &mut String) {
    let one_line = inline(value);
    if indent + one_line.chars().count() <= WIDTH {
        return text.push_str(&one_line);
    }
    let inner = indent + 2;
    match value {
        Value::Object(members) => {
            text.push('{');
            for (index, (name, member)) in ordered(members).into_iter().enumerate() {
                separate(index, inner, text);
                text.push_str(&format!("{}: ", Value::from(name.as_str())));
                write(member, inner, text);
            }
            close('}', indent, text);
        }
        Value::Array(items) => {
            text.push('[');
            let shown = if items.iter().any(Value::is_object) { ELEMENTS } else { items.len() };
            for (index, item) in items.iter().take(shown).enumerate() {
                separate(index, inner, text);
                write(item, inner, text);
            }
            if items.len() > shown {
                separate(shown, inner, text);
                text.push('…');
            }
            close(']', indent, text);
        }
        _ => text.push_str(&one_line),
    }
}

fn ordered(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by_key(|(name, _)| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    members
}

fn separate(index: usize, indent: usize, text: &mut String) {
    text.push_str(if index == 0 { "\n" } else { ",\n" });
    text.extend(std::iter::repeat_n(' ', indent));
}

fn close(bracket: char, indent: usize, text: &mut String) {
    text.push('\n');
    text.extend(std::iter::repeat_n(' ', indent));
    text.push(bracket);
}

fn inline(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members = ordered(members)
                .into_iter()
                .map(|(name, member)| format!("{}: {}", Value::from(name.as_str()), inline(member)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::String(long) => match long.char_indices().nth(TEXT) {
            Some((cut, _)) => Value::from(format!("{}…", &long[..cut])).to_string(),
            None => value.to_string(),
        },
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::pretty;

    #[test]
    fn short_values_stay_on_one_line_and_long_ones_are_broken_and_cut() {
        assert_eq!(pretty(&json!({"id": 1, "list": [1, 2]})), r#"{"id": 1, "list": [1, 2]}"#);
        assert_eq!(pretty(&json!({"a": 1, "method": "m", "id": 2})), r#"{"id": 2, "method": "m", "a": 1}"#);
        let word = "x".repeat(40);
        let items: Vec<_> = (0..3).map(|n| json!({"n": n, "word": word})).collect();
        let expected = format!(
            "{{\n  \"items\": [\n    {{\"n\": 0, \"word\": \"{word}\"}},\n    {{\"n\": 1, \"word\": \"{word}\"}},\n    …\n  ]\n}}"
        );
        assert_eq!(pretty(&json!({ "items": items })), expected);
        assert_eq!(pretty(&json!("é".repeat(121))), format!("\"{}…\"", "é".repeat(120)));
    }
}
