//! The accounts, one line each.

use super::cell::clean;
use super::table::{Align, Cell, Column, Cut, Paint, table};
use super::when::{duration, since};
use super::{TextStyle, percent, usage_text};
use crate::protocol::{Account, AccountState, TokenState, UsageMode};

pub(super) const NO_ACCOUNTS: &str = "there are no accounts yet; `login` adds one\n";

fn columns(usage: UsageMode) -> [Column; 7] {
    let (hours, days) = match usage {
        UsageMode::Left => ("5H LEFT", "7D LEFT"),
        UsageMode::Used => ("5H USED", "7D USED"),
    };
    [
        Column { head: "ACCOUNT", align: Align::Left, min_width: 16, cut: Cut::Name, priority: 9 },
        Column { head: "PLAN", align: Align::Left, min_width: 5, cut: Cut::End, priority: 2 },
        Column::fixed("STATE", 8),
        Column::fixed("TOKEN", 3),
        Column::number(hours, 7),
        Column::number(days, 6),
        Column { head: "NOTE", align: Align::Left, min_width: 14, cut: Cut::End, priority: 1 },
    ]
}

pub fn accounts(accounts: &[Account], now: i64, style: &TextStyle) -> String {
    if accounts.is_empty() {
        return NO_ACCOUNTS.to_owned();
    }
    let rows: Vec<_> = accounts.iter().map(|account| row(account, now, style.usage)).collect();
    table(&columns(style.usage), &rows, style)
}

/// Shows everything about one account, one fact per line.
pub fn account(account: &Account, now: i64, style: &TextStyle) -> String {
    let mut lines = vec![clean(&account.label).into_owned()];
    let mut add = |name: &str, value: &str| lines.push(format!("  {name}: {}", clean(value)));
    let email = account.email.as_deref().filter(|email| *email != account.label);
    for (name, value) in [
        ("e-mail", email),
        ("id", Some(account.id.as_str())),
        ("workspace", account.workspace_id.as_deref()),
        ("plan", account.plan.as_deref()),
    ] {
        value.into_iter().for_each(|value| add(name, value));
    }
    let (state, _) = state(account.state);
    let note = note(account, now);
    add("state", &if note.is_empty() { state.to_owned() } else { format!("{state} ({note})") });
    if let Some(reason) = &account.reason {
        add("why", &format!("{} ({} ago)", reason.message, since(reason.since, now)));
    }
    let expires_at = account.token.expires_at;
    if expires_at > now {
        add("token", &format!("valid for {}", duration(expires_at - now)));
    } else {
        add("token", &format!("expired {} ago", since(expires_at, now)));
    }
    match &account.usage {
        None => add("usage", "not known yet"),
        Some(usage) => {
            for window in &usage.windows {
                let reset = window.resets_at.filter(|at| *at > now);
                let resets =
                    reset.map_or_else(String::new, |at| format!(", resets in {}", duration(at - now)));
                add(&window.name, &format!("{}{resets}", usage_text(window.used_percent, style.usage)));
            }
            if let Some(credits) = usage.reset_credits.as_ref().filter(|credits| credits.available > 0) {
                let first = credits.credits.iter().find_map(|credit| credit.expires_at);
                let expires = first.filter(|at| *at > now).map(|at| duration(at - now));
                let expires =
                    expires.map_or_else(String::new, |left| format!(", the first expires in {left}"));
                add("reset credits", &format!("{}{expires}", credits.available));
            }
            if let Some(reserve) = &usage.reserve {
                let model = reserve.ordinary_model.as_deref().unwrap_or("a weaker model");
                let state = if reserve.granted { "may be used" } else { "not offered now" };
                add("reserve", &format!("{state}, answers as {model}"));
            }
            add("read", &format!("{} ago", since(usage.seen.fetched_at, now)));
        }
    }
    if let Some(at) = account.last_used_at {
        add("last used", &format!("{} ago", since(at, now)));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn row(account: &Account, now: i64, mode: UsageMode) -> [Cell; 7] {
    let (state, paint) = state(account.state);
    let token = match account.token.state {
        TokenState::Valid => Cell::from("valid"),
        TokenState::Expiring => "expiring".into(),
        TokenState::Expired => Cell::painted("expired", Paint::Notice),
    };
    [
        if account.active {
            Cell::painted(clean(&account.label), Paint::Bold)
        } else {
            clean(&account.label).into_owned().into()
        },
        account.plan.as_deref().map_or_else(|| "?".to_owned(), |plan| clean(plan).into_owned()).into(),
        Cell::painted(state, paint),
        token,
        share(account, "5h", mode),
        share(account, "7d", mode),
        note(account, now).into(),
    ]
}

pub(super) fn state(state: AccountState) -> (&'static str, Paint) {
    match state {
        AccountState::Ready => ("ready", Paint::Good),
        AccountState::Cooling => ("cooling", Paint::Notice),
        AccountState::NeedsLogin => ("needs login", Paint::Bad),
        AccountState::Deactivated => ("deactivated", Paint::Bad),
        AccountState::Disabled => ("disabled", Paint::Dim),
    }
}

/// The most important comes first, because the end is cut.
fn note(account: &Account, now: i64) -> String {
    // For the other states the end of a cooldown does not matter.
    let comes_back = matches!(account.state, AccountState::Ready | AccountState::Cooling);
    let back = account.cooldown_until.or(account.backoff_until).filter(|until| comes_back && *until > now);
    let mut notes = Vec::new();
    if account.active {
        notes.push("active".to_owned());
    }
    if account.pinned {
        notes.push("pinned".to_owned());
    }
    if let Some(until) = back {
        notes.push(format!("back in {}", duration(until - now)));
    }
    notes.extend(account.reason.as_ref().map(|reason| reason.kind.replace('_', " ")));
    if let Some(usage) = &account.usage {
        if usage.reserve.as_ref().is_some_and(|reserve| reserve.granted && reserve.cooldown_until.is_none()) {
            notes.push("reserve left".to_owned());
        }
        match usage.reset_credits.as_ref().map_or(0, |credits| credits.available) {
            0 => {}
            1 => notes.push("1 reset credit".to_owned()),
            count => notes.push(format!("{count} reset credits")),
        }
    }
    if account.linked {
        notes.push("pi's login".to_owned());
    }
    notes.join(", ")
}

fn share(account: &Account, window: &str, mode: UsageMode) -> Cell {
    let mut windows = account.usage.iter().flat_map(|usage| &usage.windows);
    let Some(seen) = windows.find(|seen| seen.name == window) else { return "?".into() };
    let text = format!("{:.0}%", percent(seen.used_percent, mode).0);
    match seen.used_percent {
        90.0.. => Cell::painted(text, Paint::Bad),
        75.0.. => Cell::painted(text, Paint::Notice),
        _ => text.into(),
    }
}
