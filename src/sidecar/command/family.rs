//! The commands of `/multicodex`: their names, their arguments, and their help texts.

use super::settings::SettingGroup;

/// The argument of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArgKind {
    Nothing,
    /// An account, or nothing.
    Account,
    /// An account, `all`, or nothing.
    AccountOrAll,
    /// A new name, or nothing.
    Name,
    OneOf(&'static [&'static str]),
    Number,
    /// Settings from this list, each with its value.
    Settings(SettingGroup),
    /// An account, optionally followed by `confirm`.
    AccountAndConfirm,
    /// The name of a command, or nothing.
    Word,
}

#[derive(Debug)]
pub(crate) struct CommandSpec {
    pub(crate) word: &'static str,
    pub(crate) takes: ArgKind,
    /// As shown by `help`.
    pub(crate) form: &'static str,
    pub(crate) does: &'static str,
}

pub(crate) const COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        word: "accounts",
        takes: ArgKind::Account,
        form: "accounts [account]",
        does: "list the accounts; with one, use it",
    },
    CommandSpec {
        word: "use",
        takes: ArgKind::Account,
        form: "use [account]",
        does: "pin an account until it meets a limit, or list them",
    },
    CommandSpec {
        word: "show",
        takes: ArgKind::Account,
        form: "show [account]",
        does: "the account in use; with one, all about it",
    },
    CommandSpec {
        word: "refresh",
        takes: ArgKind::AccountOrAll,
        form: "refresh [account|all]",
        does: "renew tokens that expire, and read the usage",
    },
    CommandSpec { word: "login", takes: ArgKind::Name, form: "login [label]", does: "add an account" },
    CommandSpec {
        word: "reauth",
        takes: ArgKind::Account,
        form: "reauth [account]",
        does: "log an account in again; without one, the active one",
    },
    CommandSpec {
        word: "footer",
        takes: ArgKind::Settings(SettingGroup::Footer),
        form: "footer [setting value]",
        does: "show or change how the footer looks",
    },
    CommandSpec {
        word: "rotation",
        takes: ArgKind::Settings(SettingGroup::Rotation),
        form: "rotation [setting value]",
        does: "show or change how accounts are chosen",
    },
    CommandSpec {
        word: "verify",
        takes: ArgKind::OneOf(&["online"]),
        form: "verify [online]",
        does: "check files and accounts; online also asks upstream",
    },
    CommandSpec {
        word: "history",
        takes: ArgKind::Number,
        form: "history [n]",
        does: "the last attempts, 20 of them",
    },
    CommandSpec { word: "stats", takes: ArgKind::Nothing, form: "stats", does: "sums by account and by day" },
    CommandSpec { word: "path", takes: ArgKind::Nothing, form: "path", does: "where the files are" },
    CommandSpec {
        word: "reset",
        takes: ArgKind::OneOf(&["manual", "quota", "all"]),
        form: "reset [manual|quota|all]",
        does: "clear the pin, the cooldowns, or both",
    },
    CommandSpec {
        word: "reset-credit",
        takes: ArgKind::AccountAndConfirm,
        form: "reset-credit account",
        does: "what a reset credit would do; \"confirm\" redeems it",
    },
    CommandSpec { word: "help", takes: ArgKind::Word, form: "help [command]", does: "this text" },
];

pub(crate) fn member(word: &str) -> Option<&'static CommandSpec> {
    COMMANDS.iter().find(|member| member.word.eq_ignore_ascii_case(word))
}

pub(crate) fn help() -> Vec<String> {
    let widest = COMMANDS.iter().map(|member| member.form.len()).max().unwrap_or(0);
    let lines = COMMANDS.iter().map(|member| format!("{:<widest$}  {}", member.form, member.does));
    std::iter::once("/multicodex, followed by one of:".to_owned()).chain(lines).collect()
}

pub(crate) fn help_on(member: &CommandSpec) -> Vec<String> {
    vec![format!("/multicodex {}", member.form), member.does.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_word_in_lines_that_fit() {
        let lines = help();
        assert_eq!(lines.len(), COMMANDS.len() + 1);
        for (line, member) in lines[1..].iter().zip(COMMANDS) {
            assert!(line.starts_with(member.word) && line.chars().count() <= 80, "{line}");
        }
    }
}
