//! `command` and `command/suggest`: the `/multicodex` family as text, for clients without panels of their own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ErrorKind, Method};

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CommandParams {
    /// What was typed, with or without the leading `/multicodex`.
    pub line: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommandAnswer {
    pub level: CommandLevel,
    /// Text for people. No line is empty, and none is wider than 80 columns unless it quotes something that is.
    pub lines: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommandLevel {
    Info,
    Warning,
    /// The line has a mistake, or the command failed.
    Error,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suggestions {
    pub items: Vec<Suggestion>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suggestion {
    /// The whole line after `/multicodex`, completed with this suggestion.
    pub value: String,
    /// What to show for it.
    pub label: String,
}

/// `command`
#[derive(Debug)]
pub struct Command;

impl Method for Command {
    const NAME: &'static str = "command";
    const SUMMARY: &'static str = "Runs a `/multicodex` command and answers with text to show.";
    const DESCRIPTION: &'static str = "\
        The line is what a user typed after `/multicodex`, which may stand in front. Names with white space go \
        in quotes. `help` lists the commands. `accounts ada` and `use ada` pin an account, `show ada` shows \
        everything about one, `reset` alone clears pin and cooldowns, `footer usageMode used` and `rotation \
        waitForReset=30m` change settings.\n\
        \n\
        A mistake in the line, an unknown account or a failed command is an answer of level `error`; a \
        JSON-RPC error means that `line` was missing.";
    const ERRORS: &'static [ErrorKind] = &[];
    type Params = CommandParams;
    type Result = CommandAnswer;
}

/// `command/suggest`
#[derive(Debug)]
pub struct CommandSuggest;

impl Method for CommandSuggest {
    const NAME: &'static str = "command/suggest";
    const SUMMARY: &'static str = "Completes a `/multicodex` line.";
    const DESCRIPTION: &'static str = "\
        Accounts are found by any part of their label or e-mail.";
    const ERRORS: &'static [ErrorKind] = &[];
    type Params = CommandParams;
    type Result = Suggestions;
}
