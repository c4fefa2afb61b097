//! Runs file work outside the runtime's one thread.

use std::panic::resume_unwind;

/// Runs `work` on a thread where it may block. A panic in it continues in the caller.
pub(crate) async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // Only a runtime that shuts down cancels blocking work, and then no caller waits.
            Err(_) => std::future::pending().await,
        },
    }
}
