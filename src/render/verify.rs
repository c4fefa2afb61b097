//! The report of `verify`: one line for each check, and the next step below what failed.

use super::TextStyle;
use super::cell::{clean, wrapped};
use super::table::Paint;
use crate::protocol::{Check, CheckId, CheckStatus, VerifyAnswer};

const INDENT: usize = 6;

/// More than this many accounts without findings are one line.
const FEW: usize = 3;

pub fn verify(answer: &VerifyAnswer, style: &TextStyle) -> String {
    let room = style.width.map(|width| width.saturating_sub(INDENT));
    let mut text = String::new();
    let mut add = |status, message: &str, hint: Option<&str>| {
        let (word, paint) = word(status);
        for (nth, line) in wrapped(&clean(message), room).iter().enumerate() {
            let margin = if nth == 0 { paint.on(&format!("{word:<INDENT$}"), style) } else { margin() };
            text.push_str(&format!("{margin}{line}\n"));
        }
        for line in hint.iter().flat_map(|hint| wrapped(&format!("→ {}", clean(hint)), room)) {
            text.push_str(&format!("{}{}\n", margin(), Paint::Bold.on(&line, style)));
        }
    };
    let is_quiet = |check: &Check| check.account.is_some() && check.status == CheckStatus::Pass;
    for (nth, check) in answer.checks.iter().enumerate() {
        let alike = |other: &&Check| is_quiet(other) && other.id == check.id;
        let quiet = answer.checks.iter().filter(alike).count();
        if !is_quiet(check) || quiet <= FEW {
            add(check.status, &check.message, check.hint.as_deref());
        } else if !answer.checks[..nth].iter().any(|other| alike(&other)) {
            add(check.status, &format!("{quiet} accounts {}", said_of_many(check.id)), None);
        }
    }
    let count = |status| answer.checks.iter().filter(|check| check.status == status).count();
    let sums = format!(
        "{} passed, {} to look at, {} failed",
        count(CheckStatus::Pass),
        count(CheckStatus::Warn),
        count(CheckStatus::Fail)
    );
    add(answer.status, &sums, None);
    text
}

fn said_of_many(id: CheckId) -> &'static str {
    match id {
        CheckId::AccountLogin => "need no login",
        CheckId::AccountToken => "have a valid token",
        CheckId::AccountUsage => "have no problem with their usage",
        _ => "are well",
    }
}

fn word(status: CheckStatus) -> (&'static str, Paint) {
    match status {
        CheckStatus::Pass => ("ok", Paint::Good),
        CheckStatus::Warn => ("warn", Paint::Notice),
        CheckStatus::Fail => ("FAIL", Paint::Bad),
    }
}

fn margin() -> String {
    " ".repeat(INDENT)
}
