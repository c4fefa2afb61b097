//! What was checked: a sign for each, and below what is amiss the next step.

use super::Look;
use super::cell::{clean, width};
use super::table::Paint;
use crate::protocol::{CheckStatus, VerifyAnswer};

const INDENT: usize = 6;

pub fn verify(answer: &VerifyAnswer, look: &Look) -> String {
    let mut text = String::new();
    for check in &answer.checks {
        let (word, paint) = word(check.status);
        for (nth, line) in wrapped(&clean(&check.message), look).iter().enumerate() {
            let margin = if nth == 0 { paint.on(&format!("{word:<INDENT$}"), look) } else { margin() };
            text.push_str(&format!("{margin}{line}\n"));
        }
        for line in check.hint.iter().flat_map(|hint| wrapped(&format!("→ {}", clean(hint)), look)) {
            text.push_str(&format!("{}{}\n", margin(), Paint::Bold.on(&line, look)));
        }
    }
    let count = |status| answer.checks.iter().filter(|check| check.status == status).count();
    let (word, paint) = word(answer.status);
    let sums = format!(
        "{} passed, {} to look at, {} failed",
        count(CheckStatus::Pass),
        count(CheckStatus::Warn),
        count(CheckStatus::Fail)
    );
    text.push_str(&format!("{}{sums}\n", paint.on(&format!("{word:<INDENT$}"), look)));
    text
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

/// In lines that fit beside the margin, broken between words. A word that does not fit keeps a line of its own, uncut,
/// because it is a path or an address that someone will want to copy.
fn wrapped(text: &str, look: &Look) -> Vec<String> {
    let Some(room) = look.width.map(|width| width.saturating_sub(INDENT).max(1)) else {
        return vec![text.to_owned()];
    };
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
