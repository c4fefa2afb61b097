//! `complete`: one completion, streamed as notifications; `complete/collect`: the same as one answer.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::lenient;
use super::{AccountState, ErrorKind, Method};

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CompleteParams {
    /// An OpenAI Responses body, passed on byte for byte. `stream: true` and `store: false` are set when absent.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub request: Box<RawValue>,
    /// Affinity key; also `prompt_cache_key` when the body has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Only this account, no rotation: id, label or e-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// For upstream; allow-listed (see `schema/protocol.md`).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::strings")]
    pub headers: Option<BTreeMap<String, String>>,
    /// The whole completion, all attempts included. No limit when absent.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub deadline_ms: Option<u64>,
    /// Longest silence of upstream; 300000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub idle_timeout_ms: Option<u64>,
}

/// `c1`, `c2`, … within one connection.
pub type SubscriptionId = String;

/// The `result` of one `complete` notification. A completion sends, in this order: `rotated` zero or more times,
/// `accepted` at most once, `event` for each upstream event, and exactly one of `done`, `error` and `cancelled`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Notice<'a> {
    /// An attempt failed before any output. `to` is absent when no account takes over (yet).
    #[schemars(title = "RotatedNotice")]
    Rotated {
        attempt: u32,
        from: &'a str,
        reason: RotatedReason<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<&'a str>,
    },
    /// This account answers.
    #[schemars(title = "AcceptedNotice")]
    Accepted {
        attempt: u32,
        account: &'a str,
        label: &'a str,
        status: u16,
        /// x-request-id, openai-model, retry-after and the x-codex-* family.
        headers: BTreeMap<&'a str, &'a str>,
    },
    /// One upstream event, raw.
    #[schemars(title = "EventNotice")]
    Event {
        #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
        event: &'a RawValue,
    },
    /// The completion ended well.
    #[schemars(title = "DoneNotice")]
    Done {
        outcome: Outcome,
        account: &'a str,
        attempts: u32,
        /// Upstream's own `usage` member, raw.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
        usage: Option<&'a RawValue>,
        /// Reasoning in the request that upstream removed, as after a switch of accounts. Absent when none was.
        #[serde(skip_serializing_if = "Option::is_none")]
        reasoning_dropped: Option<ReasoningDropped>,
        /// Members of the request that upstream refuses and that were left out: `max_output_tokens`.
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        dropped: &'a [&'a str],
        timing: Timing,
    },
    /// It did not end well.
    #[schemars(title = "ErrorNotice")]
    Error { error: Failed },
    /// After `complete/cancel`.
    #[schemars(title = "CancelledNotice")]
    Cancelled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Completed,
    Incomplete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timing {
    /// From the request to the first event handed on.
    pub first_event_ms: u64,
    pub total_ms: u64,
}

/// Items of reasoning that upstream removed from the input of a response, by the reason that it gave. What is normal
/// (`turn_boundary`) is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReasoningDropped {
    /// Produced by an account of another organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_mismatch: Option<u32>,
    /// Produced for another end user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_user_mismatch: Option<u32>,
    /// Produced by another model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_mismatch: Option<u32>,
    /// What came before it in the conversation was edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix_mismatch: Option<u32>,
    /// Left out by the sidecar, because upstream refused the encrypted content of another account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<u32>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RotatedReason<'a> {
    pub kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'a str>,
    pub message: &'a str,
}

/// Why a completion failed. `status` and `body` are upstream's last answer, so that a client can map it as if it had
/// spoken to upstream itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    pub kind: String,
    pub message: String,
    pub phase: Phase,
    /// Accounts tried.
    pub attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// At most 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub body_truncated: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<i64>,
    /// What to do, when none could be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// How every account stands, when none could be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Vec<AccountStanding>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing was shown to the client.
    BeforeOutput,
    /// `accepted` had been sent.
    AfterOutput,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AccountStanding {
    pub account: String,
    pub state: AccountState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

/// A completion as one answer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Collected {
    /// The terminal `response` object, raw.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub response: Box<RawValue>,
    /// Account id.
    pub account: String,
    pub attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub usage: Option<Box<RawValue>>,
    /// As in `done`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_dropped: Option<ReasoningDropped>,
    /// As in `done`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
}

/// `{subscription}` or `[subscription]`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CancelComplete {
    pub subscription: SubscriptionId,
}

/// `complete`
#[derive(Debug)]
pub struct Complete;

impl Method for Complete {
    const NAME: &'static str = "complete";
    const SUMMARY: &'static str = "Streams one completion through the best account. Answers a subscription id, then sends `complete` notifications.";
    const ERRORS: &'static [ErrorKind] = &[ErrorKind::AccountNotFound, ErrorKind::AccountAmbiguous];
    type Params = CompleteParams;
    type Result = SubscriptionId;
}

/// `complete/cancel`
#[derive(Debug)]
pub struct CompleteCancel;

impl Method for CompleteCancel {
    const NAME: &'static str = "complete/cancel";
    const SUMMARY: &'static str =
        "Aborts a completion, which then ends with `cancelled`. False when it had ended.";
    const ERRORS: &'static [ErrorKind] = &[];
    type Params = CancelComplete;
    type Result = bool;
}

/// `complete/collect`
#[derive(Debug)]
pub struct Collect;

impl Method for Collect {
    const NAME: &'static str = "complete/collect";
    const SUMMARY: &'static str = "A completion as one answer instead of a stream.";
    const ERRORS: &'static [ErrorKind] = &[
        ErrorKind::AccountNotFound,
        ErrorKind::AccountAmbiguous,
        ErrorKind::LoginRequired,
        ErrorKind::NoAvailableAccount,
        ErrorKind::AccountUnavailable,
        ErrorKind::Upstream,
    ];
    type Params = CompleteParams;
    type Result = Collected;
}
