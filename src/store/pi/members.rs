//! A JSON object whose members keep their order and whose values keep their bytes, so that unknown members survive a
//! write. Nothing here decides which members are ours.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::pool::At;

/// `Debug` shows only names, because values may be tokens. If a name occurs twice, the last one counts, as in
/// JavaScript.
#[derive(Clone, Default)]
pub(crate) struct Members(Vec<(String, Box<RawValue>)>);

/// The value of a member, as far as these files need it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Field<T> {
    /// Absent or `null`.
    Absent,
    Present(T),
    /// There, with another type.
    WrongType,
}

impl Members {
    pub(crate) fn raw(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    pub(crate) fn string(&self, name: &str) -> Field<String> {
        self.field(name, |raw| serde_json::from_str(raw).ok())
    }

    pub(crate) fn boolean(&self, name: &str) -> Field<bool> {
        self.field(name, |raw| serde_json::from_str(raw).ok())
    }

    /// JavaScript writes every number as a double.
    pub(crate) fn number(&self, name: &str) -> Field<f64> {
        self.field(name, |raw| serde_json::from_str(raw).ok())
    }

    /// Milliseconds since the epoch, without fractions.
    pub(crate) fn time(&self, name: &str) -> Field<At> {
        match self.number(name) {
            // `as` saturates, which is good enough for a date after the year 292 million.
            Field::Present(millis) => Field::Present(At(millis as i64)),
            Field::Absent => Field::Absent,
            Field::WrongType => Field::WrongType,
        }
    }

    /// An existing member keeps its place, and its bytes when the values are equal.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<serde_json::Value>) {
        let value = value.into();
        let unchanged = self
            .raw(name)
            .and_then(|raw| serde_json::from_str::<serde_json::Value>(raw.get()).ok())
            .is_some_and(|known| known == value);
        if !unchanged {
            self.set_raw(name, raw_value(&value));
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    /// Puts a `null` before the member `next`, or at the end.
    pub(crate) fn insert_before(&mut self, next: &str, name: &str) {
        let place = self.0.iter().position(|(known, _)| known == next).unwrap_or(self.0.len());
        self.0.insert(place, (name.to_owned(), RawValue::NULL.to_owned()));
    }

    /// Keeps a place for a member whose value is written elsewhere.
    pub(crate) fn push_place(&mut self, name: String) {
        self.push(name, RawValue::NULL.to_owned());
    }

    pub(crate) fn push(&mut self, name: String, value: Box<RawValue>) {
        self.0.push((name, value));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), &**value))
    }

    fn field<T>(&self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Field<T> {
        match self.raw(name).map(RawValue::get) {
            None | Some("null") => Field::Absent,
            Some(raw) => parse(raw).map_or(Field::WrongType, Field::Present),
        }
    }

    fn set_raw(&mut self, name: &str, value: Box<RawValue>) {
        let Some(place) = self.0.iter().position(|(known, _)| known == name) else {
            self.push(name.to_owned(), value);
            return;
        };
        self.remove(name);
        self.0.insert(place, (name.to_owned(), value));
    }
}

#[expect(
    clippy::expect_used,
    reason = "a `Value` has string keys and finite numbers, so it always has a JSON text"
)]
fn raw_value(value: &serde_json::Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("a `Value` can be written")
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// An object with one member written again: in its place, or at the end when it is new.
pub(crate) struct WithMember<'a, T> {
    pub(crate) object: &'a Members,
    pub(crate) name: &'a str,
    pub(crate) value: &'a T,
}

impl<T: Serialize> Serialize for WithMember<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.object.iter() {
            if name == self.name {
                map.serialize_entry(name, self.value)?;
            } else {
                map.serialize_entry(name, value)?;
            }
        }
        if self.object.raw(self.name).is_none() {
            map.serialize_entry(self.name, self.value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members::default();
                while let Some((name, value)) = map.next_entry()? {
                    members.push(name, value);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn parse(text: &str) -> Members {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn values_keep_their_bytes_and_members_their_order() {
        fn check(text: &str) {
            assert_eq!(serde_json::to_string(&parse(text)).unwrap(), text);
        }
        check(r#"{"z":1.50,"a":1e400,"m":{"b" : [ 1,2 ]},"u":"\u00e9\ud800","n":-0.0}"#);
        check(r#"{"twice":1,"twice":2}"#);
        check("{}");
    }

    #[test]
    fn the_last_of_two_equal_names_counts() {
        let mut members = parse(r#"{"a":1,"b":2,"a":3}"#);
        assert_eq!(members.number("a"), Field::Present(3.0));
        members.set("a", 4);
        assert_eq!(serde_json::to_string(&members).unwrap(), r#"{"a":4,"b":2}"#);
    }

    #[test]
    fn setting_what_is_there_already_keeps_the_bytes() {
        let mut members = parse(r#"{"a":"\u0061","b":false}"#);
        members.set("a", "a");
        members.set("b", true);
        members.set("c", 3);
        assert_eq!(serde_json::to_string(&members).unwrap(), r#"{"a":"\u0061","b":true,"c":3}"#);
    }

    #[test]
    fn null_is_absent_and_another_type_is_told_apart() {
        let members = parse(r#"{"n":null,"s":"x","b":true,"f":1.5}"#);
        assert_eq!(members.string("n"), Field::Absent);
        assert_eq!(members.string("missing"), Field::Absent);
        assert_eq!(members.string("b"), Field::WrongType);
        assert_eq!(members.string("s"), Field::Present("x".to_owned()));
        assert_eq!(members.boolean("b"), Field::Present(true));
        assert_eq!(members.number("f"), Field::Present(1.5));
    }

    #[test]
    fn debug_shows_no_values() {
        assert_eq!(format!("{:?}", parse(r#"{"accessToken":"access-1"}"#)), r#"["accessToken"]"#);
    }
}
