//! Parses a line after `/multicodex`. It knows the commands and their forms, and no account.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::family::{ArgKind, COMMANDS, CommandSpec, member};
use super::nearest::nearest;
use super::settings::{self, SettingGroup};
use crate::protocol::{FooterChange, ResetScope, RotationChange};
use crate::sidecar::words::words;

const NAME: &str = "/multicodex";
/// Without it nothing is redeemed.
pub(crate) const CONFIRM: &str = "confirm";
const DEFAULT_HISTORY: u32 = 20;
const MAX_HISTORY: u32 = 1000;

#[derive(Debug)]
pub(crate) enum Line {
    Accounts,
    Use(String),
    Show(Option<String>),
    /// One account, or all.
    Refresh(Option<String>),
    Login(Option<String>),
    Reauth(Option<String>),
    /// `None` to show them only.
    Footer(FooterChange),
    Rotation(RotationChange),
    Verify {
        online: bool,
    },
    History(u32),
    Stats,
    Path,
    Reset(ResetScope),
    ResetCredit {
        account: String,
        confirmed: bool,
    },
    Help(Option<&'static CommandSpec>),
}

/// A line that is not a valid command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParseError {
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; {}", self.message, self.hint)
    }
}

/// Reads `name value` or `name=value` words as `/multicodex footer` does.
///
/// # Errors
///
/// Describes the first wrong word, and the valid ones.
pub fn footer_change(words: Vec<String>) -> Result<FooterChange, String> {
    read_change(SettingGroup::Footer, words)
}

/// As [`footer_change`], for `/multicodex rotation`.
///
/// # Errors
///
/// As [`footer_change`].
pub fn rotation_change(words: Vec<String>) -> Result<RotationChange, String> {
    read_change(SettingGroup::Rotation, words)
}

fn read_change<T: DeserializeOwned>(group: SettingGroup, words: Vec<String>) -> Result<T, String> {
    settings::read(group, words.into_iter()).and_then(change).map_err(|mistake| mistake.to_string())
}

/// Returns the line without a leading `/multicodex`.
pub(crate) fn after_the_name(line: &str) -> &str {
    let named = line.trim_start().strip_prefix(NAME);
    named.filter(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)).unwrap_or(line)
}

pub(crate) fn read(line: &str) -> Result<Line, ParseError> {
    let mut words = words(after_the_name(line)).into_iter().map(|word| word.text);
    let Some(word) = words.next() else { return Ok(Line::Help(None)) };
    let Some(member) = member(&word) else { return Err(unknown("command", &word, names(), "help")) };
    match member.takes {
        ArgKind::Settings(group @ SettingGroup::Footer) => {
            return change(settings::read(group, words)?).map(Line::Footer);
        }
        ArgKind::Settings(group @ SettingGroup::Rotation) => {
            return change(settings::read(group, words)?).map(Line::Rotation);
        }
        ArgKind::AccountAndConfirm => return reset_credit(member, words),
        _ => {}
    }
    let argument = words.next().filter(|argument| !argument.is_empty());
    if let Some(more) = words.next() {
        return Err(ParseError {
            message: format!("\"{more}\" is one word too many"),
            hint: format!("{}; a name with spaces goes in quotes", form(member)),
        });
    }
    let account = argument.clone();
    Ok(match (member.word, argument.as_deref()) {
        ("accounts" | "use", None) => Line::Accounts,
        ("accounts" | "use", Some(account)) => Line::Use(account.to_owned()),
        ("show", _) => Line::Show(account),
        ("refresh", _) => Line::Refresh(account),
        ("login", _) => Line::Login(account),
        ("reauth", _) => Line::Reauth(account),
        ("verify", None) => Line::Verify { online: false },
        ("verify", Some(_)) => {
            one_of(member, account)?;
            Line::Verify { online: true }
        }
        ("history", None) => Line::History(DEFAULT_HISTORY),
        ("history", Some(count)) => match count.parse() {
            Ok(count @ 1..=MAX_HISTORY) => Line::History(count),
            _ => {
                return Err(ParseError {
                    message: format!("\"{count}\" is not a number from 1 to {MAX_HISTORY}"),
                    hint: form(member),
                });
            }
        },
        ("reset", _) => Line::Reset(match one_of(member, account)? {
            Some("manual") => ResetScope::Manual,
            Some("quota") => ResetScope::Quota,
            _ => ResetScope::All,
        }),
        ("help", None) => Line::Help(None),
        ("help", Some(word)) => match self::member(word) {
            Some(member) => Line::Help(Some(member)),
            None => return Err(unknown("command", word, names(), "help")),
        },
        (_, Some(more)) => {
            return Err(ParseError {
                message: format!("\"{more}\" is one word too many"),
                hint: form(member),
            });
        }
        ("stats", None) => Line::Stats,
        _ => Line::Path,
    })
}

fn reset_credit(
    member: &'static CommandSpec,
    mut words: impl Iterator<Item = String>,
) -> Result<Line, ParseError> {
    let Some(account) = words.next().filter(|account| !account.is_empty()) else {
        return Err(ParseError { message: "an account is missing".to_owned(), hint: form(member) });
    };
    let confirmed = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case(CONFIRM) => true,
        Some(word) => return Err(unknown(member.word, &word, std::iter::once(CONFIRM), "help reset-credit")),
    };
    match words.next() {
        None => Ok(Line::ResetCredit { account, confirmed }),
        Some(more) => {
            Err(ParseError { message: format!("\"{more}\" is one word too many"), hint: form(member) })
        }
    }
}

