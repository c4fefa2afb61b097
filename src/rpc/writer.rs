//! Moves queued messages to the output: the only task that writes there.
//!
//! It refuses to write before the client has shown its framing, and to copy a message into a second queue.

use std::io;

use tokio::sync::{oneshot, watch};

use super::framing::{Framing, encode};
use super::outbox::{Outgoing, Queue};
use super::stdio::Output;

/// A buffer of this size is written even though more is queued.
const FLUSH_BYTES: usize = 32 * 1024;
/// A buffer that grew beyond this is given back after its write.
const KEPT_BYTES: usize = 256 * 1024;

/// Writes until the queue ends: all senders gone, or `stop`, after which what is queued is still written.
/// On an error the queue is closed, which every sender notices.
pub async fn write_queue(
    mut output: Output,
    mut queue: Queue,
    mut framing: watch::Receiver<Option<Framing>>,
    mut stop: oneshot::Receiver<()>,
) -> io::Result<()> {
    let mut stopped = false;
    let mut buffer = Vec::new();
    loop {
        let next = tokio::select! {
            biased;
            next = queue.next() => next,
            _ = &mut stop, if !stopped => {
                stopped = true;
                queue.close();
                continue;
            }
        };
        let Some(next) = next else { return Ok(()) };
        let framing = chosen(&mut framing).await;
        append(framing, next, &mut buffer);
        while buffer.len() < FLUSH_BYTES {
            let Some(next) = queue.at_hand() else { break };
            append(framing, next, &mut buffer);
        }
        output.write_all(&buffer).await?;
        buffer.clear();
        if buffer.capacity() > KEPT_BYTES {
            buffer = Vec::new();
        }
    }
}

fn append(framing: Framing, next: Outgoing, buffer: &mut Vec<u8>) {
    match next {
        Outgoing::Message(message) => encode(framing, message.get(), buffer),
        Outgoing::Block(bytes) if buffer.is_empty() => *buffer = bytes,
        Outgoing::Block(bytes) => buffer.extend_from_slice(&bytes),
    }
}

/// The framing of the first message; lines when the connection ended without one.
async fn chosen(framing: &mut watch::Receiver<Option<Framing>>) -> Framing {
    match framing.wait_for(Option::is_some).await {
        Ok(chosen) => chosen.unwrap_or(Framing::Lines),
        Err(_) => Framing::Lines,
    }
}
