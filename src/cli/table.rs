//! Accounts as a table for people.

use super::plain::plain;
use crate::protocol::{Account, AccountState, TokenState};

const HEAD: [&str; 7] = ["ACCOUNT", "PLAN", "STATE", "TOKEN", "5H", "7D", "NOTE"];

/// One line for each account, in columns as wide as they need to be. Colours only when asked for.
pub(super) fn accounts(accounts: &[Account], colour: bool) -> String {
    if accounts.is_empty() {
        return "there are no accounts yet\n".to_owned();
    }
    let rows: Vec<[String; 7]> = accounts.iter().map(row).collect();
    let mut widths = HEAD.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = line(&HEAD, &widths, None);
    for (row, account) in rows.iter().zip(accounts) {
        let cells = row.each_ref().map(String::as_str);
        text.push_str(&line(&cells, &widths, colour.then(|| colour_of(account))));
    }
    text
}

fn row(account: &Account) -> [String; 7] {
    let state = match account.state {
        AccountState::Ready => "ready",
        AccountState::Cooling => "cooling",
        AccountState::NeedsLogin => "needs login",
        AccountState::Deactivated => "deactivated",
        AccountState::Disabled => "disabled",
    };
    let token = match account.token.state {
        TokenState::Valid => "valid",
        TokenState::Expiring => "expiring",
        TokenState::Expired => "expired",
    };
    let mut notes = Vec::new();
    if account.active {
        notes.push("active".to_owned());
    }
    if account.pinned {
        notes.push("pinned".to_owned());
    }
    notes.extend(account.reason.as_ref().map(|reason| reason.kind.clone()));
    [
        account.label.clone(),
        account.plan.clone().unwrap_or_else(|| "?".to_owned()),
        state.to_owned(),
        token.to_owned(),
        used(account, "5h"),
        used(account, "7d"),
        notes.join(", "),
    ]
    .map(|cell| plain(&cell))
}

fn used(account: &Account, window: &str) -> String {
    let mut windows = account.usage.iter().flat_map(|usage| &usage.windows);
    let seen = windows.find(|seen| seen.name == window);
    seen.map_or_else(|| "?".to_owned(), |seen| format!("{:.0}%", seen.used_percent))
}

fn colour_of(account: &Account) -> &'static str {
    match account.state {
        AccountState::Ready => "32",
        AccountState::Cooling => "33",
        AccountState::NeedsLogin | AccountState::Deactivated => "31",
        AccountState::Disabled => "2",
    }
}

fn line(cells: &[&str; 7], widths: &[usize; 7], colour: Option<&str>) -> String {
    let padded: Vec<String> =
        cells.iter().zip(widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
    let text = padded.join("  ");
    match colour {
        Some(code) => format!("\u{1b}[{code}m{}\u{1b}[0m\n", text.trim_end()),
        None => format!("{}\n", text.trim_end()),
    }
}
