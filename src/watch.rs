//! Reports when the content of a watched file changes, in whatever way: in place, by a rename, by deleting it or its
//! directory, at the end of a link. It reports which file; the receiver reads it.
//!
//! One thread: the kernel's events wake it at once, and a check of the files every [`POLL`] finds what events miss
//! (network file systems, a moved ancestor, no more watches available). Reading a file here never changes it.

mod attached;
mod content;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as signals;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind};
use tokio::sync::mpsc;
use tokio::time::Instant;

use attached::Attached;
use content::Content;

/// Keeps the thread running; dropping it ends the thread.
#[derive(Debug)]
pub struct Watch {
    stop: signals::Sender<Signal>,
    by: Arc<AtomicBool>,
}

/// How changes are noticed at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticedBy {
    /// By events of the kernel, for every file.
    Kernel,
    /// Some file is only checked every [`POLL`].
    Polling,
}

/// Reports how a watch works, for as long as it is kept.
#[derive(Clone, Debug)]
pub struct WatchReport(Arc<AtomicBool>);

impl WatchReport {
    pub fn noticed_by(&self) -> NoticedBy {
        if self.0.load(Ordering::Relaxed) { NoticedBy::Kernel } else { NoticedBy::Polling }
    }
}

/// A change is reported after this long at most.
const POLL: Duration = Duration::from_millis(800);

/// Other programs truncate and write in place, so the file is usually empty at the first event.
const DEBOUNCE: Duration = Duration::from_millis(10);

/// A file that is written without a pause is still read after this long.
const LONGEST_DEBOUNCE: Duration = Duration::from_millis(100);

enum Signal {
    Notice(notify::Result<notify::Event>),
    Stop,
}

impl Watch {
    /// When this returns, the content of the files is known, and every later change sends the path as it was given
    /// here. Creating or deleting a file is a change. Several changes in a row may be one message, but the last one is
    /// never missed. Read the files once after this returned, so that no change is lost between.
    pub fn start(paths: Vec<PathBuf>) -> io::Result<(Watch, mpsc::Receiver<PathBuf>)> {
        Watch::start_with(paths, Notices::Wanted, POLL)
    }

    fn start_with(
        paths: Vec<PathBuf>,
        notices: Notices,
        poll: Duration,
    ) -> io::Result<(Watch, mpsc::Receiver<PathBuf>)> {
        let (reports, receiver) = mpsc::channel(paths.len().max(1));
        let mut files: Vec<_> = paths.into_iter().map(|path| (Content::of(&path), path)).collect();
        let (stop, inbox) = signals::channel();
        let signals = stop.clone();
        let by = Arc::new(AtomicBool::new(false));
        let report = by.clone();
        std::thread::Builder::new().name("watch".to_owned()).spawn(move || {
            let mut attached = match notices {
                Notices::Wanted => Attached::new(move |notice| {
                    if worth_waking(&notice) {
                        // Once the thread has ended there is no receiver.
                        let _ = signals.send(Signal::Notice(notice));
                    }
                }),
                #[cfg(test)]
                Notices::Unwanted => Attached::to_nothing(),
            };
            run(&mut files, &mut attached, &inbox, &reports, poll, &report);
        })?;
        Ok((Watch { stop, by }, receiver))
    }

    pub fn report(&self) -> WatchReport {
        WatchReport(self.by.clone())
    }
}

/// Returns how changes of these files would be noticed if they were watched.
pub fn try_out<'a>(files: impl Iterator<Item = &'a Path> + Clone) -> NoticedBy {
    let mut attached = Attached::new(|_| {});
    attached.follow(files);
    if attached.is_complete() { NoticedBy::Kernel } else { NoticedBy::Polling }
}

/// Tests use each of the two ways alone, because the other one would hide its faults.
#[derive(Clone, Copy)]
enum Notices {
    Wanted,
    #[cfg(test)]
    Unwanted,
}

impl Drop for Watch {
    fn drop(&mut self) {
        // A thread that has already ended needs no message.
        let _ = self.stop.send(Signal::Stop);
    }
}

fn run(
    files: &mut [(Content, PathBuf)],
    attached: &mut Attached,
    inbox: &signals::Receiver<Signal>,
    reports: &mpsc::Sender<PathBuf>,
    poll: Duration,
    by: &AtomicBool,
) {
    let mut noticed = true;
    loop {
        attached.follow(files.iter().map(|(_, path)| path.as_path()));
        by.store(attached.is_complete(), Ordering::Relaxed);
        for (content, path) in files.iter_mut() {
            if content.changed(path, noticed) && reports.blocking_send(path.clone()).is_err() {
                return;
            }
        }
        noticed = match inbox.recv_timeout(poll) {
            Ok(Signal::Notice(notice)) => {
                attached.heed(&notice);
                let Some(()) = settle(attached, inbox) else { return };
                true
            }
            Err(signals::RecvTimeoutError::Timeout) => false,
            Ok(Signal::Stop) | Err(signals::RecvTimeoutError::Disconnected) => return,
        };
        if reports.is_closed() {
            return;
        }
    }
}

/// Waits for a pause in the events; `None` when the watch has ended.
fn settle(attached: &mut Attached, inbox: &signals::Receiver<Signal>) -> Option<()> {
    let patience = Instant::now() + LONGEST_DEBOUNCE;
    while Instant::now() < patience {
        match inbox.recv_timeout(DEBOUNCE) {
            Ok(Signal::Notice(notice)) => attached.heed(&notice),
            Err(signals::RecvTimeoutError::Timeout) => break,
            Ok(Signal::Stop) | Err(signals::RecvTimeoutError::Disconnected) => return None,
        }
    }
    Some(())
}

/// Our own reads cause events, too; reacting to them would never end.
fn worth_waking(notice: &notify::Result<notify::Event>) -> bool {
    match notice {
        Ok(event) => match event.kind {
            EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
            _ => true,
        },
        Err(_) => true,
    }
}

#[cfg(all(test, unix))]
mod tests;
