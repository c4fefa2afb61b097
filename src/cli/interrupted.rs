//! Ctrl-C, or a terminal that is closed, while a command for people is at work. What a token was sent for is stored
//! first: dropped with the process, it would be a login lost.

use std::fs;
use std::future::poll_fn;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use crate::sidecar::Sidecar;

/// As long as a client's sidecar takes to end.
const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// What shells take for an interrupt.
const INTERRUPTED: u8 = 130;

/// The work done and the sidecar at its end, or the exit code of a work that was broken off.
pub(super) async fn to_its_end<T>(
    sidecar: &Arc<Sidecar>,
    work: impl Future<Output = T>,
) -> Result<T, ExitCode> {
    let to_the_end = async {
        let done = work.await;
        sidecar.finish().await;
        done
    };
    tokio::select! {
        biased;
        () = interrupted() => {}
        done = to_the_end => return Ok(done),
    }
    if timeout(ENDS_WITHIN, sidecar.finish()).await.is_err() {
        tracing::warn!("ended before everything was stored");
    }
    Err(ExitCode::from(INTERRUPTED))
}

async fn interrupted() {
    if let Err(error) = signalled().await {
        tracing::warn!(%error, "signals cannot be handled");
        std::future::pending::<()>().await;
    }
}

async fn signalled() -> io::Result<()> {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let heeded = kinds.into_iter().filter(|kind| !is_ignored(*kind));
    let mut heeded = heeded.map(signal).collect::<io::Result<Vec<_>>>()?;
    poll_fn(|context| match heeded.iter_mut().any(|signal| signal.poll_recv(context).is_ready()) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
    Ok(())
}

/// Whether whoever started this wants it to be ignored, as `nohup` does; only Linux tells.
fn is_ignored(kind: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    ignored & (1 << (kind.as_raw_value() - 1)) != 0
}
