//! `complete`: one completion, streamed as notifications; `complete/collect`: the same as one answer.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::lenient;
use super::{AccountState, ErrorKind, Method, NotContinued, PlanStep, Transport, TransportUsed};

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CompleteParams {
    /// An OpenAI Responses body, sent byte for byte. `stream: true` and `store: false` are added when absent or null;
    /// `stream: false`, `store: true` and a `model` of more than 256 bytes are refused.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub request: Box<RawValue>,
    /// The session for affinity: the account that served it last is kept while it can serve. It is also sent as
    /// `prompt_cache_key` when the body has none (hashed when longer than 64 characters).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Use only this account (id, label or e-mail), without rotation. When it cannot be used, the completion ends with
    /// `account_unavailable` and no request is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Request headers for upstream, from a short list.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::strings")]
    pub headers: Option<BTreeMap<String, String>>,
    /// Limit for the whole completion, all attempts included; none when absent. Ends it with `deadline`.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub deadline_ms: Option<u64>,
    /// How to talk to upstream; the setting `transport` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// How long upstream may send nothing; 300000 when absent. Before output it fails the attempt, after output the
    /// completion (`idle_timeout`).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub idle_timeout_ms: Option<u64>,
    /// Whether Luna Reserve, whose model is a weaker one, may answer when every account is out. It outweighs the setting
    /// `reserve`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_reserve: Option<bool>,
}

/// `c1`, `c2`, …, unique within one connection.
pub type SubscriptionId = String;

/// The `result` of one `complete` notification. A completion sends, in this order: `rotated` zero or more times,
/// `accepted` at most once, `event` for each upstream event, and exactly one of `done`, `error` and `cancelled`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Notice<'a> {
    /// An attempt failed before any output. `to` is the account that is tried next; it is absent when there is none, or
    /// when the completion waits for one.
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
        /// Luna Reserve answers, with another model than the one that was asked for.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        reserve: bool,
        /// x-request-id, openai-model, retry-after and the x-codex-* family.
        headers: BTreeMap<&'a str, &'a str>,
    },
    /// One event of upstream, unchanged.
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
        /// Upstream's `usage` member, unchanged.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
        usage: Option<&'a RawValue>,
        /// Reasoning that upstream removed from the input, e.g. after a switch of accounts. Absent when none was removed.
        #[serde(skip_serializing_if = "Option::is_none")]
        reasoning_dropped: Option<ReasoningDropped>,
        /// Members that were left out of the request because upstream refuses them: `max_output_tokens`.
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        dropped: &'a [&'a str],
        transport: TransportUsed,
        /// Only what is new in the conversation was sent; never over SSE.
        continued: bool,
        /// Of the body or frame, as it was sent.
        sent_bytes: u64,
        /// Why everything was sent over a WebSocket.
        #[serde(skip_serializing_if = "Option::is_none")]
        not_continued: Option<NotContinued>,
        timing: Timing,
    },
    /// The completion failed.
    #[schemars(title = "ErrorNotice")]
    Error { error: Failed },
    /// After `complete/cancel`.
    #[schemars(title = "CancelledNotice")]
    Cancelled,
}

impl Notice<'_> {
    /// The text of [`Notice::Event`] before and after the event: thousands of events are sent without being parsed.
    pub const AROUND_EVENT: (&'static str, &'static str) = (r#"{"type":"event","event":"#, "}");
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
    /// From the request to the first event that was sent to the client.
    pub first_event_ms: u64,
    pub total_ms: u64,
}

/// How many reasoning items were removed from the input, by upstream's reason. Removal at a turn boundary is normal and is
/// not counted.
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
    /// An earlier part of the conversation was edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix_mismatch: Option<u32>,
    /// The sidecar removed it, because upstream refused the encrypted content of another account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<u32>,
}

impl ReasoningDropped {
    /// Returns the items of all reasons together.
    pub fn total(&self) -> u64 {
        let ReasoningDropped {
            organization_mismatch,
            end_user_mismatch,
            model_mismatch,
            prefix_mismatch,
            encrypted,
        } = *self;
        let counts = [organization_mismatch, end_user_mismatch, model_mismatch, prefix_mismatch, encrypted];
        counts.into_iter().flatten().map(u64::from).sum()
    }
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

/// Why a completion failed. `status` and `body` are upstream's last answer, so that a client can treat them as if it had
/// called upstream itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    pub kind: String,
    pub message: String,
    pub phase: Phase,
    /// How many attempts were made.
    pub attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Upstream's last body, at most 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub body_truncated: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<i64>,
    /// What to do next, when no account could be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The state of every account, when none could be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Vec<AccountStanding>>,
    /// What is left to do, in this order, when no account could serve.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plan: Vec<PlanStep>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The client has received no output.
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
    /// The final `response` object of upstream, unchanged.
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
    pub transport: TransportUsed,
    /// As in `done`.
    pub continued: bool,
    /// As in `done`.
    pub sent_bytes: u64,
    /// As in `done`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_continued: Option<NotContinued>,
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
    const SUMMARY: &'static str = "Streams one completion through the best account: answers a subscription id, then sends `complete` notifications.";
    const DESCRIPTION: &'static str = "\
        The notifications and their order are in [the flows](protocol.md#flow-1-from-the-start-to-an-answer). \
        It is refused in batches (-32600). These request headers are allowed; any other is refused with -32602 \
        and its name in `path`: `originator`, `user-agent`, `session-id`, `session_id`, `thread-id`, \
        `conversation_id`, `x-client-request-id`, `openai-beta`, `version`, `x-codex-*`, `accept-language`, \
        `x-openai-internal-codex-responses-lite`.";
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
        "Cancels a completion, which then ends with `cancelled`. Answers false when it had ended before.";
    const ERRORS: &'static [ErrorKind] = &[];
    type Params = CancelComplete;
    type Result = bool;
}

/// `complete/collect`
#[derive(Debug)]
pub struct CompleteCollect;

impl Method for CompleteCollect {
    const NAME: &'static str = "complete/collect";
    const SUMMARY: &'static str = "Makes one completion and answers with its final response.";
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_around_an_event_is_that_of_the_notice() {
        let (before, after) = Notice::AROUND_EVENT;
        let notice = serde_json::to_string(&Notice::Event { event: RawValue::NULL });
        assert_eq!(notice.ok(), Some(format!("{before}null{after}")));
    }
}
