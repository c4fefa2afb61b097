//! A completion for a client with another protocol: its request unchanged, and the result piece by piece. Translates
//! nothing.

use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::collect::{CollectError, collect_prepared};
use super::request::PreparedCompletion;
use super::sink::{CompletionSink, Disconnected};
use crate::protocol::{Collected, Failed, Notice, RpcError};
use crate::sidecar::Sidecar;
use crate::upstream::Event;

/// How many blocks of events may wait for the client before upstream is no longer read.
const BLOCKS_AHEAD: usize = 2;
/// A larger block is sent instead of extended.
const FULL_BLOCK_BYTES: usize = 32 * 1024;

/// A request of the public Responses API.
#[derive(Debug)]
pub struct RelayRequest {
    pub body: Box<RawValue>,
    /// Headers that may be forwarded, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The client's name of its conversation; its prompt cache key when absent.
    pub session: Option<String>,
}

/// A piece of a completion. The first one decides how the client is answered.
#[derive(Debug)]
pub enum Relayed {
    /// Every account is out, and the completion waits for a reset.
    Waits,
    /// An account answers. Names are in lower case.
    Accepted { headers: Vec<(String, String)> },
    /// At least one event.
    Events(Vec<Event>),
    /// The completion ended, and the last event said so.
    Done,
    /// The completion ended. After output, upstream's own error is among the events, if there was one.
    Failed(Box<Failed>),
}

/// The pieces of a running completion. Dropping it aborts the request upstream.
pub type Relay = mpsc::Receiver<Relayed>;

/// Begins a completion.
///
/// # Errors
///
/// A body or a header that cannot be sent; `data.path` names it.
pub fn relay(sidecar: &Arc<Sidecar>, request: &RelayRequest) -> Result<Relay, RpcError> {
    let prepared = PreparedCompletion::relayed(sidecar, request)?;
    let (sender, receiver) = mpsc::channel(BLOCKS_AHEAD);
    tokio::spawn(async move {
        let client = sender.clone();
        let sink = CompletionSink::Relay(RelaySender { sender, block: Vec::new(), bytes: 0 });
        prepared.begin().await.run(sink, client.closed()).await;
    });
    Ok(receiver)
}

/// Runs a completion to its end and returns the response as one object.
///
/// # Errors
///
/// A body or a header that cannot be sent, or how the completion failed.
pub async fn collect_relayed(
    sidecar: &Arc<Sidecar>,
    request: &RelayRequest,
) -> Result<Collected, CollectError> {
    collect_prepared(PreparedCompletion::relayed(sidecar, request)?).await
}

/// The sending end, and the events to send together.
pub(crate) struct RelaySender {
    sender: mpsc::Sender<Relayed>,
    block: Vec<Event>,
    bytes: usize,
}

impl RelaySender {
    pub(super) async fn send_notice(&mut self, notice: Notice<'_>) -> Result<(), Disconnected> {
        self.flush().await?;
        let piece = match notice {
            Notice::Accepted { headers, .. } => {
                let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
                Relayed::Accepted { headers: headers.into_iter().map(owned).collect() }
            }
            Notice::Rotated { until: Some(_), to: None, reason, .. }
                if reason.kind == "no_available_account" =>
            {
                Relayed::Waits
            }
            Notice::Done { .. } => Relayed::Done,
            Notice::Error { error } => Relayed::Failed(Box::new(error)),
            Notice::Rotated { .. } | Notice::Event { .. } | Notice::Cancelled => return Ok(()),
        };
        self.send(piece).await
    }

    pub(super) async fn push(&mut self, event: &Event) -> Result<(), Disconnected> {
        self.bytes += event.json().len();
        self.block.push(event.clone());
        if self.bytes < FULL_BLOCK_BYTES { Ok(()) } else { self.flush().await }
    }

    pub(super) async fn flush(&mut self) -> Result<(), Disconnected> {
        if self.block.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        let block = std::mem::take(&mut self.block);
        self.send(Relayed::Events(block)).await
    }

    async fn send(&self, piece: Relayed) -> Result<(), Disconnected> {
        self.sender.send(piece).await.map_err(|_| Disconnected)
    }
}
