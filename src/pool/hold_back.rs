//! How long preamble events are held back, so that a failed attempt can still be replaced unseen. It holds no events,
//! only their size.

use std::time::Duration;

use super::At;

/// What is done with the events so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    Hold,
    Release,
}

/// Preamble is held up to 64 KiB or 10 s, until the first output.
#[derive(Clone, Debug)]
pub struct HoldBack {
    bytes: usize,
    since: At,
    released: bool,
}

impl HoldBack {
    pub const MAX_BYTES: usize = 64 * 1024;
    pub const MAX_TIME: Duration = Duration::from_secs(10);

    /// `since`: when the answer began.
    pub fn new(since: At) -> Self {
        HoldBack { bytes: 0, since, released: false }
    }

    /// Takes note of a preamble event of `len` bytes. Once released, always released.
    pub fn offer(&mut self, len: usize, now: At) -> Held {
        self.bytes = self.bytes.saturating_add(len);
        self.released |= self.bytes > Self::MAX_BYTES || now >= self.release_at();
        if self.released { Held::Release } else { Held::Hold }
    }

    /// When what is held goes out even if no further event comes.
    pub fn release_at(&self) -> At {
        self.since + Self::MAX_TIME
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_up_to_a_bound_and_then_never_again() {
        let check = |offers: &[(usize, i64)], expected: &[Held]| {
            let mut hold_back = HoldBack::new(At(1000));
            let got: Vec<Held> =
                offers.iter().map(|&(len, after)| hold_back.offer(len, At(1000 + after))).collect();
            assert_eq!(got, expected, "{offers:?}");
        };
        check(&[(65_536, 0), (1, 0), (1, 0)], &[Held::Hold, Held::Release, Held::Release]);
        check(&[(1, 9_999), (1, 10_000)], &[Held::Hold, Held::Release]);
        check(&[(1, 10_000), (1, 0)], &[Held::Release, Held::Release]);
        check(&[(usize::MAX, 0)], &[Held::Release]);
    }
}
