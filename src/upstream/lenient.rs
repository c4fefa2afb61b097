//! Reads what upstream writes in varying forms: numbers as strings, empty values for "absent", times in seconds.

use std::time::Duration;

use http::HeaderMap;
use serde_json::{Map, Value};

use crate::pool::At;

/// No limit lasts longer; a longer one is an error.
const YEAR: Duration = Duration::from_secs(366 * 86_400);

/// Members of JSON objects with their expected type. Anything else counts as absent, also the empty string.
pub(super) trait Lenient {
    fn text(&self, name: &str) -> Option<&str>;
    /// A finite number, also as a string.
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

/// Returns the value of a header, unless it is empty or not text.
pub(super) fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty()).then_some(value)
}

pub(super) fn header_number(headers: &HeaderMap, name: &str) -> Option<f64> {
    parse_number(header(headers, name)?)
}

/// Returns the latest plausible time: in the future, and at most 366 days away.
pub(super) fn later_credible(times: impl IntoIterator<Item = Option<At>>, now: At) -> Option<At> {
    times.into_iter().flatten().filter(|at| *at > now && at.since(now) <= YEAR).max()
}

/// Returns this many seconds from `now`; `None` for a number that is not positive or too large for a clock.
pub(super) fn at_after(seconds: f64, now: At) -> Option<At> {
    let within = (0.0..=YEAR.as_secs_f64()).contains(&seconds) && seconds > 0.0;
    within.then(|| now + Duration::from_secs_f64(seconds))
}

/// Returns the headers inside an error frame, wherever they are: an object, or a list of pairs.
pub(super) fn headers_of_event(event: &Value) -> Option<HeaderMap> {
    let response = event.get("response");
    let places = [Some(event), event.get("error"), response, response.and_then(|it| it.get("error"))];
    let mut found = places.into_iter().flatten().filter_map(|place| place.get("headers"));
    found.find_map(|headers| match headers {
        Value::Object(object) => Some(headers_from_json(object)),
        Value::Array(pairs) => {
            let pairs = pairs.iter().filter_map(|pair| {
                let pair = pair.as_array()?;
                Some((pair.first()?.as_str()?.to_owned(), pair.get(1)?.clone()))
            });
            Some(headers_from_json(&pairs.collect()))
        }
        _ => None,
    })
}

/// Headers in an event: a JSON object with names in any case.
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

/// Seconds since the Unix epoch. Values that can only be milliseconds count as milliseconds.
pub(super) fn at_from_unix(seconds: f64) -> Option<At> {
    const YEAR_5138_IN_SECONDS: f64 = 1e11;
    let millis = if seconds >= YEAR_5138_IN_SECONDS { seconds } else { seconds * 1000.0 };
    (millis >= 1.0).then_some(At(millis as i64))
}

fn parse_number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}
