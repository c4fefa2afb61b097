//! Reading what upstream wrote loosely: numbers as strings, empty values that mean "absent", times in seconds.

use http::HeaderMap;
use serde_json::{Map, Value};

use crate::pool::At;

/// Members of JSON objects by what they should be. Anything else counts as absent, the empty string too.
pub(super) trait Lenient {
    fn text(&self, name: &str) -> Option<&str>;
    /// A finite number, also when spelled as a string.
    fn number(&self, name: &str) -> Option<f64>;
}

impl Lenient for Value {
    fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
    }

    fn number(&self, name: &str) -> Option<f64> {
        match self.get(name)? {
            Value::Number(number) => number.as_f64().filter(|number| number.is_finite()),
            Value::String(text) => parse_number(text),
            _ => None,
        }
    }
}

/// The value of a header, unless it is empty or not text.
pub(super) fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty()).then_some(value)
}

pub(super) fn header_number(headers: &HeaderMap, name: &str) -> Option<f64> {
    parse_number(header(headers, name)?)
}

/// Headers as some events carry them: a JSON object with names in any case.
pub(super) fn headers_from_json(object: &Map<String, Value>) -> HeaderMap {
    let pairs = object.iter().filter_map(|(name, value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return None,
        };
        Some((name.parse::<http::HeaderName>().ok()?, text.parse().ok()?))
    });
    pairs.collect()
}

/// Seconds since the Unix epoch; values that can only be milliseconds are taken for that.
pub(super) fn at_from_unix(seconds: f64) -> Option<At> {
    const YEAR_5138_IN_SECONDS: f64 = 1e11;
    let millis = if seconds >= YEAR_5138_IN_SECONDS { seconds } else { seconds * 1000.0 };
    (millis >= 1.0).then_some(At(millis as i64))
}

fn parse_number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}
