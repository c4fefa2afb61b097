//! Deserializers for what clients write: an integer may be `60000.0`, and an empty array may stand for an empty object,
//! because PHP and Lua write one so.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// An optional integer. Refuses fractions and numbers that do not fit.
pub(super) fn integer<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: TryFrom<u64> + TypeName,
    D: Deserializer<'de>,
{
    deserializer.deserialize_any(Integer(PhantomData))
}

pub(super) trait TypeName {
    const NAME: &'static str;
}

impl TypeName for u32 {
    const NAME: &'static str = "u32";
}

impl TypeName for u64 {
    const NAME: &'static str = "u64";
}

struct Integer<T>(PhantomData<T>);

impl<T: TryFrom<u64> + TypeName> Visitor<'_> for Integer<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::NAME)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        let fits = T::try_from(number).map(Some);
        fits.map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        let positive =
            u64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))?;
        self.visit_u64(positive)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        // Above this value a float does not stand for one integer only.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if number.fract() == 0.0 && (0.0..=EXACT).contains(&number) {
            self.visit_u64(number as u64)
        } else {
            Err(E::invalid_value(Unexpected::Float(number), &self))
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// An optional object of strings.
pub(super) fn strings<'de, D>(deserializer: D) -> Result<Option<BTreeMap<String, String>>, D::Error>
where
    D: Deserializer<'de>,
{
    deserializer.deserialize_any(Strings)
}

struct Strings;

impl<'de> Visitor<'de> for Strings {
    type Value = Option<BTreeMap<String, String>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        BTreeMap::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Some)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        match seq.next_element::<serde::de::IgnoredAny>()? {
            None => Ok(Some(BTreeMap::new())),
            Some(_) => Err(A::Error::invalid_type(Unexpected::Seq, &self)),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Params {
        #[serde(default, deserialize_with = "integer")]
        ms: Option<u64>,
        #[serde(default, deserialize_with = "integer")]
        count: Option<u32>,
        #[serde(default, deserialize_with = "strings")]
        headers: Option<BTreeMap<String, String>>,
    }

    #[test]
    fn integers_are_taken_however_they_are_spelled() {
        let check = |text: &str, expected: Result<Option<u64>, &str>| {
            let read = serde_json::from_str::<Params>(&format!(r#"{{"ms":{text}}}"#));
            let read = read.map(|params| params.ms).map_err(|error| error.to_string());
            match (read, expected) {
                (Ok(read), Ok(expected)) => assert_eq!(read, expected, "{text}"),
                (Err(error), Err(part)) => assert!(error.contains(part), "{text}: {error}"),
                (read, _) => panic!("{text}: {read:?}"),
            }
        };
        check("60000", Ok(Some(60_000)));
        check("60000.0", Ok(Some(60_000)));
        check("6e4", Ok(Some(60_000)));
        check("0.0", Ok(Some(0)));
        check("null", Ok(None));
        check("1.5", Err("floating point `1.5`, expected u64"));
        check("-1", Err("integer `-1`, expected u64"));
        check("-1.0", Err("expected u64"));
        check("1e300", Err("expected u64"));
        check("\"1\"", Err("invalid type: string \"1\", expected u64"));
        assert!(serde_json::from_str::<Params>(r#"{"count":4294967296.0}"#).is_err());
    }

    #[test]
    fn an_empty_array_is_an_empty_object() {
        let read = |text: &str| serde_json::from_str::<Params>(text).map(|params| params.headers).ok();
        assert_eq!(read(r#"{"headers":[]}"#), Some(Some(BTreeMap::new())));
        assert_eq!(read(r#"{"headers":{}}"#), Some(Some(BTreeMap::new())));
        assert_eq!(read(r#"{"headers":null}"#), Some(None));
        assert_eq!(read("{}"), Some(None));
        assert_eq!(read(r#"{"headers":["a"]}"#), None);
        assert_eq!(read(r#"{"headers":{"a":1}}"#), None);
    }
}
