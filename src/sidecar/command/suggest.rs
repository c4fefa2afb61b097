//! Completes a line: the names of commands, then the command's arguments, including accounts.

use super::family::{ArgKind, COMMANDS, member};
use super::line::{CONFIRM, after_the_name};
use super::settings::{SWITCH, SettingGroup};
use crate::pool::SettingKind;
use crate::protocol::{Account, AccountState, Suggestion};
use crate::render::clean;
use crate::sidecar::words::{Word, quoted, words};

/// Returns what matches the typed part of the last word; everything when it is empty.
pub(crate) fn suggest(line: &str, accounts: &[Account]) -> Vec<Suggestion> {
    let line = after_the_name(line);
    let words = words(line);
    let typing = words.last().filter(|word| word.unfinished);
    let (before, typed) = match typing {
        Some(word) => (&words[..words.len() - 1], word.text.as_str()),
        None => (&words[..], ""),
    };
    let Some(first) = before.first() else {
        let fits = COMMANDS.iter().filter(|member| begins(member.word, typed));
        return fits
            .map(|member| Suggestion {
                value: member.word.to_owned(),
                label: format!("{} - {}", member.form, member.does),
            })
            .collect();
    };
    let Some(member) = member(&first.text) else { return Vec::new() };
    let kept: Vec<String> = before[1..].iter().map(|word| quoted(&word.text)).collect();
    let kept: String = std::iter::once(member.word.to_owned()).chain(kept).collect::<Vec<_>>().join(" ");
    let offers = match (member.takes, &before[1..]) {
        (ArgKind::Settings(group), told) => after_settings(group, told, typed, accounts),
        (ArgKind::AccountAndConfirm, [_]) => choices_like(std::iter::once(CONFIRM), typed),
        (takes, []) => after_word(takes, typed, accounts),
        _ => Vec::new(),
    };
    offers
        .into_iter()
        .map(|Offer { word, label }| Suggestion { value: format!("{kept} {word}"), label })
        .collect()
}

/// One word that may follow.
struct Offer {
    word: String,
    label: String,
}

impl Offer {
    fn plain(word: &str) -> Self {
        Offer { word: word.to_owned(), label: word.to_owned() }
    }
}

fn after_word(takes: ArgKind, typed: &str, accounts: &[Account]) -> Vec<Offer> {
    match takes {
        ArgKind::Nothing | ArgKind::Name | ArgKind::Number | ArgKind::Settings(_) => Vec::new(),
        ArgKind::Account | ArgKind::AccountAndConfirm => accounts_like(typed, accounts),
        ArgKind::AccountOrAll => {
            let mut offers = accounts_like(typed, accounts);
            offers.extend(begins("all", typed).then(|| Offer::plain("all")));
            offers
        }
        ArgKind::OneOf(choices) => choices_like(choices.iter().copied(), typed),
        ArgKind::Word => choices_like(COMMANDS.iter().map(|member| member.word), typed),
    }
}

/// Names and values alternate; a priority has two values.
fn after_settings(group: SettingGroup, told: &[Word], typed: &str, accounts: &[Account]) -> Vec<Offer> {
    let mut told = told.iter().map(|word| word.text.as_str());
    loop {
        let Some(name) = told.next() else {
            return choices_like(group.settings().iter().map(|setting| setting.name), typed);
        };
        // `name=value` is one word.
        if name.contains('=') {
            continue;
        }
        let Some(setting) = group.find(name) else { return Vec::new() };
        if told.next().is_none() {
            return match setting.kind {
                SettingKind::OneOf(choices) => choices_like(choices.iter().copied(), typed),
                SettingKind::Switch => choices_like(SWITCH.iter().copied(), typed),
                SettingKind::PerAccount { .. } => accounts_like(typed, accounts),
                SettingKind::Whole { .. } | SettingKind::Number { .. } | SettingKind::Millis { .. } => {
                    Vec::new()
                }
            };
        }
        if matches!(setting.kind, SettingKind::PerAccount { .. }) && told.next().is_none() {
            return Vec::new();
        }
    }
}

fn choices_like<'a>(choices: impl Iterator<Item = &'a str>, typed: &str) -> Vec<Offer> {
    choices.filter(|choice| begins(choice, typed)).map(Offer::plain).collect()
}

fn accounts_like(typed: &str, accounts: &[Account]) -> Vec<Offer> {
    let fits = |account: &&Account| {
        let email = account.email.as_deref().unwrap_or_default();
        contains(&account.label, typed) || contains(email, typed) || account.id == typed
    };
    // An e-mail in two workspaces names neither account.
    let is_taken = |account: &Account| {
        let others = accounts.iter().filter(|other| other.id != account.id);
        let mut names = others.flat_map(|other| std::iter::once(&other.label).chain(&other.email));
        names.any(|name| name.to_lowercase() == account.label.to_lowercase())
    };
    let offer = |account: &Account| Offer {
        word: if is_taken(account) { account.id.clone() } else { quoted(&account.label) },
        label: label(account),
    };
    accounts.iter().filter(fits).map(offer).collect()
}

/// Returns the label, and the reasons for or against this account.
fn label(account: &Account) -> String {
    let state = match account.state {
        AccountState::Ready => None,
        AccountState::Cooling => Some("at its limit"),
        AccountState::NeedsLogin => Some("needs login"),
        AccountState::Deactivated => Some("deactivated"),
        AccountState::Disabled => Some("disabled"),
    };
    let marks = [account.active.then_some("active"), account.pinned.then_some("pinned"), state];
    let marks: Vec<&str> = marks.into_iter().flatten().collect();
    let name = clean(&account.label);
    if marks.is_empty() { name.into_owned() } else { format!("{name} ({})", marks.join(", ")) }
}

fn begins(candidate: &str, typed: &str) -> bool {
    candidate.to_lowercase().starts_with(&typed.to_lowercase())
}

fn contains(text: &str, typed: &str) -> bool {
    text.to_lowercase().contains(&typed.to_lowercase())
}
