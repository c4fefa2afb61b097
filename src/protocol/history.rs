//! `history`: the attempts, how each ended and what it cost. Holds no prompts, answers or sessions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lenient;
use super::{ErrorKind, Method, ReasoningDropped, TransportUsed};

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HistoryParams {
    /// How many attempts to list; 50 when absent, at most 1000. With 0 only the sums.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub limit: Option<u32>,
    /// Only this account: id, label or e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// How many days the sums cover, today included; 30 when absent, at most 366.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub days: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryAnswer {
    /// Attempts of all sidecars of this user, the latest first.
    pub attempts: Vec<Attempt>,
    /// One row for each account that was tried within `days`, the busiest first.
    pub accounts: Vec<AccountTally>,
    /// One row for each day with an attempt, the latest first.
    pub days: Vec<DayTally>,
}

/// One request of a completion to one account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// When it began.
    pub at: i64,
    /// Account id; the account may have been removed since.
    pub account: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Luna Reserve was asked, with a model other than the one that the client named.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reserve: bool,
    pub outcome: AttemptOutcome,
    /// One of the kinds of section "Kinds" in `schema/protocol.md`, or `deadline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenCount>,
    /// From the beginning of the attempt to the first event that was sent to the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_event_ms: Option<u64>,
    pub total_ms: u64,
    /// Absent when nothing was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<TransportUsed>,
    /// Whether only what was new in the conversation was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued: Option<bool>,
    /// Of the body or frame, as it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_bytes: Option<u64>,
    /// By how much the whole frame would have been longer. Absent when it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved_bytes: Option<u64>,
    /// Another account than before served the session. Absent when not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub switched: bool,
    /// Items of reasoning that the request lost, as in `done`. Absent when none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_dropped: Option<ReasoningDropped>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    Completed,
    /// Upstream cut the response short.
    Incomplete,
    /// It failed before output, and failover went on to the next account if there was one.
    Rotated,
    /// The client got an error.
    Failed,
    /// The client cancelled it or ended.
    Cancelled,
}

/// Upstream's count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenCount {
    pub input: u64,
    /// The part of `input` that came from upstream's cache.
    pub cached: u64,
    pub output: u64,
}

/// Sums of attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    pub attempts: u64,
    /// Includes those that upstream cut short.
    pub completed: u64,
    pub rotated: u64,
    pub failed: u64,
    pub cancelled: u64,
    pub tokens: TokenCount,
    /// Those that sent only what was new in their conversation. Absent when 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub continued: u64,
    /// By how much their requests would have been longer. Absent when 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub saved_bytes: u64,
    /// Those that another account than before served in their session. Absent when 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub switches: u64,
    /// Items of reasoning that their requests lost. Absent when none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_dropped: Option<ReasoningDropped>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
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
    const DESCRIPTION: &'static str = "\
        There is one row for each account that was asked for a completion, by any sidecar of the user. A \
        replay after a 401 belongs to its attempt. In the sums, attempts that the client gave up count as \
        `cancelled`, and those that upstream cut short as `completed`.\n\
        \n\
        An attempt is in the file within a second of its end; a sidecar sees its own attempts at once. The \
        file, `history.jsonl` in the state directory, keeps at least the last 1000 attempts and sums of older \
        ones for up to 400 days, in less than 1 MiB. You may delete it at any time. It never holds prompts, \
        answers, session ids or tokens.";
    const ERRORS: &'static [ErrorKind] =
        &[ErrorKind::AccountNotFound, ErrorKind::AccountAmbiguous, ErrorKind::Storage];
    type Params = HistoryParams;
    type Result = HistoryAnswer;
}
