//! Records one attempt in the history, however it ends: when the client cancels or disconnects, or the deadline passes,
//! dropping the recorder records it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::attempt::AttemptEnd;
use super::run::Terminal;
use crate::pool::{AccountId, At, AttemptRecord, AttemptResult, ReasoningDropped, SentRequest, TokenCount};
use crate::protocol::Outcome;
use crate::sidecar::Sidecar;
use crate::upstream::token_count;

/// Upstream has no longer model names.
const MAX_MODEL_CHARS: usize = 64;

pub(crate) struct AttemptRecorder {
    sidecar: Arc<Sidecar>,
    account: AccountId,
    model: Option<String>,
    at: At,
    began: Instant,
    deadline: Option<Instant>,
    first_event: Option<Duration>,
    sent: Option<SentRequest>,
    switched: bool,
    reasoning_dropped: ReasoningDropped,
    recorded: bool,
}

impl AttemptRecorder {
    pub(crate) fn begin(
        sidecar: &Arc<Sidecar>,
        account: &AccountId,
        model: Option<&str>,
        deadline: Option<Instant>,
    ) -> Self {
        AttemptRecorder {
            sidecar: sidecar.clone(),
            account: account.clone(),
            model: model.map(printable),
            at: sidecar.registry.now(),
            began: Instant::now(),
            deadline,
            first_event: None,
            sent: None,
            switched: false,
            reasoning_dropped: ReasoningDropped::default(),
            recorded: false,
        }
    }

    pub(crate) fn first_event(&mut self) {
        self.first_event.get_or_insert(self.began.elapsed());
    }

    /// Of several requests of one attempt the last one counts.
    pub(crate) fn sent(&mut self, sent: SentRequest) {
        self.sent = Some(sent);
    }

    /// What it cost that this account served the session.
    pub(crate) fn served(&mut self, switched: bool, reasoning_dropped: ReasoningDropped) {
        self.switched = switched;
        self.reasoning_dropped = reasoning_dropped;
    }

    pub(crate) fn ended(mut self, outcome: AttemptResult, reason: Option<&str>, tokens: Option<TokenCount>) {
        self.record(outcome, reason, tokens);
    }

    fn record(&mut self, outcome: AttemptResult, reason: Option<&str>, tokens: Option<TokenCount>) {
        self.recorded = true;
        self.sidecar.history.record(AttemptRecord {
            at: self.at,
            account: self.account.clone(),
            model: self.model.take(),
            outcome,
            reason: reason.map(str::to_owned),
            tokens,
            first_event: self.first_event,
            sent: self.sent,
            switched: self.switched,
            reasoning_dropped: self.reasoning_dropped,
            total: self.began.elapsed(),
        });
    }
}

impl AttemptEnd {
    pub(crate) fn record(&self, recorder: AttemptRecorder) {
        match self {
            AttemptEnd::Ended(Terminal::Done { outcome, receipt, .. }) => {
                let outcome = match outcome {
                    Outcome::Completed => AttemptResult::Completed,
                    Outcome::Incomplete => AttemptResult::Incomplete,
                };
                recorder.ended(outcome, None, receipt.usage.as_deref().and_then(token_count));
            }
            AttemptEnd::Ended(Terminal::Failed(failed)) => {
                recorder.ended(AttemptResult::Failed, Some(&failed.kind), None);
            }
            AttemptEnd::Ended(Terminal::Cancelled) => {
                recorder.ended(AttemptResult::Cancelled, None, None);
            }
            AttemptEnd::Surfaced(failed_attempt) => {
                recorder.ended(AttemptResult::Failed, Some(failed_attempt.failure.kind.name()), None);
            }
            AttemptEnd::Moved { failed_attempt, .. } => {
                recorder.ended(AttemptResult::Rotated, Some(failed_attempt.failure.kind.name()), None);
            }
        }
    }
}

impl Drop for AttemptRecorder {
    fn drop(&mut self) {
        if self.recorded {
            return;
        }
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            self.record(AttemptResult::Failed, Some("deadline"), None);
        } else {
            self.record(AttemptResult::Cancelled, None, None);
        }
    }
}

fn printable(model: &str) -> String {
    model.chars().filter(|c| !c.is_control()).take(MAX_MODEL_CHARS).collect()
}
