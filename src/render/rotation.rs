//! The rotation settings, and which account is next and why.

use super::TextStyle;
use super::accounts::NO_ACCOUNTS;
use super::cell::{clean, wrapped};
use super::table::{Align, Cell, Column, Cut, Paint, table};
use crate::protocol::Rotation;

const COLUMNS: [Column; 3] = [
    Column::number("", 2),
    Column { head: "ACCOUNT", align: Align::Left, min_width: 24, cut: Cut::Name, priority: 3 },
    Column { head: "WHY", align: Align::Left, min_width: 10, cut: Cut::End, priority: 9 },
];

pub fn rotation(rotation: &Rotation, style: &TextStyle) -> String {
    let mut text = String::new();
    for line in wrapped(&clean(&rotation.policy), style.width) {
        text.push_str(&line);
        text.push('\n');
    }
    if rotation.order.is_empty() {
        return text + NO_ACCOUNTS;
    }
    let rows: Vec<_> = rotation
        .order
        .iter()
        .map(|ranked| {
            let label = clean(&ranked.label);
            [
                ranked.rank.map_or_else(|| "-".to_owned(), |rank| rank.to_string()).into(),
                match ranked.rank {
                    Some(1) => Cell::painted(label, Paint::Good),
                    Some(_) => label.into_owned().into(),
                    None => Cell::painted(label, Paint::Dim),
                },
                clean(&ranked.reasons.join("; ")).into_owned().into(),
            ]
        })
        .collect();
    text += &table(&COLUMNS, &rows, style);
    for (index, step) in rotation.plan.iter().enumerate() {
        let ranked = rotation.order.iter().find(|ranked| ranked.account == step.account);
        let label = ranked.map_or(step.account.as_str(), |ranked| ranked.label.as_str());
        let head = if index == 0 { "no account can serve; next: " } else { "then: " };
        text.push_str(&clean(&format!("{head}{label}: {}", step.reason)));
        text.push('\n');
    }
    text
}
