//! The latest attempts, one line each, the latest first.

use super::Look;
use super::cell::clean;
use super::table::{Align, Cell, Column, Cut, Paint, table};
use super::when::{amount, duration, span};
use crate::protocol::{Account, Attempt, AttemptOutcome, HistoryAnswer};

const COLUMNS: [Column; 8] = [
    Column::number("AGO", 8),
    Column { head: "ACCOUNT", align: Align::Left, least: 14, cut: Cut::Middle, worth: 9 },
    Column { head: "MODEL", align: Align::Left, least: 8, cut: Cut::End, worth: 3 },
    Column { head: "OUTCOME", align: Align::Left, least: 9, cut: Cut::End, worth: 7 },
    Column::number("IN", 4),
    Column::number("CACHED", 2),
    Column::number("OUT", 5),
    Column::number("TIME", 6),
];

pub fn history(answer: &HistoryAnswer, accounts: &[Account], now: i64, look: &Look) -> String {
    if answer.attempts.is_empty() {
        return "nothing was tried yet\n".to_owned();
    }
    let rows: Vec<_> = answer.attempts.iter().map(|attempt| row(attempt, accounts, now)).collect();
    table(&COLUMNS, &rows, look)
}

fn row(attempt: &Attempt, accounts: &[Account], now: i64) -> [Cell; 8] {
    let (word, paint) = match attempt.outcome {
        AttemptOutcome::Completed => ("completed", Paint::Good),
        AttemptOutcome::Incomplete => ("incomplete", Paint::Notice),
        AttemptOutcome::Rotated => ("rotated", Paint::Notice),
        AttemptOutcome::Failed => ("failed", Paint::Bad),
        AttemptOutcome::Cancelled => ("cancelled", Paint::Dim),
    };
    let outcome = match &attempt.reason {
        Some(reason) => format!("{word}: {}", clean(&reason.replace('_', " "))),
        None => word.to_owned(),
    };
    let tokens = |count: fn(&crate::protocol::TokenCount) -> u64| {
        Cell::from(attempt.tokens.as_ref().map_or_else(String::new, |tokens| amount(count(tokens))))
    };
    let time = match attempt.first_event_ms {
        Some(first) => format!("{} {}", span(first), span(attempt.total_ms)),
        None => span(attempt.total_ms),
    };
    [
        duration(now - attempt.at).into(),
        label_of(&attempt.account, accounts).into(),
        attempt.model.as_deref().map_or_else(String::new, |model| clean(model).into_owned()).into(),
        Cell::painted(outcome, paint),
        tokens(|count| count.input),
        tokens(|count| count.cached),
        tokens(|count| count.output),
        time.into(),
    ]
}

/// The id of an account that was removed since.
pub(super) fn label_of(id: &str, accounts: &[Account]) -> String {
    let known = accounts.iter().find(|account| account.id == id);
    clean(known.map_or(id, |account| &account.label)).into_owned()
}
