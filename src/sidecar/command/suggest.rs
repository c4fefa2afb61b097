//! How a line may go on: the words of the family, then what the word takes, accounts included.

use super::family::{FAMILY, Takes, member};
use super::line::after_the_name;
use super::words::{Word, quoted, words};
use crate::protocol::{Account, AccountState, Suggestion};
use crate::screen::clean;

/// Fits for what is typed of the last word; all of them when that is nothing.
pub(super) fn suggest(line: &str, accounts: &[Account]) -> Vec<Suggestion> {
    let (line, _) = after_the_name(line);
    let words = words(line);
    let typing = words.last().filter(|word| word.unfinished);
    let before = words.len() - usize::from(typing.is_some());
    let typed = typing.map_or("", |word| word.text.as_str());
    match before {
        0 => FAMILY
            .iter()
            .filter(|member| begins(member.word, typed))
            .map(|member| Suggestion {
                value: member.word.to_owned(),
                label: format!("{} - {}", member.form, member.does),
            })
            .collect(),
        1 => arguments(&words[0], typed, accounts),
        _ => Vec::new(),
    }
}

fn arguments(word: &Word, typed: &str, accounts: &[Account]) -> Vec<Suggestion> {
    let Some(member) = member(&word.text) else { return Vec::new() };
    let choice =
        |choice: &str| Suggestion { value: format!("{} {choice}", member.word), label: choice.to_owned() };
    let of_accounts = || {
        let fits = |account: &&Account| {
            let email = account.email.as_deref().unwrap_or_default();
            contains(&account.label, typed) || contains(email, typed) || account.id == typed
        };
        accounts.iter().filter(fits).map(|account| Suggestion {
            value: format!("{} {}", member.word, quoted(&account.label)),
            label: label(account),
        })
    };
    match member.takes {
        Takes::Nothing | Takes::Name | Takes::Number => Vec::new(),
        Takes::Account => of_accounts().collect(),
        Takes::AccountOrAll => of_accounts().chain(begins("all", typed).then(|| choice("all"))).collect(),
        Takes::OneOf(choices) => {
            choices.iter().filter(|choice| begins(choice, typed)).map(|it| choice(it)).collect()
        }
        Takes::Word => {
            FAMILY.iter().filter(|member| begins(member.word, typed)).map(|it| choice(it.word)).collect()
        }
    }
}

/// The label, and what speaks for or against taking it.
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
    candidate.starts_with(&typed.to_lowercase())
}

fn contains(text: &str, typed: &str) -> bool {
    text.to_lowercase().contains(&typed.to_lowercase())
}
