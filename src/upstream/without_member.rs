//! Takes one member out of a JSON object, or gives it another value; everything else stays byte for byte.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Returns the object without its top-level members called `name`; `None` when it has none, or is no object.
pub(super) fn without_member(json: &str, name: &str) -> Option<String> {
    let Members(members) = serde_json::from_str(json).ok()?;
    let end_of =
        |value: &RawValue| value.get().as_ptr() as usize - json.as_ptr() as usize + value.get().len();
    let mut rest = json.to_owned();
    // From the last to the first, so that the positions before stay true.
    for (index, (key, value)) in members.iter().enumerate().rev() {
        if key != name {
            continue;
        }
        match index.checked_sub(1) {
            Some(before) => rest.replace_range(end_of(members[before].1)..end_of(value), ""),
            None => {
                let start = json.find('{')? + 1;
                rest.replace_range(start..end_of(value), "");
                // The comma after the first member goes with it.
                let next = start + rest[start..].len() - rest[start..].trim_start().len();
                if rest[next..].starts_with(',') {
                    rest.replace_range(start..=next, "");
                }
            }
        }
    }
    (rest.len() < json.len()).then_some(rest)
}

/// Returns the object with another value of its top-level members called `name`; `None` when it has none, or is no object.
pub(super) fn with_value(json: &str, name: &str, value: &str) -> Option<String> {
    let Members(members) = serde_json::from_str(json).ok()?;
    let start_of = |value: &RawValue| value.get().as_ptr() as usize - json.as_ptr() as usize;
    let mut changed = json.to_owned();
    let mut found = false;
    // From the last to the first, so that the positions before stay true.
    for (_, old) in members.iter().rev().filter(|(key, _)| key == name) {
        let start = start_of(old);
        changed.replace_range(start..start + old.get().len(), value);
        found = true;
    }
    found.then_some(changed)
}

/// The members in their order, with those that come twice.
pub(super) struct Members<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_else_stays_byte_for_byte() {
        let check = |json: &str, expected: Option<&str>| {
            assert_eq!(without_member(json, "m").as_deref(), expected, "{json}");
        };
        check(r#"{"m":1}"#, Some("{}"));
        check(r#"{"m":1,"a":"\ud800"}"#, Some(r#"{"a":"\ud800"}"#));
        check(r#"{ "m" : {"m":[1,2]} , "a":1.50 }"#, Some(r#"{ "a":1.50 }"#));
        check(r#"{"a":1,"m":null}"#, Some(r#"{"a":1}"#));
        check("{\"a\":1 ,\n \"m\" : \"}\" , \"b\":2}", Some("{\"a\":1 , \"b\":2}"));
        check(r#"{"m":1,"m":2,"a":3,"m":4}"#, Some(r#"{"a":3}"#));
        check(r#"{"\u006d":1,"a":2}"#, Some(r#"{"a":2}"#));
        check(r#"{"a":{"m":1},"b":"m"}"#, None);
        check("{}", None);
        check("[]", None);
        check("{", None);
    }

    #[test]
    fn a_value_is_replaced_and_everything_else_stays() {
        let check = |json: &str, expected: Option<&str>| {
            assert_eq!(with_value(json, "m", "\"n\"").as_deref(), expected, "{json}");
        };
        check(r#"{"m":1}"#, Some(r#"{"m":"n"}"#));
        check(
            r#"{ "a" : "\ud800" , "m" : "old model", "b":1.50 }"#,
            Some(r#"{ "a" : "\ud800" , "m" : "n", "b":1.50 }"#),
        );
        check(r#"{"m":{"m":1},"m":[]}"#, Some(r#"{"m":"n","m":"n"}"#));
        check(r#"{"a":{"m":1}}"#, None);
        check("[]", None);
    }
}
