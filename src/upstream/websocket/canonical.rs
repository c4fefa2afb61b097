//! Compares JSON values: key order, number spelling and string escapes do not matter, everything else does. Items of a
//! conversation are compared without members that upstream adds and clients remove. A value that cannot be compared
//! safely (a member that occurs twice, very deep nesting) has no digest and equals nothing, not even itself.

use sha2::{Digest as _, Sha256};

use super::scanner::Scanner;

/// The SHA-256 of a value's canonical form. Nothing else of the value is kept.
pub type Digest = [u8; 32];

/// Deeper values are not compared. serde_json has the same limit.
const MAX_DEPTH: usize = 128;

/// Members of an item that upstream adds, or that clients leave out when they send it back.
const ADDED_TO_ITEMS: [&[u8]; 3] = [b"status", b"phase", b"internal_chat_message_metadata_passthrough"];
/// The same for a part of an item's content.
const ADDED_TO_PARTS: [&[u8]; 2] = [b"annotations", b"logprobs"];

/// Returns the digest of a valid JSON text in which every member counts.
pub fn value_digest(json: &str) -> Option<Digest> {
    canonical(json, Place::Plain).map(|form| Sha256::digest(form).into())
}

/// Returns the digest of an item of `input` or of a response's output.
pub fn item_digest(json: &str) -> Option<Digest> {
    canonical(json, Place::Item).map(|form| Sha256::digest(form).into())
}

/// The position of a value, which decides which of its members count.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Item,
    /// The content of an item: parts, or a string.
    Content,
    Part,
    Plain,
    /// A string that holds JSON.
    Arguments,
}

fn canonical(json: &str, place: Place) -> Option<Vec<u8>> {
    let mut form = Vec::with_capacity(json.len());
    let mut scanner = Scanner::new(json);
    value(&mut scanner, place, 0, &mut form)?;
    Some(form)
}

fn value(scanner: &mut Scanner<'_>, place: Place, depth: usize, form: &mut Vec<u8>) -> Option<()> {
    if depth > MAX_DEPTH {
        return None;
    }
    match scanner.peek()? {
        b'{' => object(scanner, place, depth, form),
        b'[' => array(scanner, place, depth, form),
        b'"' => {
            let text = scanner.string()?;
            if place == Place::Arguments
                && let Some(inner) = arguments(&text, depth)
            {
                form.push(b'j');
                form.extend_from_slice(&inner);
                return Some(());
            }
            push_string(form, &text);
            Some(())
        }
        b'-' | b'0'..=b'9' => {
            form.push(b'd');
            push_string(form, decimal(scanner.token())?.as_bytes());
            Some(())
        }
        _ => {
            let word = scanner.token();
            // `null`, `true` and `false` differ in their first letter.
            form.push(*word.first()?);
            Some(())
        }
    }
}

fn array(scanner: &mut Scanner<'_>, place: Place, depth: usize, form: &mut Vec<u8>) -> Option<()> {
    let inside = if place == Place::Content { Place::Part } else { Place::Plain };
    form.push(b'[');
    scanner.enter();
    while !scanner.leaves(b']') {
        value(scanner, inside, depth + 1, form)?;
    }
    form.push(b']');
    Some(())
}

fn object(scanner: &mut Scanner<'_>, place: Place, depth: usize, form: &mut Vec<u8>) -> Option<()> {
    let mut members: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    scanner.enter();
    while !scanner.leaves(b'}') {
        let name = scanner.string()?;
        scanner.colon()?;
        let inside = match (place, name.as_slice()) {
            (Place::Item, b"content") => Place::Content,
            (Place::Item, b"arguments") => Place::Arguments,
            _ => Place::Plain,
        };
        let mut of_member = Vec::new();
        value(scanner, inside, depth + 1, &mut of_member)?;
        members.push((name, of_member));
    }
    members.sort_by(|(one, _), (other, _)| one.cmp(other));
    if members.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return None;
    }
    match place {
        Place::Item => strip_item(&mut members),
        Place::Part => {
            members.retain(|(name, value)| !ADDED_TO_PARTS.contains(&&name[..]) && !is_null(value))
        }
        Place::Content | Place::Plain | Place::Arguments => {}
    }
    form.push(b'{');
    for (name, value) in &members {
        push_string(form, name);
        form.extend_from_slice(value);
    }
    form.push(b'}');
    Some(())
}

