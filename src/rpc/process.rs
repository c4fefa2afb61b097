//! The ends of a connection that come from outside it: a signal, or the death of the process that started us.

use std::future::pending;
use std::io::{self, IsTerminal};

use rustix::process::getppid;
use tokio::signal::unix::{SignalKind, signal};

/// Returns once the process is asked to end: by SIGTERM, or because its parent is gone.
///
/// SIGINT and SIGHUP count only when standard input is a terminal: a terminal sends Ctrl-C, and that it was closed, to
/// the whole process group, and whoever runs us through pipes decides for itself. Signals are caught from the call on,
/// not from the first poll.
pub fn asked_to_end() -> io::Result<impl Future<Output = ()>> {
    let interactive = io::stdin().is_terminal();
    let mut terminate = signal(SignalKind::terminate())?;
    let (mut interrupt, mut hang_up) = (signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("asked to end by SIGTERM"),
            _ = interrupt.recv(), if interactive => tracing::info!("asked to end by SIGINT"),
            _ = hang_up.recv(), if interactive => tracing::info!("the terminal was closed"),
            () = parent_gone() => tracing::info!("the process that started this one is gone"),
        }
    })
}

async fn parent_gone() {
    // Without a parent in our process namespace there is none to lose.
    let Some(parent) = getppid() else { return pending().await };
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{PidfdFlags, pidfd_open};
        let watched = pidfd_open(parent, PidfdFlags::NONBLOCK)
            .map_err(io::Error::from)
            .and_then(|fd| super::fd::watch(fd, tokio::io::Interest::READABLE));
        // A parent that died before it was watched has been replaced by another by now.
        if let Ok(watched) = watched
            && getppid() == Some(parent)
            && watched.readable().await.is_ok()
        {
            return;
        }
    }
    let mut each_second = tokio::time::interval(std::time::Duration::from_secs(1));
    while getppid() == Some(parent) {
        each_second.tick().await;
    }
}
