//! Moves queued messages to the output: the only task that writes there.
//!
//! It refuses to write before the client has shown its framing, and to copy a message into a second queue.

use std::io;

use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot, watch};

use super::framing::{Framing, encode};
use super::stdio::Output;

/// A buffer of this size is written even though more is queued.
const FLUSH_BYTES: usize = 32 * 1024;
/// A buffer that grew beyond this is given back after its write.
const KEPT_BYTES: usize = 256 * 1024;

/// Writes until the queue ends: all senders gone, or `stop`, after which what is queued is still written.
/// On an error the queue is closed, which every sender notices.
pub async fn write_queue(
    mut output: Output,
    mut queue: mpsc::Receiver<Box<RawValue>>,
    mut framing: watch::Receiver<Option<Framing>>,
    mut stop: oneshot::Receiver<()>,
) -> io::Result<()> {
    let mut stopped = false;
    let mut buffer = Vec::new();
    loop {
        let message = tokio::select! {
            biased;
            message = queue.recv() => message,
            _ = &mut stop, if !stopped => {
                stopped = true;
                queue.close();
                continue;
            }
        };
        let Some(message) = message else { return Ok(()) };
        let framing = chosen(&mut framing).await;
        encode(framing, message.get(), &mut buffer);
        drop(message);
        while buffer.len() < FLUSH_BYTES {
            // Senders that wait for a place in the queue, or would send next, get one turn to add to this write.
            let next = match queue.try_recv() {
                Ok(next) => Ok(next),
                Err(_) => {
                    tokio::task::yield_now().await;
                    queue.try_recv()
                }
            };
            let Ok(next) = next else { break };
            encode(framing, next.get(), &mut buffer);
        }
        output.write_all(&buffer).await?;
        buffer.clear();
        if buffer.capacity() > KEPT_BYTES {
            buffer = Vec::new();
        }
    }
}

/// The framing of the first message; lines when the connection ended without one.
async fn chosen(framing: &mut watch::Receiver<Option<Framing>>) -> Framing {
    match framing.wait_for(Option::is_some).await {
        Ok(chosen) => chosen.unwrap_or(Framing::Lines),
        Err(_) => Framing::Lines,
    }
}
