//! The runtime of a subcommand: one thread that lives as long as the work.

/// # Errors
///
/// The error of `work`, or that the runtime did not start.
pub(super) fn on_a_runtime<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime did not start: {error}"))?;
    let ended = runtime.block_on(work);
    // File work that blocks without end must not keep the process alive.
    runtime.shutdown_background();
    ended
}
