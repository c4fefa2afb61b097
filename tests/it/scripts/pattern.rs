//! JSON with holes, as in scripts: `…` for anything, `«name»` for a value that is bound at its first occurrence and
//! must be the same from then on, `«~3600s»` for a time about an hour from now in milliseconds. Sent messages may also
//! have `«x*70000»` for that many of one character.

use std::collections::BTreeMap;

use serde_json::Value;

/// The values of the names.
pub type Names = BTreeMap<String, Value>;

/// How much a time may differ from the written one.
const NEAR_MS: i64 = 15_000;

#[derive(Clone, Debug)]
pub struct Pattern(Value);

impl Pattern {
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(&as_json(text)).map(Pattern).map_err(|error| format!("no pattern: {error}"))
    }

    /// Returns the value at a path of member names, when the pattern holds it directly or as a bound name.
    pub fn known(&self, path: &[&str], names: &Names) -> Option<Value> {
        let value = path.iter().try_fold(&self.0, |value, name| value.get(name))?;
        match value.as_str().and_then(hole) {
            Some(name) => names.get(name).cloned(),
            None if value.as_str() == Some("…") => None,
            None => Some(value.clone()),
        }
    }

    /// Binds names when all of `got` matches; otherwise returns where it does not.
    pub fn matches(&self, got: &Value, names: &mut Names, now_ms: i64) -> Result<(), String> {
        let mut bound = names.clone();
        fits(&self.0, got, &mut bound, now_ms, "$")?;
        *names = bound;
        Ok(())
    }
}

