//! How long upstream may be silent, in a process that may have been asleep meanwhile.

use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

/// For what arrived while the process was suspended to be read from its socket.
const LISTEN_AGAIN: Duration = Duration::from_millis(50);

/// No answer in all that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silent;

/// Waits for as long. A process that was suspended (Ctrl-Z) wakes with its time over and with news that no task has read
/// yet, so what can be had right then counts as well.
pub async fn with_idle_timeout<F: Future>(idle: Duration, answer: F) -> Result<F::Output, Silent> {
    let mut answer = pin!(answer);
    if let Ok(answer) = timeout(idle, &mut answer).await {
        return Ok(answer);
    }
    timeout(LISTEN_AGAIN, answer).await.map_err(|_| Silent)
}
