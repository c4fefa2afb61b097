//! The latest attempts, one line each, newest first.

use super::TextStyle;
use super::cell::clean;
use super::table::{Align, Cell, Column, Cut, Paint, table};
use super::when::{amount, since, span};
use crate::protocol::{Account, Attempt, AttemptOutcome, HistoryAnswer, TokenCount};

const COLUMNS: [Column; 9] = [
    Column::number("AGO", 8),
    Column { head: "ACCOUNT", align: Align::Left, min_width: 16, cut: Cut::Name, priority: 9 },
    Column { head: "MODEL", align: Align::Left, min_width: 11, cut: Cut::End, priority: 2 },
    Column { head: "OUTCOME", align: Align::Left, min_width: 18, cut: Cut::End, priority: 7 },
    Column::number("IN", 4),
    Column::number("CACHE", 3),
    Column::number("OUT", 5),
    Column::number("FIRST", 1),
    Column::number("TOTAL", 6),
];

pub fn history(answer: &HistoryAnswer, accounts: &[Account], now: i64, style: &TextStyle) -> String {
    if answer.attempts.is_empty() {
        return "there are no attempts yet\n".to_owned();
    }
    let rows: Vec<_> = answer.attempts.iter().map(|attempt| row(attempt, accounts, now)).collect();
    table(&COLUMNS, &rows, style)
}

fn row(attempt: &Attempt, accounts: &[Account], now: i64) -> [Cell; 9] {
    let (word, paint) = match attempt.outcome {
        AttemptOutcome::Completed => ("ok", Paint::Good),
        AttemptOutcome::Incomplete => ("cut short", Paint::Notice),
        AttemptOutcome::Rotated => ("rotated", Paint::Notice),
        AttemptOutcome::Failed => ("failed", Paint::Bad),
        AttemptOutcome::Cancelled => ("cancelled", Paint::Dim),
    };
    let outcome = match &attempt.reason {
        Some(reason) => format!("{word}: {}", clean(&reason.replace('_', " "))),
        None => word.to_owned(),
    };
    let tokens = attempt.tokens.unwrap_or_default();
    let counted = |text: String| Cell::from(attempt.tokens.map_or_else(String::new, |_| text));
    [
        since(attempt.at, now).into(),
        label_of(&attempt.account, accounts).into(),
        attempt.model.as_deref().map_or_else(String::new, |model| clean(model).into_owned()).into(),
        Cell::painted(outcome, paint),
        counted(amount(tokens.input)),
        cached(&tokens).into(),
        counted(amount(tokens.output)),
        attempt.first_event_ms.map_or_else(String::new, span).into(),
        span(attempt.total_ms).into(),
    ]
}

/// The share of the input that upstream had in its cache; empty without input.
pub(super) fn cached(tokens: &TokenCount) -> String {
    match tokens.input {
        0 => String::new(),
        input => format!("{:.0}%", 100.0 * tokens.cached as f64 / input as f64),
    }
}

/// The id of an account that was removed since.
pub(super) fn label_of(id: &str, accounts: &[Account]) -> String {
    let known = accounts.iter().find(|account| account.id == id);
    clean(known.map_or(id, |account| &account.label)).into_owned()
}
