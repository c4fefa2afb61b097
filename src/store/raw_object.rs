//! A JSON object as someone else wrote it: the order of its members and the spelling of their values survive.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Members in order. Of a name that comes twice the last counts, as for JavaScript, and both are kept.
#[derive(Clone, Debug, Default)]
pub(super) struct RawObject {
    members: Vec<(String, Box<RawValue>)>,
}

impl RawObject {
    pub(super) fn get(&self, name: &str) -> Option<&RawValue> {
        self.members.iter().rev().find(|(member, _)| member == name).map(|(_, value)| &**value)
    }

    /// The value when it is of type `T`; a value of another type is as good as none.
    pub(super) fn read<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Option<T> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    /// Puts a value in place of the last of that name, or at the end. Says whether that changed anything.
    pub(super) fn set(&mut self, name: &str, value: &serde_json::Value) -> bool {
        let Ok(value) = serde_json::value::to_raw_value(value) else { return false };
        match self.members.iter_mut().rev().find(|(member, _)| member == name) {
            Some((_, held)) if held.get() == value.get() => return false,
            Some((_, held)) => *held = value,
            None => self.members.push((name.to_owned(), value)),
        }
        true
    }

    /// As [`RawObject::set`], for a text that is known to be JSON.
    pub(super) fn set_raw(&mut self, name: &str, json: String) {
        let Ok(value) = RawValue::from_string(json) else { return };
        match self.members.iter_mut().rev().find(|(member, _)| member == name) {
            Some((_, held)) => *held = value,
            None => self.members.push((name.to_owned(), value)),
        }
    }

    pub(super) fn remove(&mut self, name: &str) -> bool {
        let before = self.members.len();
        self.members.retain(|(member, _)| member != name);
        self.members.len() != before
    }

    /// As `JSON.stringify(value, null, 2)` would lay it out at this depth, but for the values, which stay as they are.
    pub(super) fn write_pretty(&self, depth: usize, out: &mut String) {
        if self.members.is_empty() {
            out.push_str("{}");
            return;
        }
        out.push('{');
        for (i, (name, value)) in self.members.iter().enumerate() {
            out.push_str(if i == 0 { "\n" } else { ",\n" });
            indent(depth + 1, out);
            out.push_str(&serde_json::Value::String(name.clone()).to_string());
            out.push_str(": ");
            out.push_str(value.get());
        }
        out.push('\n');
        indent(depth, out);
        out.push('}');
    }
}

pub(super) fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = RawObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawObject, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(RawObject { members })
            }
        }

        deserializer.deserialize_map(Members)
    }
}
