//! `history`: what was tried, how it ended and what it cost. No prompts, no answers, no sessions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lenient;
use super::{ErrorKind, Method};

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HistoryParams {
    /// How many attempts; 50 when absent, 1000 at most. 0 for the sums alone.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub limit: Option<u32>,
    /// Only of this account: id, label or e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Over how many days, today included, the sums go; 30 when absent, 366 at most.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub days: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryAnswer {
    /// Of all sidecars of this user, the latest first.
    pub attempts: Vec<Attempt>,
    /// One row for each account that was tried within `days`, the busiest first.
    pub accounts: Vec<AccountTally>,
    /// One row for each day on which something was tried, the latest first.
    pub days: Vec<DayTally>,
}

/// One account was asked for one completion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// When it began.
    pub at: i64,
    /// Account id; the account may have been removed since.
    pub account: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    pub outcome: AttemptOutcome,
    /// One of the kinds of section "Kinds" in `schema/protocol.md`, or `deadline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenCount>,
    /// From the beginning of the attempt to the first event handed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_event_ms: Option<u64>,
    pub total_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    Completed,
    /// Upstream cut the response short.
    Incomplete,
    /// It failed before output; another account was asked, or would have been.
    Rotated,
    /// The client got an error.
    Failed,
    /// The client gave it up, or went away.
    Cancelled,
}

/// As upstream counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenCount {
    pub input: u64,
    /// Of `input`, how many came from upstream's cache.
    pub cached: u64,
    pub output: u64,
}

/// Sums of attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    pub attempts: u64,
    /// Also those that upstream cut short.
    pub completed: u64,
    pub rotated: u64,
    pub failed: u64,
    pub cancelled: u64,
    pub tokens: TokenCount,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountTally {
    /// Account id.
    pub account: String,
    pub tally: Tally,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DayTally {
    /// `2026-11-26`, in UTC.
    pub day: String,
    pub tally: Tally,
    /// The same for each account, in the order of the answer's `accounts`.
    pub accounts: Vec<AccountTally>,
}

/// `history`
#[derive(Debug)]
pub struct History;

impl Method for History {
    const NAME: &'static str = "history";
    const SUMMARY: &'static str =
        "The latest attempts with their outcome, tokens and times, and sums by account and by day.";
    const ERRORS: &'static [ErrorKind] =
        &[ErrorKind::AccountNotFound, ErrorKind::AccountAmbiguous, ErrorKind::Storage];
    type Params = HistoryParams;
    type Result = HistoryAnswer;
}
