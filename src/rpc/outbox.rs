//! The way out: one bounded queue for answers and notifications alike, so that nothing overtakes anything.
//!
//! It refuses to grow: whoever sends waits while the client does not read.

use jsonrpsee::MethodSink;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::mpsc;

/// Messages that may wait for the writer. Few, because one message can be megabytes and senders wait without
/// loss; the writer lets them refill the queue before it writes a small buffer.
pub const QUEUE_MESSAGES: usize = 8;

/// Sends notifications from anywhere in the process.
#[derive(Debug, Clone)]
pub struct Outbox {
    queue: mpsc::Sender<Box<RawValue>>,
}

/// The client can no longer be reached; no later message will arrive either.
#[derive(Debug, thiserror::Error)]
#[error("the connection has ended")]
pub struct Closed;

impl Outbox {
    pub fn new() -> (Self, mpsc::Receiver<Box<RawValue>>) {
        let (queue, messages) = mpsc::channel(QUEUE_MESSAGES);
        (Self { queue }, messages)
    }

    /// Queues one notification; waits while the queue is full. `params` must serialize to an object or an
    /// array. When this returns the message is in order behind all that was queued before.
    pub async fn notify(&self, method: &str, params: &impl Serialize) -> Result<(), Closed> {
        #[derive(Serialize)]
        struct Notification<'a, P> {
            jsonrpc: &'static str,
            method: &'a str,
            params: P,
        }
        #[expect(clippy::expect_used, reason = "wire types have string keys and serialize without failing")]
        let message = to_raw_value(&Notification { jsonrpc: "2.0", method, params }).expect("a wire type");
        self.send(message).await
    }

    /// Queues one whole message.
    pub async fn send(&self, message: Box<RawValue>) -> Result<(), Closed> {
        self.queue.send(message).await.map_err(|_| Closed)
    }

    /// Queues the message in `slot` and empties it; when this future is dropped early the slot still holds it.
    pub async fn send_from(&self, slot: &mut Option<Box<RawValue>>) -> Result<(), Closed> {
        if slot.is_none() {
            return Ok(());
        }
        let place = self.queue.reserve().await.map_err(|_| Closed)?;
        if let Some(message) = slot.take() {
            place.send(message);
        }
        Ok(())
    }

    /// Returns when the client can no longer be reached.
    pub async fn closed(&self) {
        self.queue.closed().await;
    }

    /// The same queue as jsonrpsee's subscriptions want it.
    pub fn sink(&self) -> MethodSink {
        MethodSink::new(self.queue.clone())
    }
}
