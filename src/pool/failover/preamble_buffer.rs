//! How long preamble events are held back, so that a failed attempt can still be replaced unseen. It holds no events,
//! only their size.

use std::time::Duration;

use crate::pool::At;

/// What is done with the events so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreambleState {
    Hold,
    Release,
}

/// Preamble is held up to 64 KiB or 10 s, until the first output.
#[derive(Clone, Debug, Default)]
pub struct PreambleBuffer {
    bytes: usize,
    /// When the first event came.
    since: Option<At>,
    released: bool,
}

impl PreambleBuffer {
    pub const MAX_BYTES: usize = 64 * 1024;
    pub const MAX_TIME: Duration = Duration::from_secs(10);

    /// Takes note of a preamble event of `len` bytes. Once released, always released.
    pub fn offer(&mut self, len: usize, now: At) -> PreambleState {
        self.bytes = self.bytes.saturating_add(len);
        let since = *self.since.get_or_insert(now);
        self.released |= self.bytes > Self::MAX_BYTES || now >= since + Self::MAX_TIME;
        if self.released { PreambleState::Release } else { PreambleState::Hold }
    }

    /// When what is held goes out even if no further event comes. As long as there is nothing, the attempt may fail by
    /// idle_timeout and be replaced.
    pub fn release_at(&self) -> Option<At> {
        self.since.map(|since| since + Self::MAX_TIME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_up_to_a_bound_and_then_never_again() {
        let check = |offers: &[(usize, i64)], expected: &[PreambleState]| {
            let mut hold_back = PreambleBuffer::default();
            assert_eq!(hold_back.release_at(), None);
            let got: Vec<PreambleState> =
                offers.iter().map(|&(len, after)| hold_back.offer(len, At(1000 + after))).collect();
            assert_eq!(got, expected, "{offers:?}");
            assert_eq!(hold_back.release_at(), Some(At(1000 + offers[0].1) + PreambleBuffer::MAX_TIME));
        };
        check(
            &[(65_536, 0), (1, 0), (1, 0)],
            &[PreambleState::Hold, PreambleState::Release, PreambleState::Release],
        );
        check(
            &[(1, 0), (1, 9_999), (1, 10_000)],
            &[PreambleState::Hold, PreambleState::Hold, PreambleState::Release],
        );
        check(
            &[(1, 60_000), (1, 69_999), (1, 70_000)],
            &[PreambleState::Hold, PreambleState::Hold, PreambleState::Release],
        );
        check(
            &[(1, 0), (1, 10_000), (1, 0)],
            &[PreambleState::Hold, PreambleState::Release, PreambleState::Release],
        );
        check(&[(usize::MAX, 0)], &[PreambleState::Release]);
    }
}