/// Returns the text of a message to send, with every hole filled.
pub fn filled(text: &str, names: &Names, now_ms: i64) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    let mut in_string = false;
    while let Some((before, name, after)) = next_hole(rest) {
        for (at, unit) in before.char_indices() {
            if unit == '"' && !before[..at].ends_with('\\') {
                in_string = !in_string;
            }
        }
        out.push_str(before);
        let value = match (relative(name), repeated(name)) {
            (Some(offset), _) => (now_ms + offset).into(),
            (None, Some(text)) => text.into(),
            (None, None) => names.get(name).ok_or_else(|| format!("«{name}» is not bound"))?.clone(),
        };
        match value.as_str() {
            Some(text) if in_string => out.push_str(text),
            _ => out.push_str(&value.to_string()),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn fits(pattern: &Value, got: &Value, names: &mut Names, now_ms: i64, path: &str) -> Result<(), String> {
    match (pattern, got) {
        (Value::Object(expected), Value::Object(members)) => {
            for (name, pattern) in expected.iter().filter(|(name, _)| *name != "…") {
                let path = format!("{path}.{name}");
                let got = members.get(name).ok_or_else(|| format!("{path} is missing"))?;
                fits(pattern, got, names, now_ms, &path)?;
            }
            match members.keys().find(|name| !expected.contains_key(*name)) {
                Some(name) if !expected.contains_key("…") => {
                    Err(format!("{path}.{name} is there, being {}", members[name]))
                }
                _ => Ok(()),
            }
        }
        (Value::Array(expected), Value::Array(elements)) => {
            let open = expected.last().is_some_and(|last| last == "…");
            let expected = if open { &expected[..expected.len() - 1] } else { &expected[..] };
            if elements.len() < expected.len() || (!open && elements.len() > expected.len()) {
                return Err(format!("{path} has {} elements, not {}", elements.len(), expected.len()));
            }
            let mut pairs = expected.iter().zip(elements).enumerate();
            pairs.try_for_each(|(at, (pattern, got))| {
                fits(pattern, got, names, now_ms, &format!("{path}[{at}]"))
            })
        }
        (Value::String(text), got) if text == "…" => {
            let _anything = got;
            Ok(())
        }
        (Value::String(text), got) if hole(text).is_some() => {
            let name = hole(text).unwrap_or_default();
            if let Some(offset) = relative(name) {
                let off = got.as_i64().map(|at| at - now_ms - offset);
                return match off {
                    Some(off) if off.abs() <= NEAR_MS => Ok(()),
                    _ => Err(format!("{path} is {got}, not near {}", now_ms + offset)),
                };
            }
            match names.get(name) {
                Some(bound) if bound == got => Ok(()),
                Some(bound) => Err(format!("{path} is {got}, not {bound} as «{name}» was")),
                None => {
                    names.insert(name.to_owned(), got.clone());
                    Ok(())
                }
            }
        }
        (Value::String(text), Value::String(got)) if text.contains('…') => {
            let fits = globs(text, got);
            fits.then_some(()).ok_or_else(|| format!("{path} is {got:?}, not like {text:?}"))
        }
        (expected, got) if expected == got => Ok(()),
        (expected, got) => Err(format!("{path} is {got}, not {expected}")),
    }
}

fn globs(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty()
}

/// Returns the name in a string that is only `«name»`.
fn hole(text: &str) -> Option<&str> {
    let name = text.strip_prefix('«')?.strip_suffix('»')?;
    (!name.contains('«')).then_some(name)
}

/// Returns the milliseconds of `~3600s`.
fn relative(name: &str) -> Option<i64> {
    let seconds: f64 = name.strip_prefix('~')?.strip_suffix('s')?.parse().ok()?;
    Some((seconds * 1000.0) as i64)
}

/// Returns the text of `x*3`.
fn repeated(name: &str) -> Option<String> {
    let (unit, count) = name.split_once('*')?;
    Some(unit.repeat(count.parse().ok()?))
}

fn next_hole(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('«')?;
    let (name, after) = rest.split_once('»')?;
    Some((before, name, after))
}

/// Puts bare holes into quotes, and gives a value to a `…` among the members of an object.
fn as_json(text: &str) -> String {
    let mut out = String::new();
    let mut containers = Vec::new();
    let mut units = text.chars();
    let mut in_string = false;
    while let Some(unit) = units.next() {
        match unit {
            '\\' if in_string => {
                out.push(unit);
                out.extend(units.next());
                continue;
            }
            '"' => in_string = !in_string,
            '{' | '[' if !in_string => containers.push(unit),
            '}' | ']' if !in_string => {
                containers.pop();
            }
            '…' if !in_string => {
                let is_member = containers.last() == Some(&'{') && out.trim_end().ends_with(['{', ',']);
                out.push_str(if is_member { "\"…\":0" } else { "\"…\"" });
                continue;
            }
            '«' if !in_string => {
                let name: String = units.by_ref().take_while(|unit| *unit != '»').collect();
                out.push_str(&format!("\"«{name}»\""));
                continue;
            }
            _ => {}
        }
        out.push(unit);
    }
    out
}

#[test]
fn patterns_fit_what_they_say() {
    fn check(pattern: &str, got: &str, expected: Result<(), &str>) {
        let mut names = Names::from([("ada".to_owned(), "acc_1".into())]);
        let got = serde_json::from_str(got).expect("JSON");
        let result = Pattern::parse(pattern).and_then(|pattern| pattern.matches(&got, &mut names, 1_000_000));
        assert_eq!(result, expected.map_err(str::to_owned), "{pattern}");
    }
    check(r#"{"a":1}"#, r#"{"a":1}"#, Ok(()));
    check(r#"{"a":1}"#, r#"{"a":1,"b":2}"#, Err("$.b is there, being 2"));
    check(r#"{"a":1,…}"#, r#"{"a":1,"b":2}"#, Ok(()));
    check(r#"{…}"#, r#"{"b":2}"#, Ok(()));
    check(r#"{"a":…}"#, r#"{"a":{"b":2}}"#, Ok(()));
    check(r#"{"a":…}"#, r#"{}"#, Err("$.a is missing"));
    check("[1,…]", "[1,2,3]", Ok(()));
    check("[1]", "[1,2]", Err("$ has 2 elements, not 1"));
    check("[1,2,…]", "[1]", Err("$ has 1 elements, not 2"));
    check(r#""one … three""#, r#""one two three""#, Ok(()));
    check(r#""one … three""#, r#""one three""#, Err(r#"$ is "one three", not like "one … three""#));
    check(r#"{"a":"«ada»"}"#, r#"{"a":"acc_1"}"#, Ok(()));
    check(r#"{"a":«ada»}"#, r#"{"a":"acc_2"}"#, Err("$.a is \"acc_2\", not \"acc_1\" as «ada» was"));
    check("[«x»,«x»]", "[[1],[1]]", Ok(()));
    check("[«x»,«x»]", "[1,2]", Err("$[1] is 2, not 1 as «x» was"));
    check("«~60s»", "1055000", Ok(()));
    check("«~60s»", "1100000", Err("$ is 1100000, not near 1060000"));
    check(r#"{"a":"\"…"}"#, r#"{"a":"\"quoted"}"#, Ok(()));
    assert!(Pattern::parse("{").is_err());
}

#[test]
fn holes_are_filled_in_what_is_sent() {
    let names = Names::from([("ada".to_owned(), "acc_1".into()), ("n".to_owned(), 7.into())]);
    let check = |text: &str, expected: Result<&str, &str>| {
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(filled(text, &names, 1_000_000), expected);
    };
    check(r#"{"a":"«ada»","b":«ada»,"c":«n»,"d":"«n»"}"#, Ok(r#"{"a":"acc_1","b":"acc_1","c":7,"d":"7"}"#));
    check(r#"{"until":«~60s»}"#, Ok(r#"{"until":1060000}"#));
    check(r#"{"a":"«x*3»"}"#, Ok(r#"{"a":"xxx"}"#));
    check("«bob»", Err("«bob» is not bound"));
    check("{not json", Ok("{not json"));
}
