//! The receiver of a completion: a subscription that gets every notice, a caller that needs only the end, or a relay.

use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::collected_output::CollectedOutput;
use super::relay::RelaySender;
use crate::protocol::{Failed, NotContinued, Notice, Outcome, ReasoningDropped, TransportUsed};
use crate::rpc::{Closed, Subscription};
use crate::upstream::Event;

pub(crate) enum CompletionSink {
    Stream(Subscription),
    Collect(Collector),
    /// For a client that speaks another protocol.
    Relay(RelaySender),
    /// Every notice as JSON, for a reader in this process.
    Channel(mpsc::Sender<Box<RawValue>>),
}

/// The client is gone.
#[derive(Debug)]
pub(crate) struct Disconnected;

impl From<Closed> for Disconnected {
    fn from(_: Closed) -> Self {
        Disconnected
    }
}

/// What `complete/collect` keeps of a completion.
#[derive(Default)]
pub(crate) struct Collector {
    pub(crate) last_event: Option<Event>,
    pub(crate) output: CollectedOutput,
    pub(crate) ended: Option<Result<CollectedEnd, Failed>>,
}

pub(crate) struct CollectedEnd {
    pub(crate) account: String,
    pub(crate) attempts: u32,
    pub(crate) usage: Option<Box<RawValue>>,
    pub(crate) reasoning_dropped: Option<ReasoningDropped>,
    pub(crate) dropped: Vec<String>,
    pub(crate) transport: TransportUsed,
    pub(crate) continued: bool,
    pub(crate) sent_bytes: u64,
    pub(crate) not_continued: Option<NotContinued>,
}

impl CompletionSink {
    /// Waits while the client does not read, so that upstream is not read either.
    pub(crate) async fn send_notice(&mut self, notice: Notice<'_>) -> Result<(), Disconnected> {
        match self {
            CompletionSink::Stream(subscription) => Ok(subscription.notify(&notice).await?),
            CompletionSink::Collect(collector) => {
                collector.take(notice);
                Ok(())
            }
            CompletionSink::Relay(relay) => relay.send_notice(notice).await,
            CompletionSink::Channel(channel) => send(channel, &notice).await,
        }
    }

    /// Queues one event; events are sent together. Call [`CompletionSink::flush`] before waiting for anything. Waits
    /// for the client itself when the queue is full.
    pub(crate) async fn send_event(&mut self, event: &Event) -> Result<(), Disconnected> {
        match self {
            CompletionSink::Stream(subscription) => {
                let (before, after) = Notice::AROUND_EVENT;
                Ok(subscription.push([before.as_bytes(), event.json(), after.as_bytes()]).await?)
            }
            CompletionSink::Collect(collector) => {
                collector.output.add(event);
                // Only the terminal event is needed; it replaces the one before.
                collector.last_event = Some(event.clone());
                Ok(())
            }
            CompletionSink::Relay(relay) => relay.push(event).await,
            CompletionSink::Channel(channel) => {
                let event = serde_json::from_slice(event.json()).map_err(|_| Disconnected)?;
                send(channel, &Notice::Event { event }).await
            }
        }
    }

    /// Sends the queued events.
    pub(crate) async fn flush(&mut self) -> Result<(), Disconnected> {
        match self {
            CompletionSink::Stream(subscription) => Ok(subscription.flush().await?),
            CompletionSink::Relay(relay) => relay.flush().await,
            CompletionSink::Collect(_) | CompletionSink::Channel(_) => Ok(()),
        }
    }
}

async fn send(channel: &mpsc::Sender<Box<RawValue>>, notice: &Notice<'_>) -> Result<(), Disconnected> {
    let json = serde_json::value::to_raw_value(notice).map_err(|_| Disconnected)?;
    channel.send(json).await.map_err(|_| Disconnected)
}

impl Collector {
    fn take(&mut self, notice: Notice<'_>) {
        match notice {
            Notice::Done {
                outcome: Outcome::Completed | Outcome::Incomplete,
                account,
                attempts,
                usage,
                reasoning_dropped,
                dropped,
                transport,
                continued,
                sent_bytes,
                not_continued,
                timing: _,
            } => {
                self.ended = Some(Ok(CollectedEnd {
                    account: account.to_owned(),
                    attempts,
                    usage: usage.map(ToOwned::to_owned),
                    reasoning_dropped,
                    dropped: dropped.iter().map(ToString::to_string).collect(),
                    transport,
                    continued,
                    sent_bytes,
                    not_continued,
                }));
            }
            Notice::Error { error } => self.ended = Some(Err(error)),
            Notice::Rotated { .. } | Notice::Accepted { .. } | Notice::Event { .. } | Notice::Cancelled => {}
        }
    }
}
