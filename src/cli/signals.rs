//! Signals to a one-shot command. The result of a refresh is stored before the process ends; otherwise the login would
//! be lost.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use crate::sidecar::Sidecar;

/// The time that a client's sidecar has to end.
const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// The exit code of shells for an interrupt.
const INTERRUPTED: u8 = 130;

/// Runs `work` and then ends the sidecar. Returns what `work` returned, or the exit code after an interrupt.
pub(super) async fn run_or_interrupt<T>(
    sidecar: &Arc<Sidecar>,
    work: impl Future<Output = T>,
) -> Result<T, ExitCode> {
    let work_and_end = async {
        let done = work.await;
        sidecar.finish().await;
        done
    };
    tokio::select! {
        biased;
        () = interrupted() => {}
        done = work_and_end => return Ok(done),
    }
    finish_in_time(sidecar).await;
    Err(ExitCode::from(INTERRUPTED))
}

/// Ends the sidecar in order, within the time that clients allow.
pub(super) async fn finish_in_time(sidecar: &Arc<Sidecar>) {
    if timeout(ENDS_WITHIN, sidecar.finish()).await.is_err() {
        tracing::warn!("ended before everything was stored");
    }
}

/// Returns once the process is asked to end.
pub(super) async fn interrupted() {
    if let Err(error) = signalled().await {
        tracing::warn!(%error, "signals cannot be handled");
        std::future::pending::<()>().await;
    }
}

/// SIGHUP counts only on a terminal, because `nohup` and `cron` want a command to outlive its terminal.
async fn signalled() -> io::Result<()> {
    let on_a_terminal = io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv(), if on_a_terminal => {}
    }
    Ok(())
}
