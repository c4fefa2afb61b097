//! What all running completions hold back together. Each may hold some MiB for a minute, so that hundreds of them would
//! fill the memory: beyond a bound the oldest stop being held, and those lose only the chance of being replaced unseen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// For all completions together.
const MAX_BYTES: usize = 64 << 20;
/// What an event costs beside its text.
const EVENT_OVERHEAD: usize = 128;

pub(crate) struct HeldPreambles {
    max_bytes: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    bytes: usize,
    /// How many preambles there have been.
    count: u64,
    by_age: BTreeMap<u64, Holding>,
}

struct Holding {
    bytes: usize,
    release: Arc<Notify>,
}

/// The part of one attempt. Dropping it gives its bytes back.
pub(crate) struct PreambleShare {
    preambles: Arc<HeldPreambles>,
    number: u64,
    release: Arc<Notify>,
}

impl Default for HeldPreambles {
    fn default() -> Self {
        HeldPreambles { max_bytes: MAX_BYTES, held: Mutex::default() }
    }
}

impl HeldPreambles {
    pub(crate) fn begin(self: &Arc<Self>) -> PreambleShare {
        let release = Arc::<Notify>::default();
        let mut held = self.held();
        held.count += 1;
        let number = held.count;
        held.by_age.insert(number, Holding { bytes: 0, release: release.clone() });
        PreambleShare { preambles: self.clone(), number, release }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PreambleShare {
    /// Counts an event that is held back; the oldest preambles are released when all are too much. Returns whether this one
    /// is still to be held.
    pub(crate) fn hold(&self, event_bytes: usize) -> bool {
        let mut held = self.preambles.held();
        let bytes = event_bytes.saturating_add(EVENT_OVERHEAD);
        let Some(own) = held.by_age.get_mut(&self.number) else { return false };
        own.bytes += bytes;
        held.bytes += bytes;
        while held.bytes > self.preambles.max_bytes
            && let Some((_, oldest)) = held.by_age.pop_first()
        {
            held.bytes -= oldest.bytes;
            oldest.release.notify_one();
        }
        held.by_age.contains_key(&self.number)
    }

    /// Returns once the preamble is not to be held any longer, because others need the memory.
    pub(crate) async fn released(&self) {
        self.release.notified().await;
    }

    /// The preamble is held no longer.
    pub(crate) fn give_back(&self) {
        let mut held = self.preambles.held();
        if let Some(own) = held.by_age.remove(&self.number) {
            held.bytes -= own.bytes;
        }
    }
}

impl Drop for PreambleShare {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_oldest_preambles_go_out_when_all_are_too_much() {
        let event = 1000 - EVENT_OVERHEAD;
        let preambles = Arc::new(HeldPreambles { max_bytes: 3000, held: Mutex::default() });
        let shares: Vec<PreambleShare> = (0..4).map(|_| preambles.begin()).collect();
        assert!(shares[1].hold(event) && shares[0].hold(event) && shares[2].hold(event));
        assert_eq!(preambles.held().bytes, 3000);
        // The oldest began first; it need not have held first.
        assert!(shares[3].hold(event));
        shares[0].released().await;
        assert!(!shares[0].hold(event), "once released, always released");
        assert_eq!(preambles.held().bytes, 3000);
        drop(shares);
        assert_eq!(preambles.held().bytes, 0);
        assert!(preambles.held().by_age.is_empty());
        let alone = preambles.begin();
        assert!(!alone.hold(5000), "one that is too much alone is not held");
        let other = preambles.begin();
        assert!(other.hold(event));
        other.give_back();
        assert_eq!(preambles.held().bytes, 0);
        let never = tokio::time::timeout(Duration::from_millis(20), other.released()).await;
        assert!(never.is_err(), "what was given back is not released");
    }
}
