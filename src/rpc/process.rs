//! The ends of a connection from outside: a signal, or the death of the parent process.

use std::future::pending;
use std::io::{self, IsTerminal};

use rustix::process::getppid;
use tokio::signal::unix::{SignalKind, signal};

/// Returns once the process is asked to end: by SIGTERM, or because its parent has ended.
///
/// SIGINT and SIGHUP count only when standard input is a terminal: a terminal sends Ctrl-C, and its own end, to the
/// whole process group, while a parent with pipes decides by itself. Signals are caught from the call on, not from the
/// first poll.
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
    // Without a parent in our process namespace there is none to watch.
    let Some(parent) = getppid() else { return pending().await };
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{PidfdFlags, pidfd_open};
        let watched = pidfd_open(parent, PidfdFlags::NONBLOCK)
            .map_err(io::Error::from)
            .and_then(|fd| super::fd::watch(fd, tokio::io::Interest::READABLE));
        // A parent that died before it was watched has already been replaced by another one.
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
