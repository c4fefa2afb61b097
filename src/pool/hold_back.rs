//! How long preamble events are held back, so that a failed attempt can still be replaced unseen. It holds no events,
//! only their size.

use std::time::Duration;

use super::At;

/// What an upstream event means to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventClass {
    /// Says that the answer began, or about limits: nothing that anyone reads.
    Preamble,
    /// Carries output, or ends the answer: from here on nothing is replayed.
    Output,
}

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

    /// Takes note of an event of `len` bytes. Once released, always released.
    pub fn offer(&mut self, class: EventClass, len: usize, now: At) -> Held {
        self.bytes = self.bytes.saturating_add(len);
        let over = self.bytes > Self::MAX_BYTES || now >= self.release_at();
        self.released |= class == EventClass::Output || over;
        if self.released { Held::Release } else { Held::Hold }
    }

    /// When what is held goes out even if no further event comes.
    pub fn release_at(&self) -> At {
        self.since + Self::MAX_TIME
    }
}

/// By the event's `type`. Types not known carry output: showing one too early costs a rotation, never an event.
pub fn classify_type(event_type: &str) -> EventClass {
    match event_type {
        "response.created"
        | "response.in_progress"
        | "response.queued"
        | "response.metadata"
        | "keepalive" => EventClass::Preamble,
        other if other.starts_with("codex.") => EventClass::Preamble,
        _ => EventClass::Output,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preamble_is_known_by_its_type() {
        let check = |event_type, expected| assert_eq!(classify_type(event_type), expected, "{event_type}");
        check("response.created", EventClass::Preamble);
        check("response.in_progress", EventClass::Preamble);
        check("response.queued", EventClass::Preamble);
        check("response.metadata", EventClass::Preamble);
        check("keepalive", EventClass::Preamble);
        check("codex.rate_limits", EventClass::Preamble);
        check("codex.response.metadata", EventClass::Preamble);
        check("response.output_item.added", EventClass::Output);
        check("response.output_text.delta", EventClass::Output);
        check("response.completed", EventClass::Output);
        check("codexish", EventClass::Output);
        check("", EventClass::Output);
    }

    #[test]
    fn held_until_output_or_a_bound() {
        use EventClass::*;
        let check = |offers: &[(EventClass, usize, i64)], expected: &[Held]| {
            let mut hold_back = HoldBack::new(At(1000));
            let got: Vec<Held> = offers
                .iter()
                .map(|&(class, len, after)| hold_back.offer(class, len, At(1000 + after)))
                .collect();
            assert_eq!(got, expected, "{offers:?}");
        };
        check(
            &[(Preamble, 100, 0), (Output, 10, 5), (Preamble, 1, 6)],
            &[Held::Hold, Held::Release, Held::Release],
        );
        check(&[(Preamble, 65_536, 0), (Preamble, 1, 0)], &[Held::Hold, Held::Release]);
        check(&[(Preamble, 1, 9_999), (Preamble, 1, 10_000)], &[Held::Hold, Held::Release]);
        check(&[(Preamble, usize::MAX, 0)], &[Held::Release]);
    }
}
