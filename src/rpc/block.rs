//! Messages that are written one after another in the client's framing, for streams of thousands: a block needs one
//! place in the queue and one write, and each message in it only its bytes.
//!
//! It does not check the messages: the caller guarantees that each is one JSON text.

use super::framing::{Framing, frame_parts};

/// A larger block is sent instead of extended: half a pipe.
pub const FULL_BYTES: usize = 32 * 1024;

#[derive(Debug)]
pub struct Block {
    framing: Framing,
    bytes: Vec<u8>,
}

impl Block {
    pub(super) fn new(framing: Framing) -> Self {
        Self { framing, bytes: Vec::new() }
    }

    /// Appends the message that these parts form together: a JSON text without line ends.
    pub fn push<const N: usize>(&mut self, parts: [&[u8]; N]) {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(FULL_BYTES + FULL_BYTES / 8);
        }
        frame_parts(self.framing, parts, &mut self.bytes);
    }

    pub fn is_full(&self) -> bool {
        self.bytes.len() >= FULL_BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}
