//! Takes items of reasoning out of a request's `input`; everything else stays byte for byte.

use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// The SHA-256 of an `encrypted_content`, which is all that is remembered of it.
pub type ReasoningHash = [u8; 32];

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, default)]
    r#type: Option<&'a str>,
    #[serde(borrow, default)]
    encrypted_content: Option<&'a str>,
}

/// Returns the hash of an item of reasoning; `None` for any other item, and for reasoning in the clear.
pub(super) fn reasoning_hash(item: &str) -> Option<ReasoningHash> {
    let item: Item<'_> = serde_json::from_str(item).ok()?;
    let content = item.encrypted_content.filter(|content| !content.is_empty())?;
    (item.r#type == Some("reasoning")).then(|| Sha256::digest(content.as_bytes()).into())
}

/// Returns the request without the reasoning that `is_foreign` names, and how many items that were; `None` when there is
/// none of it.
pub(super) fn without_reasoning(
    json: &str,
    is_foreign: impl Fn(&ReasoningHash) -> bool,
) -> Option<(String, u32)> {
    #[derive(Deserialize)]
    struct Request<'a> {
        #[serde(borrow)]
        input: &'a RawValue,
    }
    let Request { input } = serde_json::from_str(json).ok()?;
    let items: Vec<&RawValue> = serde_json::from_str(input.get()).ok()?;
    let kept: Vec<&str> = items
        .iter()
        .map(|item| item.get())
        .filter(|item| !reasoning_hash(item).is_some_and(|hash| is_foreign(&hash)))
        .collect();
    let removed = u32::try_from(items.len() - kept.len()).ok().filter(|removed| *removed > 0)?;
    let start = input.get().as_ptr() as usize - json.as_ptr() as usize;
    let end = start + input.get().len();
    Some((format!("{}[{}]{}", &json[..start], kept.join(","), &json[end..]), removed))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn reasoning(content: &str) -> String {
        format!(r#"{{"type":"reasoning","summary":[],"encrypted_content":"{content}"}}"#)
    }

    #[test]
    fn only_foreign_reasoning_is_taken_out() {
        let foreign = reasoning_hash(&reasoning("AAA")).unwrap();
        let check = |input: &str, expected: Option<(&str, u32)>| {
            let json = format!(r#"{{"model":"m","input":{input},"x":1.50}}"#);
            let found = without_reasoning(&json, |hash| *hash == foreign);
            let expected = expected
                .map(|(input, count)| (format!(r#"{{"model":"m","input":{input},"x":1.50}}"#), count));
            assert_eq!(found, expected, "{input}");
        };
        let (aaa, bbb) = (reasoning("AAA"), reasoning("BBB"));
        check(&format!("[{aaa}]"), Some(("[]", 1)));
        check(
            &format!(r#"[{{"a":"\ud800"}}, {aaa} ,{bbb},{aaa}]"#),
            Some((&format!(r#"[{{"a":"\ud800"}},{bbb}]"#), 2)),
        );
        check(&format!("[{bbb}]"), None);
        check(r#"[{"type":"message","encrypted_content":"AAA"}]"#, None);
        check("\"text\"", None);
        check("[]", None);
    }

    #[test]
    fn only_encrypted_reasoning_has_a_hash() {
        assert!(reasoning_hash(&reasoning("AAA")).is_some());
        for other in [r#"{"type":"reasoning"}"#, r#"{"type":"reasoning","encrypted_content":null}"#, "7", "{"]
        {
            assert_eq!(reasoning_hash(other), None, "{other}");
        }
        assert_eq!(reasoning_hash(&reasoning("")), None);
    }
}