/// An item's id belongs to upstream, unless the item has nothing else.
fn strip_item(members: &mut Vec<(Vec<u8>, Vec<u8>)>) {
    members.retain(|(name, value)| !ADDED_TO_ITEMS.contains(&&name[..]) && !is_null(value));
    let is_reference = members.iter().any(|(name, value)| {
        let mut reference = Vec::new();
        push_string(&mut reference, b"item_reference");
        name == b"type" && *value == reference
    });
    let says_more = |(name, value): &(Vec<u8>, Vec<u8>)| name != b"type" && name != b"id" && !is_empty(value);
    if !is_reference && members.iter().any(says_more) {
        members.retain(|(name, _)| name != b"id");
    }
}

fn is_null(form: &[u8]) -> bool {
    form == b"n"
}

fn is_empty(form: &[u8]) -> bool {
    matches!(form, b"[]" | b"{}") || form == [b's', 0, 0, 0, 0, 0, 0, 0, 0]
}

/// Returns the JSON inside a string; `None` when there is none.
fn arguments(text: &[u8], depth: usize) -> Option<Vec<u8>> {
    let text = str::from_utf8(text).ok()?;
    serde_json::from_str::<&serde_json::value::RawValue>(text).ok()?;
    let mut form = Vec::new();
    value(&mut Scanner::new(text), Place::Plain, depth + 1, &mut form)?;
    Some(form)
}

/// The length comes first, so that no two different values have the same form.
fn push_string(form: &mut Vec<u8>, text: &[u8]) {
    form.push(b's');
    form.extend_from_slice(&(text.len() as u64).to_be_bytes());
    form.extend_from_slice(text);
}

