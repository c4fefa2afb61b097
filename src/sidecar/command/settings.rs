//! The arguments of `footer` and `rotation`: `name value` or `name=value`, repeated. The names are those of the
//! protocol, without regard to case and hyphens.

use serde_json::{Map, Value, json};

use super::line::ParseError;
use super::nearest::nearest;
use crate::pool::{FOOTER_SETTINGS, ROTATION_SETTINGS, SettingKind, SettingSpec};

/// A setting of either group, without the group's type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) kind: SettingKind,
}

/// The settings of one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SettingGroup {
    Footer,
    Rotation,
}

pub(crate) const SWITCH: &[&str] = &["on", "off"];

impl SettingGroup {
    pub(crate) fn settings(self) -> Vec<Setting> {
        match self {
            SettingGroup::Footer => settings_of(FOOTER_SETTINGS),
            SettingGroup::Rotation => settings_of(ROTATION_SETTINGS),
        }
    }

    pub(crate) fn find(self, name: &str) -> Option<Setting> {
        let plain = |name: &str| name.replace(['-', '_'], "").to_lowercase();
        let asked = plain(name);
        // `waitForReset` is a duration, although its name on the wire differs.
        let is_named =
            |setting: &Setting| [asked.clone(), format!("{asked}ms")].contains(&plain(setting.name));
        self.settings().into_iter().find(is_named)
    }
}

fn settings_of<S>(specs: &[SettingSpec<S>]) -> Vec<Setting> {
    specs.iter().map(|spec| Setting { name: spec.name, kind: spec.kind }).collect()
}

/// Returns the members of the requested change.
pub(crate) fn read(
    group: SettingGroup,
    words: impl Iterator<Item = String>,
) -> Result<Map<String, Value>, ParseError> {
    let mut words = words.flat_map(|word| match word.split_once('=') {
        Some((name, value)) => vec![name.to_owned(), value.to_owned()],
        None => vec![word],
    });
    let mut change = Map::new();
    while let Some(name) = words.next() {
        let Some(setting) = group.find(&name) else {
            let names: Vec<_> = group.settings().iter().map(|setting| setting.name).collect();
            return Err(ParseError {
                message: match nearest(&name, names.iter().copied()) {
                    Some(near) => format!("unknown setting \"{name}\"; did you mean {near}?"),
                    None => format!("unknown setting \"{name}\""),
                },
                hint: format!("there are {}", names.join(", ")),
            });
        };
        let Some(word) = words.next() else {
            return Err(ParseError {
                message: format!("{} lacks its value", setting.name),
                hint: wants(&setting),
            });
        };
        let value = match setting.kind {
            SettingKind::OneOf(choices) => {
                choices.iter().find(|it| it.eq_ignore_ascii_case(&word)).map(|it| json!(it))
            }
            SettingKind::Switch => switch(&word).map(Value::from),
            SettingKind::Whole { .. } | SettingKind::Number { .. } => number(&word),
            SettingKind::Millis { .. } => time(&word).map(Value::from),
            SettingKind::PerAccount { .. } => {
                let level = words.next().and_then(|level| number(&level));
                level.map(|level| json!([{"account": word.as_str(), "priority": level}]))
            }
        };
        let Some(value) = value else {
            return Err(ParseError {
                message: format!("\"{word}\" is no value of {}", setting.name),
                hint: wants(&setting),
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
    match setting.kind {
        SettingKind::OneOf(choices) => format!("{} takes {}", setting.name, choices.join(", ")),
        SettingKind::Switch => format!("{} takes on or off", setting.name),
        SettingKind::Whole { .. } | SettingKind::Number { .. } => format!("{} takes a number", setting.name),
        SettingKind::Millis { .. } => {
            format!("{} takes milliseconds, or a time like 90s, 30m, 2h", setting.name)
        }
        SettingKind::PerAccount { min, max } => {
            format!("{} takes an account and a number from {min} to {max}", setting.name)
        }
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

    fn check(group: SettingGroup, line: &str, expected: Result<&str, &str>) {
        let words = line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned);
        let told = read(group, words).map(|change| Value::Object(change).to_string());
        let told = told.as_deref().map_err(|mistake| mistake.message.as_str());
        assert_eq!(told, expected, "{line}");
    }

    #[test]
    fn settings_are_read_by_name_in_the_form_the_protocol_wants() {
        check(SettingGroup::Footer, "", Ok("{}"));
        check(SettingGroup::Footer, "usageMode used", Ok(r#"{"usageMode":"used"}"#));
        check(
            SettingGroup::Footer,
            "usage-mode=LEFT showreset off",
            Ok(r#"{"showReset":false,"usageMode":"left"}"#),
        );
        check(SettingGroup::Rotation, "strategy round-robin", Ok(r#"{"strategy":"round-robin"}"#));
        check(
            SettingGroup::Rotation,
            "maxAttempts 3 reservePercent 2.5",
            Ok(r#"{"maxAttempts":3,"reservePercent":2.5}"#),
        );
        check(SettingGroup::Rotation, "waitForReset 30m", Ok(r#"{"waitForResetMs":1800000}"#));
        check(
            SettingGroup::Rotation,
            "reserve luna reset-credits when-dry",
            Ok(r#"{"reserve":"luna","resetCredits":"when-dry"}"#),
        );
        check(SettingGroup::Rotation, "fallbackCooldownMs 1500", Ok(r#"{"fallbackCooldownMs":1500}"#));
        check(
            SettingGroup::Rotation,
            "priority ada 5 priority bob -1",
            Ok(r#"{"priority":[{"account":"ada","priority":5},{"account":"bob","priority":-1}]}"#),
        );
    }

    #[test]
    fn a_mistake_names_the_setting() {
        check(
            SettingGroup::Footer,
            "usagemod used",
            Err("unknown setting \"usagemod\"; did you mean usageMode?"),
        );
        check(SettingGroup::Footer, "colour red", Err("unknown setting \"colour\""));
        check(SettingGroup::Footer, "order", Err("order lacks its value"));
        check(SettingGroup::Footer, "showReset maybe", Err("\"maybe\" is no value of showReset"));
        check(SettingGroup::Rotation, "waitForResetMs 3x", Err("\"3x\" is no value of waitForResetMs"));
        check(
            SettingGroup::Rotation,
            "waitForResetMs 99999999999999999999d",
            Err("\"99999999999999999999d\" is no value of waitForResetMs"),
        );
        check(SettingGroup::Rotation, "priority ada", Err("\"ada\" is no value of priority"));
        check(SettingGroup::Rotation, "maxAttempts NaN", Err("\"NaN\" is no value of maxAttempts"));
    }
}
