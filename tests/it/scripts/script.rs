//! A parsed script: setup lines, `→` and `←`, and `=` lines that state what upstream received. `README.md` in
//! `tests/scripts` is the reference.

use std::path::Path;
use std::str::FromStr;

use multicodex::sim::{RequestEnd, Route, Rule, SimAccount, SimUsage, When};
use serde_json::{Value, json};

use crate::scripts::notation::normalized;
use crate::scripts::pattern::Pattern;

#[derive(Debug)]
pub struct Script {
    pub name: String,
    /// (line number, step).
    pub steps: Vec<(usize, Step)>,
}

#[derive(Debug)]
pub enum Step {
    /// An account of upstream, also in the accounts file unless it is unlisted.
    Account {
        account: Box<SimAccount>,
        listed: bool,
    },
    /// Further members of the account's entry in the accounts file, as text with holes.
    Entry {
        account: String,
        members: String,
    },
    /// The member `pi-multicodex` of settings.json.
    Settings(String),
    /// The account order of the settings file is not generated.
    NoOrder,
    /// Notifications of this method are ignored.
    Ignore(String),
    /// How often usage is read without a request; not at all without this.
    Polls(u64),
    /// Flags of the command line.
    Flags(Vec<String>),
    /// See [`rule`]; as text with holes.
    Upstream(String),
    Usage {
        account: String,
        usage: SimUsage,
    },
    Revoke(String),
    Send(String),
    Expect(Pattern),
    /// One or more messages of this kind, until one of another kind.
    ExpectMany(Pattern),
    PauseMs(u64),
    /// The sidecar ends as at EOF, and is started again on the same files.
    Restart,
    Counts(Vec<Count>),
    Request {
        account: String,
        n: u32,
        route: Route,
        part: Part,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    pub what: Counted,
    pub count: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Counted {
    Requests { route: Route, account: String },
    Reused,
}

#[derive(Debug)]
pub enum Part {
    Body(Pattern),
    Headers(Pattern),
    End(RequestEnd),
}

impl Script {
    pub fn read(path: &Path) -> Result<Self, String> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        Script::parse(name, &text)
    }

    pub fn parse(name: String, text: &str) -> Result<Self, String> {
        let mut steps = Vec::new();
        for (number, line) in joined(text) {
            let step =
                step(&normalized(&line)).map_err(|error| format!("{name}:{number}: {error}\n    {line}"))?;
            steps.push((number, step));
        }
        Ok(Script { name, steps })
    }
}

/// Returns lines without comments. A line that begins with white space continues the one before.
fn joined(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        match lines.last_mut() {
            Some((_, begun)) if line.starts_with(' ') => {
                begun.push(' ');
                begun.push_str(line.trim());
            }
            _ => lines.push((at + 1, line.trim_end().to_owned())),
        }
    }
    lines
}

fn step(line: &str) -> Result<Step, String> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim();
    Ok(match word {
        "account" => account(rest)?,
        "entry" => {
            let (account, members) = first_word(rest);
            Step::Entry { account: account.to_owned(), members: members.to_owned() }
        }
        "settings" => Step::Settings(rest.to_owned()),
        "unordered" => Step::NoOrder,
        "ignore" => Step::Ignore(rest.to_owned()),
        "polls" => Step::Polls(number(rest)?),
        "flags" => Step::Flags(rest.split_whitespace().map(str::to_owned).collect()),
        "upstream" => {
            // A mistake in the line is reported for the script, not for its run. Holes are only in strings.
            rule(rest)?;
            Step::Upstream(rest.to_owned())
        }
        "usage" => {
            let (account, usage) = first_word(rest);
            Step::Usage { account: account.to_owned(), usage: parsed(usage)? }
        }
        "revoke" => Step::Revoke(rest.to_owned()),
        "→" => Step::Send(rest.to_owned()),
        "←" => Step::Expect(Pattern::parse(&whole_notice(rest))?),
        "←*" => Step::ExpectMany(Pattern::parse(&whole_notice(rest))?),
        "pause" => Step::PauseMs(number(rest)?),
        "restart" => Step::Restart,
        "=" => stated(rest)?,
        _ => return Err("a line begins with no known word".to_owned()),
    })
}