/// Returns the exact value as digits without outer zeros, and the power of ten: 1, 1.0 and 10e-1 are `1e0`.
fn decimal(token: &[u8]) -> Option<String> {
    let text = str::from_utf8(token).ok()?;
    let (sign, unsigned) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let shortened = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - shortened.len()).ok()?;
    let significant = shortened.trim_start_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    let power = exponent.parse::<i64>().ok()?.checked_add(zeros)?;
    let power = power.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    Some(format!("{sign}{significant}e{power}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same_item(one: &str, other: &str) -> bool {
        item_digest(one).is_some() && item_digest(one) == item_digest(other)
    }

    #[test]
    fn items_compare_without_what_upstream_adds() {
        let check = |one: &str, other: &str, same: bool| {
            assert_eq!(same_item(one, other), same, "{one}\n{other}");
        };
        check(
            r#"{"id":"m1","type":"message","status":"completed","role":"assistant","phase":"x","content":[{"type":"output_text","text":"é","annotations":[{"a":1}],"logprobs":[]}]}"#,
            r#"{"content":[{"text":"\u00e9","type":"output_text"}],"role":"assistant","type":"message"}"#,
            true,
        );
        check(
            r#"{"type":"function_call","name":"f","call_id":"c","arguments":"{\"a\":1,\"b\":[1.0]}"}"#,
            r#"{"type":"function_call","call_id":"c","name":"f","namespace":null,"arguments":"{ \"b\": [1], \"a\": 1e0 }"}"#,
            true,
        );
        check(r#"{"a":{"status":1}}"#, r#"{"a":{}}"#, false);
        check(r#"{"a":{"b":null}}"#, r#"{"a":{}}"#, false);
        check(r#"{"a":1,"b":null}"#, r#"{"a":1}"#, true);
        check(r#"{"content":[{"text":"a"}]}"#, r#"{"content":[{"text":"b"}]}"#, false);
        check(r#"{"content":[[{"text":"a","logprobs":[]}]]}"#, r#"{"content":[[{"text":"a"}]]}"#, false);
        check(r#"{"a":["x","y"]}"#, r#"{"a":["y","x"]}"#, false);
        check(r#"{"a":"1"}"#, r#"{"a":1}"#, false);
        check(r#"{"a":["bc"]}"#, r#"{"a":["b","c"]}"#, false);
        check(r#"{"arguments":"{\"a\":null}"}"#, r#"{"arguments":"{}"}"#, false);
        check(r#"{"arguments":"{"}"#, r#"{"arguments":"{ "}"#, false);
        check(r#"{"arguments":"7"}"#, r#"{"arguments":7}"#, false);
    }

    #[test]
    fn ids_count_where_an_item_says_nothing_else() {
        let check = |one: &str, other: &str, same: bool| {
            assert_eq!(same_item(one, other), same, "{one}\n{other}");
        };
        check(r#"{"id":"a","text":"t"}"#, r#"{"id":"b","text":"t"}"#, true);
        check(r#"{"id":"a","text":"t"}"#, r#"{"text":"t"}"#, true);
        check(r#"{"type":"item_reference","id":"a"}"#, r#"{"type":"item_reference","id":"b"}"#, false);
        check(r#"{"type":"x","id":"a","status":"s"}"#, r#"{"type":"x","id":"b"}"#, false);
        check(r#"{"type":"x","id":"a","status":"s"}"#, r#"{"id":"a","type":"x"}"#, true);
        check(
            r#"{"type":"reasoning","id":"a","summary":[]}"#,
            r#"{"type":"reasoning","id":"b","summary":[]}"#,
            false,
        );
        check(
            r#"{"type":"reasoning","id":"a","summary":[],"encrypted_content":"e"}"#,
            r#"{"type":"reasoning","summary":[],"encrypted_content":"e"}"#,
            true,
        );
    }

    #[test]
    fn numbers_compare_as_exact_decimals() {
        let check = |one: &str, other: &str, same: bool| {
            assert_eq!(value_digest(one) == value_digest(other), same, "{one} {other}");
        };
        check("1", "1.0", true);
        check("1", "1e0", true);
        check("100", "1E+2", true);
        check("0.010", "1e-2", true);
        check("-0", "0.00", true);
        check("9007199254740993", "9007199254740992", false);
        check("1", "-1", false);
        check("1", "10", false);
        check("12", "1.2", false);
        check("1e9223372036854775807", "1e9223372036854775806", false);
        assert_eq!(value_digest("1e9223372036854775808"), None);
        assert_eq!(value_digest("10e9223372036854775807"), None);
    }

    #[test]
    fn strings_compare_by_what_they_spell() {
        let check = |one: &str, other: &str, same: bool| {
            assert_eq!(value_digest(one) == value_digest(other), same, "{one} {other}");
        };
        check(r#""\u0041\/\n\"""#, "\"A/\\u000a\\u0022\"", true);
        check(r#""\ud83d\ude00""#, "\"😀\"", true);
        check(r#""\ud83d""#, r#""\uD83D""#, true);
        check(r#""\ud83d""#, r#""\ud83e""#, false);
        check(r#""\ude00\ud83d""#, r#""\ud83d\ude00""#, false);
        check(r#""\ud83d""#, r#""\ufffd""#, false);
    }

    #[test]
    fn what_cannot_be_compared_has_no_digest() {
        assert_eq!(value_digest(r#"{"a":1,"\u0061":1}"#), None);
        assert_eq!(item_digest(r#"{"x":[{"a":1,"a":1}]}"#), None);
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(value_digest(&deep(MAX_DEPTH)).is_some());
        assert_eq!(value_digest(&deep(100_000)), None);
    }
}
