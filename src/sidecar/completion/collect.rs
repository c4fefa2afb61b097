//! `complete/collect`: a completion as one answer.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::request::PreparedCompletion;
use super::sink::{Collector, CompletionSink};
use crate::pool::FailureKind;
use crate::protocol::{Collected, CompleteParams, ErrorKind, Failed, RpcError};
use crate::sidecar::Sidecar;

/// The part of a terminal event that is the answer.
#[derive(Deserialize)]
struct TerminalEvent {
    response: Box<RawValue>,
}

/// Why there is no response.
#[derive(Debug)]
pub enum CollectError {
    /// The request was not sent.
    Refused(RpcError),
    Failed(Box<Failed>),
    /// The completion ended without a response.
    Broken(RpcError),
}

pub(crate) async fn collect(sidecar: Arc<Sidecar>, params: CompleteParams) -> Result<Collected, RpcError> {
    collect_prepared(PreparedCompletion::new(&sidecar, params)?).await.map_err(|error| match error {
        CollectError::Refused(error) | CollectError::Broken(error) => error,
        CollectError::Failed(error) => failed(*error),
    })
}

pub(super) async fn collect_prepared(prepared: PreparedCompletion) -> Result<Collected, CollectError> {
    let completion = prepared.begin().await;
    let CompletionSink::Collect(collector) =
        completion.run(CompletionSink::Collect(Collector::default()), std::future::pending()).await
    else {
        return Err(no_answer());
    };
    let ended = collector.ended.ok_or_else(no_answer)?;
    let end = ended.map_err(|failed| CollectError::Failed(Box::new(failed)))?;
    let event = collector.last_event.ok_or_else(no_answer)?;
    let terminal: TerminalEvent = serde_json::from_slice(event.json()).map_err(|error| {
        let why = format!("the terminal event has no response: {error}");
        CollectError::Broken(RpcError::new(ErrorKind::Upstream, why))
    })?;
    Ok(Collected {
        response: collector.output.fill(terminal.response),
        account: end.account,
        attempts: end.attempts,
        usage: end.usage,
        reasoning_dropped: end.reasoning_dropped,
        dropped: end.dropped,
        transport: end.transport,
        continued: end.continued,
        sent_bytes: end.sent_bytes,
        not_continued: end.not_continued,
    })
}

impl From<RpcError> for CollectError {
    fn from(refused: RpcError) -> Self {
        CollectError::Refused(refused)
    }
}

/// Runs a completion in this process: every notice is sent to `notices` as JSON, in the order of `complete`. Ends early
/// when the receiver is dropped.
///
/// # Errors
///
/// Params that `complete` refuses before it answers an id.
pub async fn complete_into(
    sidecar: &Arc<Sidecar>,
    params: CompleteParams,
    notices: mpsc::Sender<Box<RawValue>>,
) -> Result<(), RpcError> {
    let completion = PreparedCompletion::new(sidecar, params)?.begin().await;
    completion.run(CompletionSink::Channel(notices), std::future::pending()).await;
    Ok(())
}

fn no_answer() -> CollectError {
    CollectError::Broken(RpcError::new(ErrorKind::Internal, "the completion ended without a terminal notice"))
}

/// -32013 when there was no account to ask, -32012 when all need a login, -32015 for upstream's failures.
fn failed(failed: Failed) -> RpcError {
    let kind = match failed.kind.as_str() {
        "no_available_account" => ErrorKind::NoAvailableAccount,
        "account_unavailable" => ErrorKind::AccountUnavailable,
        "login_required" => ErrorKind::LoginRequired,
        _ => ErrorKind::Upstream,
    };
    let mut error = RpcError::new(kind, failed.message);
    error.data.hint = failed.hint;
    let passes = FailureKind::from_name(&failed.kind).is_some_and(FailureKind::passes_by_itself);
    error.data.retryable = passes || failed.retry_at.is_some();
    error.data.account = failed.account;
    error.data.retry_at = failed.retry_at;
    error.data.status = failed.status;
    error.data.code = failed.code;
    error.data.body = failed.body;
    error.data.body_truncated = failed.body_truncated;
    error.data.plan = failed.plan;
    error.data.cause = Some(failed.kind);
    error
}
