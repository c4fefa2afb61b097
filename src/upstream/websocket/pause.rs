//! Whether WebSockets are worth trying. An obstacle to them affects every account, and may go away.

use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_secs(10 * 60);
const LONGEST: Duration = Duration::from_secs(6 * 3600);

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pause {
    /// Until when, and how long it was.
    current: Option<(Instant, Duration)>,
}

impl Pause {
    pub(super) fn holds(&self, now: Instant) -> bool {
        self.current.is_some_and(|(until, _)| now < until)
    }

    /// No socket could be opened. Each pause is twice as long as the last one.
    pub(super) fn begin(&mut self, now: Instant) {
        if self.holds(now) {
            return;
        }
        let length = self.current.map_or(FIRST, |(_, last)| (last * 2).min(LONGEST));
        self.current = Some((now + length, length));
    }

    pub(super) fn end(&mut self) {
        self.current = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_six_hours_until_a_socket_opens() {
        let mut pause = Pause::default();
        let mut now = Instant::now();
        assert!(!pause.holds(now));
        for minutes in [10, 20, 40, 80, 160, 320, 360, 360] {
            pause.begin(now);
            let length = Duration::from_secs(minutes * 60);
            assert!(pause.holds(now + length - Duration::from_millis(1)), "{minutes}");
            // Another failure meanwhile, e.g. of a client that allows only a WebSocket, changes nothing.
            pause.begin(now + length / 2);
            now += length;
            assert!(!pause.holds(now), "{minutes}");
        }
        pause.end();
        pause.begin(now);
        assert!(!pause.holds(now + FIRST));
    }
}
