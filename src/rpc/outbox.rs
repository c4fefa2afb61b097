//! The output: one bounded queue for answers, notifications and whole blocks of them, so that they stay in order.
//!
//! It does not grow: a sender waits while the client does not read.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{mpsc, watch};

use super::block::Block;
use super::framing::Framing;

/// How many messages and blocks may wait for the writer. Few, because one message can be megabytes, and waiting senders
/// lose nothing.
pub const QUEUE_MESSAGES: usize = 8;

/// Sends messages from anywhere in the process.
#[derive(Debug, Clone)]
pub struct Outbox {
    queue: mpsc::Sender<Outgoing>,
    framing: watch::Receiver<Option<Framing>>,
}

/// The writer's end of the queue.
#[derive(Debug)]
pub struct Queue(mpsc::Receiver<Outgoing>);

/// The next item of the output.
#[derive(Debug)]
pub enum Outgoing {
    Message(Box<RawValue>),
    /// Messages that are already in the client's framing.
    Block(Vec<u8>),
}

/// The client cannot be reached any more; no later message will arrive either.
#[derive(Debug, thiserror::Error)]
#[error("the connection has ended")]
pub struct Closed;

impl Outbox {
    /// `framing` is the client's, once it is known.
    pub fn new(framing: watch::Receiver<Option<Framing>>) -> (Self, Queue) {
        let (queue, receiver) = mpsc::channel(QUEUE_MESSAGES);
        (Self { queue, framing }, Queue(receiver))
    }

    /// Queues one notification; waits while the queue is full. `params` must serialize to an object or an array. When
    /// this returns, the message is in order after everything queued before.
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
        self.queue.send(Outgoing::Message(message)).await.map_err(|_| Closed)
    }

    /// Queues the message in `slot` and empties it. If this future is dropped early, the slot still holds the message.
    pub async fn send_from(&self, slot: &mut Option<Box<RawValue>>) -> Result<(), Closed> {
        if slot.is_none() {
            return Ok(());
        }
        let place = self.queue.reserve().await.map_err(|_| Closed)?;
        if let Some(message) = slot.take() {
            place.send(Outgoing::Message(message));
        }
        Ok(())
    }

    /// Returns an empty block in the client's framing, which is known before there is any answer.
    pub fn block(&self) -> Block {
        Block::new(self.framing.borrow().unwrap_or(Framing::Lines))
    }

    /// Queues all messages of the block and empties it. If this future is dropped early, the block still holds them.
    pub async fn send_block(&self, block: &mut Block) -> Result<(), Closed> {
        if block.is_empty() {
            return Ok(());
        }
        let place = self.queue.reserve().await.map_err(|_| Closed)?;
        place.send(Outgoing::Block(block.take()));
        Ok(())
    }

    /// Returns when the client can no longer be reached.
    pub async fn closed(&self) {
        self.queue.closed().await;
    }

    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }
}

impl Queue {
    /// `None` when it is closed or all senders are gone, and nothing is left.
    pub async fn next(&mut self) -> Option<Outgoing> {
        self.0.recv().await
    }

    /// Returns an item that is already there.
    pub fn at_hand(&mut self) -> Option<Outgoing> {
        self.0.try_recv().ok()
    }

    /// Accepts nothing more; queued items can still be read.
    pub fn close(&mut self) {
        self.0.close();
    }
}
