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
    /// For people. None is empty, and none is wider than 80 columns unless it quotes something that is.
    pub lines: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommandLevel {
    Info,
    Warning,
    /// A mistake in the line, or what it asked for could not be done.
    Error,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suggestions {
    pub items: Vec<Suggestion>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suggestion {
    /// The whole line after `/multicodex`, with this suggestion taken.
    pub value: String,
    /// What to show for it.
    pub label: String,
}

/// `command`
#[derive(Debug)]
pub struct Command;

impl Method for Command {
    const NAME: &'static str = "command";
    const SUMMARY: &'static str =
        "Does what a `/multicodex` line says and answers in words. Mistakes are of level `error`.";
    const ERRORS: &'static [ErrorKind] = &[];
    type Params = CommandParams;
    type Result = CommandAnswer;
}

/// `command/suggest`
#[derive(Debug)]
pub struct CommandSuggest;

impl Method for CommandSuggest {
    const NAME: &'static str = "command/suggest";
    const SUMMARY: &'static str = "How a `/multicodex` line may go on.";
    const ERRORS: &'static [ErrorKind] = &[];
    type Params = CommandParams;
    type Result = Suggestions;
}
