//! How long upstream may send nothing, in a process that may have been suspended meanwhile.

use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

/// Time to read from the socket what arrived while the process was suspended.
const LISTEN_AGAIN: Duration = Duration::from_millis(50);

/// Nothing arrived in that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silent;

/// Waits for `answer` for at most `idle`. After a suspension (Ctrl-Z) the time is over although data may wait in the
/// socket, so that data still counts.
pub async fn with_idle_timeout<F: Future>(idle: Duration, answer: F) -> Result<F::Output, Silent> {
    let mut answer = pin!(answer);
    if let Ok(answer) = timeout(idle, &mut answer).await {
        return Ok(answer);
    }
    timeout(LISTEN_AGAIN, answer).await.map_err(|_| Silent)
}
