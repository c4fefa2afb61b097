//! Who listens to a completion: a subscription that gets every notice, a caller that wants the end of it, or one that
//! relays it.

use jsonrpsee::types::{SubscriptionPayload, SubscriptionResponse};
use jsonrpsee::{SubscriptionMessage, SubscriptionSink};
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::collected_output::CollectedOutput;
use super::relay::RelaySender;
use crate::protocol::{Failed, Notice, Outcome, ReasoningDropped};
use crate::rpc::{Block, Outbox};
use crate::upstream::Event;

pub(crate) enum CompletionSink {
    Stream(Stream),
    Collect(Collector),
    /// For a client that speaks another protocol.
    Relay(RelaySender),
    /// Every notice as JSON, for a reader in this process.
    Channel(mpsc::Sender<Box<RawValue>>),
}

/// A subscription, and its events that are to go out together.
pub(crate) struct Stream {
    sink: SubscriptionSink,
    outbox: Outbox,
    block: Block,
    /// The notification of an event, up to the event and from there on.
    around: (String, String),
}

/// The client is gone.
#[derive(Debug)]
pub(crate) struct Disconnected;

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
}

impl CompletionSink {
    /// Waits while the client does not read, so that upstream is not read either.
    pub(crate) async fn send_notice(&mut self, notice: Notice<'_>) -> Result<(), Disconnected> {
        match self {
            CompletionSink::Stream(stream) => {
                stream.flush().await?;
                let (method, id) = (stream.sink.method_name(), stream.sink.subscription_id());
                let message = SubscriptionMessage::new(method, id, &notice).map_err(|_| Disconnected)?;
                stream.sink.send(message).await.map_err(|_| Disconnected)
            }
            CompletionSink::Collect(collector) => {
                collector.take(notice);
                Ok(())
            }
            CompletionSink::Relay(relay) => relay.send_notice(notice).await,
            CompletionSink::Channel(channel) => send(channel, &notice).await,
        }
    }

    /// Queues one event; events go out together. Call [`CompletionSink::flush`] before waiting for anything. Waits for the
    /// client itself when the queue is full.
    pub(crate) async fn send_event(&mut self, event: &Event) -> Result<(), Disconnected> {
        match self {
            CompletionSink::Stream(stream) => {
                let (before, after) = &stream.around;
                stream.block.push([before.as_bytes(), event.json(), after.as_bytes()]);
                if stream.block.is_full() { stream.flush().await } else { Ok(()) }
            }
            CompletionSink::Collect(collector) => {
                collector.output.add(event);
                // Only the terminal event matters; the one before it is replaced.
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
            CompletionSink::Stream(stream) => stream.flush().await,
            CompletionSink::Relay(relay) => relay.flush().await,
            CompletionSink::Collect(_) | CompletionSink::Channel(_) => Ok(()),
        }
    }
}

async fn send(channel: &mpsc::Sender<Box<RawValue>>, notice: &Notice<'_>) -> Result<(), Disconnected> {
    let json = serde_json::value::to_raw_value(notice).map_err(|_| Disconnected)?;
    channel.send(json).await.map_err(|_| Disconnected)
}

impl Stream {
    pub(crate) fn new(sink: SubscriptionSink, outbox: Outbox) -> Self {
        let around = around_an_event(&sink);
        Stream { sink, block: outbox.block(), outbox, around }
    }

    async fn flush(&mut self) -> Result<(), Disconnected> {
        self.outbox.send_block(&mut self.block).await.map_err(|_| Disconnected)
    }
}

/// What every event of a subscription has in common, taken from a notice as the protocol spells it.
fn around_an_event(sink: &SubscriptionSink) -> (String, String) {
    let payload = SubscriptionPayload {
        subscription: sink.subscription_id(),
        result: Notice::Event { event: RawValue::NULL },
    };
    let notice = SubscriptionResponse::new(sink.method_name().into(), payload);
    #[expect(
        clippy::expect_used,
        reason = "wire types have string keys, and nothing follows the event but brackets"
    )]
    let notice = serde_json::to_string(&notice).expect("a wire type");
    #[expect(clippy::expect_used, reason = "the event of this notice is `null`")]
    let (before, after) = notice.rsplit_once(RawValue::NULL.get()).expect("an event");
    (before.to_owned(), after.to_owned())
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
                ..
            } => {
                self.ended = Some(Ok(CollectedEnd {
                    account: account.to_owned(),
                    attempts,
                    usage: usage.map(ToOwned::to_owned),
                    reasoning_dropped,
                    dropped: dropped.iter().map(ToString::to_string).collect(),
                }));
            }
            Notice::Error { error } => self.ended = Some(Err(error)),
            Notice::Rotated { .. } | Notice::Accepted { .. } | Notice::Event { .. } | Notice::Cancelled => {}
        }
    }
}
