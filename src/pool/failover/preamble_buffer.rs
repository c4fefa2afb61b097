//! How long preamble events are held back, so that a failed attempt can still be replaced without a trace. It holds no
//! events, only their size.

use std::time::Duration;

use crate::pool::At;

/// What to do with the events so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreambleState {
    Hold,
    Release,
}

/// The preamble is held until the first output, for up to 60 s and up to 1 MiB plus twice the size of the request's
/// body, because `response.created` and `response.in_progress` repeat its instructions and tools.
#[derive(Clone, Debug)]
pub struct PreambleBuffer {
    max_bytes: usize,
    bytes: usize,
    /// When the first event came.
    since: Option<At>,
    released: bool,
}

impl PreambleBuffer {
    pub const MAX_TIME: Duration = Duration::from_secs(60);
    const MAX_OWN_BYTES: usize = 1 << 20;

    /// `request_bytes` is the size of the request's body before compression.
    pub fn new(request_bytes: usize) -> Self {
        let max_bytes = Self::MAX_OWN_BYTES.saturating_add(request_bytes.saturating_mul(2));
        PreambleBuffer { max_bytes, bytes: 0, since: None, released: false }
    }

    /// Counts a preamble event of `len` bytes. Once released, it stays released.
    pub fn offer(&mut self, len: usize, now: At) -> PreambleState {
        self.bytes = self.bytes.saturating_add(len);
        let since = *self.since.get_or_insert(now);
        self.released |= self.bytes > self.max_bytes || now >= since + Self::MAX_TIME;
        if self.released { PreambleState::Release } else { PreambleState::Hold }
    }

    /// Returns when the held events are sent even if no further event comes. Without any event the attempt may still
    /// fail by the idle timeout and be replaced.
    pub fn release_at(&self) -> Option<At> {
        self.since.map(|since| since + Self::MAX_TIME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preamble_is_held_up_to_its_bounds_and_then_never_again() {
        use PreambleState::{Hold, Release};
        let check = |request: usize, offers: &[(usize, i64)], expected: &[PreambleState]| {
            let mut buffer = PreambleBuffer::new(request);
            assert_eq!(buffer.release_at(), None);
            let got: Vec<PreambleState> =
                offers.iter().map(|&(len, after)| buffer.offer(len, At(1000 + after))).collect();
            assert_eq!(got, expected, "{offers:?}");
            assert_eq!(buffer.release_at(), Some(At(1000 + offers[0].1) + PreambleBuffer::MAX_TIME));
        };
        check(0, &[(1 << 20, 0), (1, 0), (1, 0)], &[Hold, Release, Release]);
        check(36_000, &[((1 << 20) + 72_000, 0), (1, 0)], &[Hold, Release]);
        check(1 << 20, &[(1 << 20, 0), (1 << 20, 0), (1 << 20, 0), (1, 0)], &[Hold, Hold, Hold, Release]);
        check(0, &[(1, 0), (1, 59_999), (1, 60_000)], &[Hold, Hold, Release]);
        check(0, &[(1, 60_000), (1, 119_999), (1, 120_000)], &[Hold, Hold, Release]);
        check(0, &[(1, 0), (1, 60_000), (1, 0)], &[Hold, Release, Release]);
        check(usize::MAX, &[(usize::MAX, 0)], &[Hold]);
    }
}
