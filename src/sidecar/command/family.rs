//! The family: its words, what each takes, and what it is for, as a user reads it.

use super::settings::{FOOTER, ROTATION, Setting};

/// What may follow a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    /// An account, or nothing.
    Account,
    /// An account, `all`, or nothing.
    AccountOrAll,
    /// A name that is new, or nothing.
    Name,
    OneOf(&'static [&'static str]),
    Number,
    /// Settings of these, each with its value.
    Settings(&'static [Setting]),
    /// A word of the family, or nothing.
    Word,
}

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) word: &'static str,
    pub(crate) takes: Takes,
    /// As help shows it.
    pub(crate) form: &'static str,
    pub(crate) does: &'static str,
}

pub(crate) const FAMILY: &[Member] = &[
    Member {
        word: "accounts",
        takes: Takes::Account,
        form: "accounts [account]",
        does: "list the accounts; with one, use it",
    },
    Member {
        word: "use",
        takes: Takes::Account,
        form: "use [account]",
        does: "pin an account until it meets a limit, or list them",
    },
    Member {
        word: "show",
        takes: Takes::Account,
        form: "show [account]",
        does: "who is in use, how all stand; with one, all about it",
    },
    Member {
        word: "refresh",
        takes: Takes::AccountOrAll,
        form: "refresh [account|all]",
        does: "renew tokens that expire, and read the usage",
    },
    Member { word: "login", takes: Takes::Name, form: "login [label]", does: "add an account" },
    Member {
        word: "reauth",
        takes: Takes::Account,
        form: "reauth [account]",
        does: "log an account in again; without one, the active one",
    },
    Member {
        word: "footer",
        takes: Takes::Settings(FOOTER),
        form: "footer [setting value]",
        does: "how the footer looks, and to change it",
    },
    Member {
        word: "rotation",
        takes: Takes::Settings(ROTATION),
        form: "rotation [setting value]",
        does: "how accounts are chosen, and to change it",
    },
    Member {
        word: "verify",
        takes: Takes::OneOf(&["online"]),
        form: "verify [online]",
        does: "look for what is amiss; online also asks upstream",
    },
    Member {
        word: "history",
        takes: Takes::Number,
        form: "history [n]",
        does: "the last attempts, 20 of them",
    },
    Member { word: "stats", takes: Takes::Nothing, form: "stats", does: "sums by account and by day" },
    Member { word: "path", takes: Takes::Nothing, form: "path", does: "where the files are" },
    Member {
        word: "reset",
        takes: Takes::OneOf(&["manual", "quota", "all"]),
        form: "reset [manual|quota|all]",
        does: "clear the pin, the cooldowns, or both",
    },
    Member { word: "help", takes: Takes::Word, form: "help [command]", does: "this text" },
];

pub(crate) fn member(word: &str) -> Option<&'static Member> {
    FAMILY.iter().find(|member| member.word.eq_ignore_ascii_case(word))
}

pub(crate) fn help() -> Vec<String> {
    let widest = FAMILY.iter().map(|member| member.form.len()).max().unwrap_or(0);
    let lines = FAMILY.iter().map(|member| format!("{:<widest$}  {}", member.form, member.does));
    std::iter::once("/multicodex, followed by one of:".to_owned()).chain(lines).collect()
}

pub(crate) fn help_on(member: &Member) -> Vec<String> {
    vec![format!("/multicodex {}", member.form), member.does.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_word_in_lines_that_fit() {
        let lines = help();
        assert_eq!(lines.len(), FAMILY.len() + 1);
        for (line, member) in lines[1..].iter().zip(FAMILY) {
            assert!(line.starts_with(member.word) && line.chars().count() <= 80, "{line}");
        }
    }
}
