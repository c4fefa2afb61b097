//! Polls a condition until it holds or the deadline passes.

use std::time::Duration;

use tokio::time::Instant;

use super::DEADLINE;

const INTERVAL: Duration = Duration::from_millis(5);

pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds().await {
        assert!(Instant::now() < deadline, "this never happened: {what}");
        tokio::time::sleep(INTERVAL).await;
    }
}

/// [`eventually`] for tests without a runtime.
#[track_caller]
pub fn eventually_blocking(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "this never happened: {what}");
        std::thread::sleep(INTERVAL);
    }
}