/// `«c» {…}` is short for a notification of subscription `«c»` with this result.
fn whole_notice(text: &str) -> String {
    let short = text.split_once("» ").filter(|_| text.starts_with('«'));
    match short {
        Some((name, result)) => {
            format!(r#"{{"method":"complete","params":{{"subscription":{name}»,"result":{result}}}}}"#)
        }
        None => text.to_owned(),
    }
}

/// `ada [unlisted] [members]`
fn account(text: &str) -> Result<Step, String> {
    let (name, rest) = first_word(text);
    let (listed, members) = match rest.strip_prefix("unlisted") {
        Some(members) => (false, members.trim()),
        None => (true, rest),
    };
    let mut whole = json!({ "name": name });
    if let (false, Value::Object(whole)) = (members.is_empty(), &mut whole) {
        whole.extend(parsed::<serde_json::Map<_, _>>(members)?);
    }
    SimAccount::from_json(&whole).map(|account| Step::Account { account: Box::new(account), listed })
}

/// `ada|* [route] always|nth N|next N [delayed MS] behaviour`
pub fn rule(text: &str) -> Result<Rule, String> {
    let (account, rest) = first_word(text);
    let (word, after) = first_word(rest);
    let (route, rest) = match route(word) {
        Some(route) => (route, after),
        None => (Route::Responses, rest),
    };
    let (word, rest) = first_word(rest);
    let (when, rest) = match word {
        "always" => (When::Always, rest),
        "nth" | "next" => {
            let (count, rest) = first_word(rest);
            let count = number(count)?;
            (if word == "nth" { When::Nth(count) } else { When::Next(count) }, rest)
        }
        other => return Err(format!("{other} is none of always, nth and next")),
    };
    let (delay_ms, rest) = match rest.strip_prefix("delayed ") {
        Some(rest) => {
            let (delay, rest) = first_word(rest);
            (number(delay)?, rest)
        }
        None => (0, rest),
    };
    let behaviour: Value = if rest.starts_with('{') { parsed(rest)? } else { rest.into() };
    let account = (account != "*").then_some(account);
    parsed(
        &json!({ "account": account, "route": route, "when": when, "delay_ms": delay_ms, "behaviour": behaviour })
            .to_string(),
    )
}

/// `posts ada 1, refreshes bob 0, usage ada 1, reused 0`, or `body|headers|end ada N …`
fn stated(text: &str) -> Result<Step, String> {
    let (word, rest) = first_word(text);
    if matches!(word, "body" | "headers" | "end") {
        let (account, rest) = first_word(rest);
        let (next, after) = first_word(rest);
        let (route, rest) = route(next).map_or((Route::Responses, rest), |route| (route, after));
        let (n, rest) = first_word(rest);
        let part = match word {
            "body" => Part::Body(Pattern::parse(rest)?),
            "headers" => Part::Headers(Pattern::parse(rest)?),
            _ => Part::End(parsed(&format!("\"{rest}\""))?),
        };
        return Ok(Step::Request { account: account.to_owned(), n: number(n)?, route, part });
    }
    let mut counts = Vec::new();
    let mut what = "";
    for clause in text.split(',') {
        let words: Vec<&str> = clause.split_whitespace().collect();
        let (account, count) = match words[..] {
            ["reused", count] => {
                counts.push(Count { what: Counted::Reused, count: number(count)? });
                continue;
            }
            [named, account, count] => {
                what = named;
                (account, count)
            }
            // The word of the previous clause.
            [account, count] if !what.is_empty() => (account, count),
            _ => return Err(format!("{clause:?} states nothing")),
        };
        let route = route(what).ok_or_else(|| format!("{what} is no kind of request"))?;
        let what = Counted::Requests { route, account: account.to_owned() };
        counts.push(Count { what, count: number(count)? });
    }
    Ok(Step::Counts(counts))
}

fn route(word: &str) -> Option<Route> {
    match word {
        "posts" => Some(Route::Responses),
        "token" | "refreshes" => Some(Route::Token),
        "usage" => Some(Route::Usage),
        "models" => Some(Route::Models),
        _ => None,
    }
}

fn first_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    (word, rest.trim())
}

fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}
