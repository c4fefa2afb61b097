//! The parts of a request's body that decide whether it continues a conversation, and the frames in which it can be
//! sent.

use std::ops::Range;

use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::super::without_member::{Members, without_member};
use super::canonical::{Digest, item_digest, value_digest};

/// Members that differ in each turn. Everything else must be the same.
const OF_ONE_TURN: [&str; 4] = ["input", "stream", "previous_response_id", "client_metadata"];

/// A short form of a body. The body itself is needed again only for the frame.
#[derive(Clone, Debug)]
pub struct Outline {
    /// The digest of all members that must stay the same; `None` when they cannot be compared.
    pub members: Option<Digest>,
    /// `None` when `input` is not an array, or occurs twice.
    pub items: Option<Vec<Item>>,
    /// Where the value of `input` is.
    input: Range<usize>,
    /// The client itself names the response that it continues.
    pub continues_by_itself: bool,
}

#[derive(Clone, Debug)]
pub struct Item {
    pub digest: Option<Digest>,
    start: usize,
}

impl Outline {
    /// Returns `None` for a body that no frame can carry: one with its own `type`, or one that is not an object.
    pub fn read(json: &str) -> Option<Outline> {
        let Members(members) = serde_json::from_str(json).ok()?;
        if members.iter().any(|(name, _)| name == "type") {
            return None;
        }
        let offset = |part: &str| part.as_ptr() as usize - json.as_ptr() as usize;
        let mut inputs = members.iter().filter(|(name, _)| name == "input").map(|(_, value)| value.get());
        let input = inputs.next().filter(|_| inputs.next().is_none());
        let items = input.and_then(|input| serde_json::from_str::<Vec<&RawValue>>(input).ok());
        let items = items.map(|items| {
            let item = |item: &RawValue| Item { digest: item_digest(item.get()), start: offset(item.get()) };
            items.into_iter().map(item).collect()
        });
        let mut own = members.iter().filter(|(name, _)| name == "previous_response_id");
        Some(Outline {
            members: members_digest(&members),
            items,
            input: input.map_or(0..0, |input| offset(input)..offset(input) + input.len()),
            continues_by_itself: own.any(|(_, id)| id.get() != "null"),
        })
    }

    /// Returns how many bytes of `input` come before the item at this index.
    pub fn bytes_before(&self, index: usize) -> usize {
        let item = self.items.as_ref().and_then(|items| items.get(index));
        item.map_or(0, |item| item.start - self.input.start)
    }
}

fn members_digest(members: &[(std::borrow::Cow<'_, str>, &RawValue)]) -> Option<Digest> {
    let compared = members.iter().filter(|(name, _)| !OF_ONE_TURN.contains(&&**name));
    let mut digests: Vec<(Digest, Digest)> = compared
        .map(|(name, value)| Some((Sha256::digest(name.as_bytes()).into(), value_digest(value.get())?)))
        .collect::<Option<_>>()?;
    digests.sort_unstable();
    // A member that occurs twice has no certain value.
    if digests.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return None;
    }
    let mut all = Sha256::new();
    for (name, value) in digests {
        all.update(name);
        all.update(value);
    }
    Some(all.finalize().into())
}

/// Returns the frame that sends the whole body.
pub fn full_frame(json: &str) -> Option<String> {
    let members = json.trim_start().strip_prefix('{')?;
    let comma = if members.trim_start().starts_with('}') { "" } else { "," };
    Some(format!("{{\"type\":\"response.create\"{comma}{members}"))
}

/// Returns the frame that continues the response `previous` with the items from index `from` on. Everything but `input`
/// keeps the client's spelling.
pub fn delta_frame(json: &str, outline: &Outline, previous: &str, from: usize) -> Option<String> {
    let first = outline.items.as_ref()?.get(from)?;
    let (start, end) = (outline.input.start, outline.input.end);
    let rest = json.get(first.start..end)?;
    let body = format!("{}[{rest}{}", json.get(..start)?, json.get(end..)?);
    // Only `null` can be there; any other value of the client is never continued.
    let body = without_member(&body, "previous_response_id").unwrap_or(body);
    let previous = serde_json::Value::from(previous);
    let members = body.trim_start().strip_prefix('{')?;
    Some(format!("{{\"type\":\"response.create\",\"previous_response_id\":{previous},{members}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn members_of_one_turn_do_not_count() {
        let members = |json: &str| Outline::read(json).unwrap().members;
        let same = |one: &str, other: &str| members(one).is_some() && members(one) == members(other);
        let plain = r#"{"model":"m","tools":[{"a":1}],"input":[1]}"#;
        assert!(same(
            plain,
            r#"{"client_metadata":{"turn":1},"tools":[{"a":1.0}],"stream":true,"\u006dodel":"m"}"#
        ));
        for other in [
            r#"{"model":"n","tools":[{"a":1}]}"#,
            r#"{"model":"m","tools":[{"a":2}]}"#,
            r#"{"model":"m","tools":[{"a":1}],"x":null}"#,
            r#"{"model":"m"}"#,
        ] {
            assert!(!same(plain, other), "{other}");
        }
        assert_eq!(members(r#"{"model":"m","x":1,"x":1}"#), None);
    }

    #[test]
    fn bodies_without_comparable_input_have_no_items() {
        let check = |json: &str, expected: Option<usize>| {
            let outline = Outline::read(json).unwrap();
            assert_eq!(outline.items.map(|items| items.len()), expected, "{json}");
        };
        check(r#"{"input":[{},{"a":1}]}"#, Some(2));
        check(r#"{"input":[]}"#, Some(0));
        check(r#"{"input":"text"}"#, None);
        check(r#"{"model":"m"}"#, None);
        check(r#"{"input":[1],"input":[1]}"#, None);
        assert!(Outline::read(r#"{"type":"x","input":[]}"#).is_none());
        assert!(Outline::read("[]").is_none());
    }

    #[test]
    fn frames_keep_the_clients_bytes() {
        let json = "{ \"model\":\"m\", \"previous_response_id\": null, \"input\" : [ {\"a\":1.50} , {\"b\":\"\\ud800\"},\n{\"c\":3} ] ,\"x\":1e2}";
        assert_eq!(full_frame(json).unwrap(), format!("{{\"type\":\"response.create\",{}", &json[1..]));
        let outline = Outline::read(json).unwrap();
        assert!(!outline.continues_by_itself);
        assert_eq!(
            delta_frame(json, &outline, "resp_\"1", 1).unwrap(),
            "{\"type\":\"response.create\",\"previous_response_id\":\"resp_\\\"1\", \"model\":\"m\", \"input\" : [{\"b\":\"\\ud800\"},\n{\"c\":3} ] ,\"x\":1e2}"
        );
        assert_eq!(delta_frame(json, &outline, "r", 3), None);
        assert!(Outline::read(r#"{"previous_response_id":"r"}"#).unwrap().continues_by_itself);
    }
}
