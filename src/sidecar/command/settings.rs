//! The arguments of `footer` and `rotation`: `name value` or `name=value`, repeated. The names are those of the
//! protocol, without regard to case and hyphens.

use serde_json::{Map, Value, json};

use super::line::ParseError;
use super::nearest::nearest;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) takes: Values,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    OneOf(&'static [&'static str]),
    Switch,
    Number,
    /// Milliseconds, or with a unit: `90s`, `30m`, `2h`, `1d`.
    Time,
    /// An account and a number, as two words.
    OfAccount,
}

pub(crate) const SWITCH: &[&str] = &["on", "off"];

pub(crate) const FOOTER: &[Setting] = &[
    Setting { name: "usageMode", takes: Values::OneOf(&["left", "used"]) },
    Setting { name: "resetWindow", takes: Values::OneOf(&["5h", "7d", "both"]) },
    Setting { name: "showAccount", takes: Values::Switch },
    Setting { name: "showReset", takes: Values::Switch },
    Setting { name: "order", takes: Values::OneOf(&["account-first", "usage-first"]) },
];

pub(crate) const ROTATION: &[Setting] = &[
    Setting {
        name: "strategy",
        takes: Values::OneOf(&["reset-first", "least-used", "round-robin", "priority"]),
    },
    Setting { name: "affinity", takes: Values::OneOf(&["session", "none"]) },
    Setting { name: "transport", takes: Values::OneOf(&["auto", "sse", "websocket"]) },
    Setting { name: "maxAttempts", takes: Values::Number },
    Setting { name: "fallbackCooldownMs", takes: Values::Time },
    Setting { name: "reservePercent", takes: Values::Number },
    Setting { name: "waitForResetMs", takes: Values::Time },
    Setting { name: "reserve", takes: Values::OneOf(&["never", "luna", "any"]) },
    Setting { name: "resetCredits", takes: Values::OneOf(&["never", "when-dry"]) },
    Setting { name: "priority", takes: Values::OfAccount },
];

pub(crate) fn find(settings: &'static [Setting], name: &str) -> Option<&'static Setting> {
    let plain = |name: &str| name.replace(['-', '_'], "").to_lowercase();
    let asked = plain(name);
    // `waitForReset` is a duration, although its name on the wire differs.
    settings
        .iter()
        .find(|setting| plain(setting.name) == asked || plain(setting.name) == format!("{asked}ms"))
}

/// Returns the members of the requested change.
pub(crate) fn read(
    settings: &'static [Setting],
    words: impl Iterator<Item = String>,
) -> Result<Map<String, Value>, ParseError> {
    let mut words = words.flat_map(|word| match word.split_once('=') {
        Some((name, value)) => vec![name.to_owned(), value.to_owned()],
        None => vec![word],
    });
    let mut change = Map::new();
    while let Some(name) = words.next() {
        let names = || settings.iter().map(|setting| setting.name);
        let Some(setting) = find(settings, &name) else {
            return Err(ParseError {
                message: match nearest(&name, names()) {
                    Some(near) => format!("unknown setting \"{name}\"; did you mean {near}?"),
                    None => format!("unknown setting \"{name}\""),
                },
                hint: format!("there are {}", names().collect::<Vec<_>>().join(", ")),
            });
        };
        let Some(word) = words.next() else {
            return Err(ParseError {
                message: format!("{} lacks its value", setting.name),
                hint: wants(setting),
            });
        };
        let value = match setting.takes {
            Values::OneOf(choices) => {
                choices.iter().find(|it| it.eq_ignore_ascii_case(&word)).map(|it| json!(it))
            }
            Values::Switch => switch(&word).map(Value::from),
            Values::Number => number(&word),
            Values::Time => time(&word).map(Value::from),
            Values::OfAccount => {
                let level = words.next().and_then(|level| number(&level));
                level.map(|level| json!([{"account": word.as_str(), "priority": level}]))
            }
        };
        let Some(value) = value else {
            return Err(ParseError {
                message: format!("\"{word}\" is no value of {}", setting.name),
                hint: wants(setting),
            });
        };
        match (change.get_mut(setting.name).and_then(Value::as_array_mut), value) {
            (Some(list), Value::Array(more)) => list.extend(more),
            (_, value) => {
                change.insert(setting.name.to_owned(), value);
            }
        }
    }
    Ok(change)
}

fn wants(setting: &Setting) -> String {
    match setting.takes {
        Values::OneOf(choices) => format!("{} takes {}", setting.name, choices.join(", ")),
        Values::Switch => format!("{} takes on or off", setting.name),
        Values::Number => format!("{} takes a number", setting.name),
        Values::Time => format!("{} takes milliseconds, or a time like 90s, 30m, 2h", setting.name),
        Values::OfAccount => format!("{} takes an account and a number from -100 to 100", setting.name),
    }
}

fn switch(word: &str) -> Option<bool> {
    match word.to_lowercase().as_str() {
        "on" | "yes" | "true" => Some(true),
        "off" | "no" | "false" => Some(false),
        _ => None,
    }
}

fn number(word: &str) -> Option<Value> {
    match word.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => word.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number),
    }
}

fn time(word: &str) -> Option<u64> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &word[digits.len()..] {
        "" | "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(settings: &'static [Setting], line: &str, expected: Result<&str, &str>) {
        let words = line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned);
        let told = read(settings, words).map(|change| Value::Object(change).to_string());
        let told = told.as_deref().map_err(|mistake| mistake.message.as_str());
        assert_eq!(told, expected, "{line}");
    }

    #[test]
    fn settings_are_read_by_name_in_the_form_the_protocol_wants() {
        check(FOOTER, "", Ok("{}"));
        check(FOOTER, "usageMode used", Ok(r#"{"usageMode":"used"}"#));
        check(FOOTER, "usage-mode=LEFT showreset off", Ok(r#"{"showReset":false,"usageMode":"left"}"#));
        check(ROTATION, "strategy round-robin", Ok(r#"{"strategy":"round-robin"}"#));
        check(ROTATION, "maxAttempts 3 reservePercent 2.5", Ok(r#"{"maxAttempts":3,"reservePercent":2.5}"#));
        check(ROTATION, "waitForReset 30m", Ok(r#"{"waitForResetMs":1800000}"#));
        check(
            ROTATION,
            "reserve luna reset-credits when-dry",
            Ok(r#"{"reserve":"luna","resetCredits":"when-dry"}"#),
        );
        check(ROTATION, "fallbackCooldownMs 1500", Ok(r#"{"fallbackCooldownMs":1500}"#));
        check(
            ROTATION,
            "priority ada 5 priority bob -1",
            Ok(r#"{"priority":[{"account":"ada","priority":5},{"account":"bob","priority":-1}]}"#),
        );
    }

    #[test]
    fn a_mistake_names_the_setting() {
        check(FOOTER, "usagemod used", Err("unknown setting \"usagemod\"; did you mean usageMode?"));
        check(FOOTER, "colour red", Err("unknown setting \"colour\""));
        check(FOOTER, "order", Err("order lacks its value"));
        check(FOOTER, "showReset maybe", Err("\"maybe\" is no value of showReset"));
        check(ROTATION, "waitForResetMs 3x", Err("\"3x\" is no value of waitForResetMs"));
        check(
            ROTATION,
            "waitForResetMs 99999999999999999999d",
            Err("\"99999999999999999999d\" is no value of waitForResetMs"),
        );
        check(ROTATION, "priority ada", Err("\"ada\" is no value of priority"));
        check(ROTATION, "maxAttempts NaN", Err("\"NaN\" is no value of maxAttempts"));
    }
}
