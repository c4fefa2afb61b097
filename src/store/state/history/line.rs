//! One line of the history: `{"try":{…}}`, or `{"sum":{…}}` for attempts that are no longer listed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::pool::{
    AccountId, At, AttemptRecord, AttemptResult, Day, History, ReasoningDropped, SentRequest, Tally,
    TokenCount, TransportUsed,
};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Line {
    Try(TryLine),
    Sum(SumLine),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TryLine {
    at: i64,
    account: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokens: Option<Tokens>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_event_ms: Option<u64>,
    total_ms: u64,
    /// What was sent, and over what; absent in what older versions wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent: Option<Sent>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    switched: bool,
    #[serde(default, skip_serializing_if = "Dropped::is_empty")]
    reasoning_dropped: Dropped,
}

/// Items of reasoning by the reason for which they were dropped.
#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Dropped {
    organization_mismatch: u32,
    end_user_mismatch: u32,
    model_mismatch: u32,
    prefix_mismatch: u32,
    encrypted: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    transport: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    continued: bool,
    bytes: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    saved_bytes: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SumLine {
    day: i64,
    account: String,
    attempts: u64,
    completed: u64,
    rotated: u64,
    failed: u64,
    cancelled: u64,
    tokens: Tokens,
    #[serde(default, skip_serializing_if = "is_zero")]
    continued: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    saved_bytes: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    switches: u64,
    #[serde(default, skip_serializing_if = "Dropped::is_empty")]
    reasoning_dropped: Dropped,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Completed,
    Incomplete,
    Rotated,
    Failed,
    Cancelled,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Tokens {
    input: u64,
    cached: u64,
    output: u64,
}

impl Line {
    pub(crate) fn of_try(tried: &AttemptRecord) -> Self {
        Line::Try(TryLine {
            at: tried.at.millis(),
            account: tried.account.to_string(),
            model: tried.model.clone(),
            outcome: match tried.outcome {
                AttemptResult::Completed => Outcome::Completed,
                AttemptResult::Incomplete => Outcome::Incomplete,
                AttemptResult::Rotated => Outcome::Rotated,
                AttemptResult::Failed => Outcome::Failed,
                AttemptResult::Cancelled => Outcome::Cancelled,
            },
            reason: tried.reason.clone(),
            tokens: tried.tokens.map(Tokens::from),
            first_event_ms: tried.first_event.map(millis),
            total_ms: millis(tried.total),
            sent: tried.sent.map(Sent::from),
            switched: tried.switched,
            reasoning_dropped: tried.reasoning_dropped.into(),
        })
    }

    pub(crate) fn of_sum(day: Day, account: &AccountId, tally: &Tally) -> Self {
        Line::Sum(SumLine {
            day: day.0,
            account: account.to_string(),
            attempts: tally.attempts,
            completed: tally.completed,
            rotated: tally.rotated,
            failed: tally.failed,
            cancelled: tally.cancelled,
            tokens: tally.tokens.into(),
            continued: tally.continued,
            saved_bytes: tally.saved_bytes,
            switches: tally.switches,
            reasoning_dropped: tally.reasoning_dropped.into(),
        })
    }

    /// Returns `None` for an unknown kind of line.
    pub(crate) fn read(line: &[u8]) -> Result<Option<Line>, serde_json::Error> {
        match serde_json::from_slice::<Line>(line) {
            Ok(line) => Ok(Some(line)),
            Err(error) => {
                let members: Map<String, Value> = serde_json::from_slice(line)?;
                let known = members.contains_key("try") || members.contains_key("sum");
                if known { Err(error) } else { Ok(None) }
            }
        }
    }

    pub(crate) fn into_text(self) -> String {
        // Numbers and strings always become JSON, so an empty line cannot occur.
        let mut text = serde_json::to_string(&self).unwrap_or_default();
        text.push('\n');
        text
    }

    pub(crate) fn take_into(self, history: &mut History) {
        match self {
            Line::Try(tried) => history.tries.push(tried.into()),
            Line::Sum(sum) => {
                let tally = Tally {
                    attempts: sum.attempts,
                    completed: sum.completed,
                    rotated: sum.rotated,
                    failed: sum.failed,
                    cancelled: sum.cancelled,
                    tokens: sum.tokens.into(),
                    continued: sum.continued,
                    saved_bytes: sum.saved_bytes,
                    switches: sum.switches,
                    reasoning_dropped: sum.reasoning_dropped.into(),
                };
                let key = (Day(sum.day), AccountId::new(sum.account));
                history.sums.entry(key).or_default().add(&tally);
            }
        }
    }
}

impl From<TryLine> for AttemptRecord {
    fn from(line: TryLine) -> Self {
        AttemptRecord {
            at: At(line.at),
            account: AccountId::new(line.account),
            model: line.model,
            outcome: match line.outcome {
                Outcome::Completed => AttemptResult::Completed,
                Outcome::Incomplete => AttemptResult::Incomplete,
                Outcome::Rotated => AttemptResult::Rotated,
                Outcome::Failed => AttemptResult::Failed,
                Outcome::Cancelled => AttemptResult::Cancelled,
            },
            reason: line.reason,
            tokens: line.tokens.map(TokenCount::from),
            first_event: line.first_event_ms.map(Duration::from_millis),
            total: Duration::from_millis(line.total_ms),
            sent: line.sent.and_then(Sent::into_request),
            switched: line.switched,
            reasoning_dropped: line.reasoning_dropped.into(),
        }
    }
}

impl From<SentRequest> for Sent {
    fn from(sent: SentRequest) -> Self {
        Sent {
            transport: sent.transport.name().to_owned(),
            continued: sent.continued,
            bytes: sent.bytes,
            saved_bytes: sent.saved_bytes,
        }
    }
}

impl Sent {
    /// `None` for a transport of a later version.
    fn into_request(self) -> Option<SentRequest> {
        Some(SentRequest {
            transport: TransportUsed::from_name(&self.transport)?,
            continued: self.continued,
            bytes: self.bytes,
            saved_bytes: self.saved_bytes,
        })
    }
}

impl Dropped {
    fn is_empty(&self) -> bool {
        *self == Dropped::default()
    }
}

impl From<ReasoningDropped> for Dropped {
    fn from(dropped: ReasoningDropped) -> Self {
        let ReasoningDropped {
            organization_mismatch,
            end_user_mismatch,
            model_mismatch,
            prefix_mismatch,
            encrypted,
        } = dropped;
        Dropped { organization_mismatch, end_user_mismatch, model_mismatch, prefix_mismatch, encrypted }
    }
}

impl From<Dropped> for ReasoningDropped {
    fn from(dropped: Dropped) -> Self {
        let Dropped { organization_mismatch, end_user_mismatch, model_mismatch, prefix_mismatch, encrypted } =
            dropped;
        ReasoningDropped {
            organization_mismatch,
            end_user_mismatch,
            model_mismatch,
            prefix_mismatch,
            encrypted,
        }
    }
}

impl From<TokenCount> for Tokens {
    fn from(count: TokenCount) -> Self {
        Tokens { input: count.input, cached: count.cached, output: count.output }
    }
}

impl From<Tokens> for TokenCount {
    fn from(tokens: Tokens) -> Self {
        TokenCount { input: tokens.input, cached: tokens.cached, output: tokens.output }
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