/// The result of a reset as text.
pub(crate) fn of_scope(scope: ResetScope, pin: String, cooldowns: String) -> Vec<String> {
    match scope {
        ResetScope::Manual => vec![pin],
        ResetScope::Quota => vec![cooldowns],
        ResetScope::All => vec![pin, cooldowns],
    }
}

fn one_of(
    member: &'static CommandSpec,
    argument: Option<String>,
) -> Result<Option<&'static str>, ParseError> {
    let (Some(argument), ArgKind::OneOf(choices)) = (argument, member.takes) else { return Ok(None) };
    let asked = argument.trim_start_matches("--");
    match choices.iter().find(|choice| choice.eq_ignore_ascii_case(asked)) {
        Some(choice) => Ok(Some(choice)),
        None => Err(ParseError {
            hint: form(member),
            ..unknown(member.word, &argument, choices.iter().copied(), member.word)
        }),
    }
}

/// The table of settings and the protocol's types agree, so only a number out of its range can be wrong.
fn change<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, ParseError> {
    serde_json::from_value(Value::Object(members)).map_err(|error| ParseError {
        message: format!("that cannot be set: {error}"),
        hint: "see /multicodex help".to_owned(),
    })
}

fn unknown<'a>(what: &str, typed: &str, candidates: impl Iterator<Item = &'a str>, see: &str) -> ParseError {
    let message = match nearest(typed, candidates) {
        Some(near) => format!("unknown {what} \"{typed}\"; did you mean {near}?"),
        None => format!("unknown {what} \"{typed}\""),
    };
    ParseError { message, hint: format!("see /multicodex {see}") }
}

fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|member| member.word)
}

fn form(member: &CommandSpec) -> String {
    format!("the form is /multicodex {}", member.form)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(line: &str, expected: &str) {
        assert_eq!(format!("{:?}", read(line).unwrap()), expected, "{line}");
    }

    #[test]
    fn every_word_is_understood_with_and_without_what_may_follow() {
        check("accounts", "Accounts");
        check("accounts ada", r#"Use("ada")"#);
        check("use", "Accounts");
        check("use \"Ada at work\"", r#"Use("Ada at work")"#);
        check("  /multicodex   use ada ", r#"Use("ada")"#);
        check("/multicodex USE ada", r#"Use("ada")"#);
        check("show", "Show(None)");
        check("show ada", r#"Show(Some("ada"))"#);
        check("refresh", "Refresh(None)");
        check("refresh all", r#"Refresh(Some("all"))"#);
        check("login", "Login(None)");
        check("reauth ada", r#"Reauth(Some("ada"))"#);
        check(
            "footer usageMode=used",
            "Footer(FooterChange { usage_mode: Some(Used), reset_window: None, show_account: None, show_reset: None, order: None })",
        );
        check("verify", "Verify { online: false }");
        check("verify online", "Verify { online: true }");
        check("verify --online", "Verify { online: true }");
        check("history", "History(20)");
        check("history 5", "History(5)");
        check("stats", "Stats");
        check("path", "Path");
        check("reset", "Reset(All)");
        check("reset Quota", "Reset(Quota)");
        check("reset manual", "Reset(Manual)");
        check("reset-credit ada", r#"ResetCredit { account: "ada", confirmed: false }"#);
        check(
            "reset-credit \"Ada at work\" Confirm",
            r#"ResetCredit { account: "Ada at work", confirmed: true }"#,
        );
        check("help", "Help(None)");
        check("", "Help(None)");
        check("/multicodex", "Help(None)");
    }

    #[test]
    fn a_mistake_says_what_was_meant_or_how_it_is_done() {
        fn check(line: &str, message: &str, hint: &str) {
            let mistake = read(line).unwrap_err();
            assert_eq!((mistake.message.as_str(), mistake.hint.as_str()), (message, hint), "{line}");
        }
        check("verfiy", "unknown command \"verfiy\"; did you mean verify?", "see /multicodex help");
        check("/multicodexes", "unknown command \"/multicodexes\"", "see /multicodex help");
        check(
            "reset quotas",
            "unknown reset \"quotas\"; did you mean quota?",
            "the form is /multicodex reset [manual|quota|all]",
        );
        check("stats now", "\"now\" is one word too many", "the form is /multicodex stats");
        check(
            "use ada lovelace",
            "\"lovelace\" is one word too many",
            "the form is /multicodex use [account]; a name with spaces goes in quotes",
        );
        check("history 0", "\"0\" is not a number from 1 to 1000", "the form is /multicodex history [n]");
        check(
            "rotation stratgy priority",
            "unknown setting \"stratgy\"; did you mean strategy?",
            "there are strategy, affinity, transport, maxAttempts, fallbackCooldownMs, reservePercent, waitForResetMs, reserve, resetCredits, priority",
        );
        check(
            "rotation maxAttempts -1",
            "that cannot be set: invalid value: integer `-1`, expected u32",
            "see /multicodex help",
        );
        check("reset-credit", "an account is missing", "the form is /multicodex reset-credit account");
        check(
            "reset-credit ada comfirm",
            "unknown reset-credit \"comfirm\"; did you mean confirm?",
            "see /multicodex help reset-credit",
        );
        check(
            "reset-credit ada confirm now",
            "\"now\" is one word too many",
            "the form is /multicodex reset-credit account",
        );
        check("help me", "unknown command \"me\"", "see /multicodex help");
    }

    proptest! {
        #[test]
        fn any_line_is_understood_or_a_mistake(line in "\\PC{0,40}") {
            let _ = read(&line);
        }
    }
}
