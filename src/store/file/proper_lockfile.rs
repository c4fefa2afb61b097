//! The lock of pi and npm's `proper-lockfile` 4: the directory `<realpath>.lock`. The process that created it holds it,
//! and touches it regularly; if the process dies, the lock becomes stale. Nothing is ever put inside, and a lock that
//! another process has taken over is not touched again.
//!
//! It is in this folder and not beside the login, because pi locks its `settings.json` in the same way.

use std::collections::HashMap;
use std::fs::{self, File, FileTimes};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::clock;
use crate::pool::At;
use crate::store::StorageError;

/// A holder that has not touched its lock for this long is dead. pi touches every 15 s, so the 10 s of its synchronous
/// readers would take locks from living holders.
const STALE: Duration = Duration::from_secs(30);
/// Those synchronous readers take a lock that is 10 s old. This leaves room for one late touch and another one.
const TOUCH: Duration = Duration::from_secs(2);

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Locks with a time in the future, and when this process first saw each. It is kept between waits, because a single
/// wait may be shorter than the time after which the holder counts as dead.
static AHEAD: LazyLock<Mutex<HashMap<PathBuf, (LockStamp, At)>>> = LazyLock::new(Mutex::default);

/// Proof that the lock was taken. Dropping it frees the lock. [`LockDirectory::is_still_ours`] tells, right before a
/// write, whether it is still ours.
#[derive(Debug)]
#[must_use = "dropping this frees the lock"]
pub struct LockDirectory {
    held: Arc<Held>,
    stop: Option<Sender<()>>,
    touching: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Held {
    path: PathBuf,
    mark: Mutex<LockStamp>,
}

/// Distinguishes this lock from another one at the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LockStamp {
    inode: u64,
    modified: (i64, i64),
}

/// The state of a lock, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockInspection {
    Free,
    /// Last touched this long ago.
    Held {
        age: Duration,
    },
    /// Its holder is dead; the next process that wants the lock takes it.
    Stale {
        age: Duration,
    },
}

impl LockDirectory {
    /// Changes nothing. A file in a missing directory is not locked.
    pub fn look(file: &Path) -> LockInspection {
        let Some(mark) = lock_path(file).ok().and_then(|path| mark_of(&path).ok()) else {
            return LockInspection::Free;
        };
        let age = clock::now().since(mark.at());
        if mark.is_older_than(STALE) { LockInspection::Stale { age } } else { LockInspection::Held { age } }
    }

    /// Waits until `file` can be locked, at most `patience`; with none it tries once. Blocks the thread. The directory
    /// of the file must exist, the file need not.
    pub fn acquire(file: &Path, patience: Duration) -> Result<LockDirectory, StorageError> {
        LockDirectory::acquire_at(lock_path(file)?, patience, STALE)
    }

    fn acquire_at(path: PathBuf, patience: Duration, stale: Duration) -> Result<LockDirectory, StorageError> {
        let mut waited = Duration::ZERO;
        let mut pause = FIRST_PAUSE;
        loop {
            match fs::create_dir(&path) {
                Ok(()) => return LockDirectory::made(path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(StorageError::writing(&path, error)),
            }
            if clear_if_stale(&path, stale).map_err(|error| StorageError::writing(&path, error))? {
                continue;
            }
            if waited >= patience {
                return Err(StorageError::Locked { path });
            }
            let rest = jittered(pause).min(patience - waited);
            std::thread::sleep(rest);
            waited += rest;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Returns false once another process took the lock as stale. Nothing may be written then, because that process may
    /// be writing.
    pub fn is_still_ours(&self) -> bool {
        self.held.is_ours()
    }

    fn made(path: PathBuf) -> Result<LockDirectory, StorageError> {
        let mark = touch(&path).map_err(|error| {
            // Without our own time the lock cannot be distinguished from another one.
            let _ = fs::remove_dir(&path);
            StorageError::writing(&path, error)
        })?;
        let held = Arc::new(Held { path, mark: Mutex::new(mark) });
        let (stop, stopped) = channel();
        let keeper = held.clone();
        let touching = std::thread::Builder::new().name("lock".to_owned()).spawn(move || {
            while stopped.recv_timeout(TOUCH) == Err(RecvTimeoutError::Timeout) && keeper.keep() {}
        });
        match touching {
            Ok(touching) => Ok(LockDirectory { held, stop: Some(stop), touching: Some(touching) }),
            Err(error) => {
                held.let_go();
                Err(StorageError::writing(&held.path, error))
            }
        }
    }
}

impl Drop for LockDirectory {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(touching) = self.touching.take() {
            // The thread has nothing that could panic; if it did, the lock would still have to be freed.
            let _ = touching.join();
        }
        self.held.let_go();
    }
}

impl Held {
    fn is_ours(&self) -> bool {
        let mark = self.mark.lock().unwrap_or_else(PoisonError::into_inner);
        mark_of(&self.path).is_ok_and(|found| found == *mark)
    }

    /// Touches the lock. Returns false when it is not ours any more.
    fn keep(&self) -> bool {
        let mut mark = self.mark.lock().unwrap_or_else(PoisonError::into_inner);
        if !mark_of(&self.path).is_ok_and(|found| found == *mark) {
            tracing::warn!(path = %self.path.display(), "a lock was taken from us");
            return false;
        }
        match touch(&self.path) {
            Ok(touched) => {
                *mark = touched;
                true
            }
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "a lock cannot be kept");
                false
            }
        }
    }

    fn let_go(&self) {
        if self.is_ours()
            && let Err(error) = fs::remove_dir(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "a lock stays behind until it is stale");
        }
    }
}

/// Returns `<realpath>.lock`, as pi's asynchronous code does; for a missing file, with the real path of its directory.
fn lock_path(file: &Path) -> Result<PathBuf, StorageError> {
    let real = fs::canonicalize(file).or_else(|_| {
        let directory = fs::canonicalize(file.parent().unwrap_or(Path::new("/")))?;
        Ok(directory.join(file.file_name().unwrap_or_default()))
    });
    let mut path = real.map_err(|error| StorageError::writing(file, error))?.into_os_string();
    path.push(".lock");
    Ok(PathBuf::from(path))
}

/// Removes a stale lock by a rename, which only one of several waiters can do. Returns whether to try again at once.
fn clear_if_stale(path: &Path, stale: Duration) -> io::Result<bool> {
    let seen = match mark_of(path) {
        Ok(seen) => seen,
        // It was freed meanwhile.
        Err(error) => return Ok(error.kind() == io::ErrorKind::NotFound),
    };
    if !seen.is_older_than(stale) && !seen.has_stayed_ahead(path, stale) {
        return Ok(false);
    }
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".stale-{}-{:08x}", std::process::id(), random()));
    let aside = PathBuf::from(aside);
    match fs::rename(path, &aside) {
        Ok(()) => {}
        // Another waiter was first.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    }
    if mark_of(&aside).is_ok_and(|taken| taken != seen) {
        // The lock changed between the check and the rename: its holder is alive, or it is a new lock. It goes back,
        // unless a third process has created its own lock.
        if renameat_with(CWD, &aside, CWD, path, RenameFlags::NOREPLACE).is_ok() {
            return Ok(false);
        }
    }
    tracing::info!(path = %path.display(), "took over a lock whose holder is gone");
    if let Err(error) = fs::remove_dir(&aside) {
        tracing::warn!(path = %aside.display(), %error, "what was left of a stale lock stays behind");
    }
    Ok(true)
}

impl LockStamp {
    fn at(&self) -> At {
        At(self.modified.0.saturating_mul(1000).saturating_add(self.modified.1 / 1_000_000))
    }

    fn is_older_than(&self, age: Duration) -> bool {
        clock::now().since(self.at()) > age
    }

    /// Returns whether the lock has a time in the future and has not changed for so long. A living holder touches it.
    fn has_stayed_ahead(self, path: &Path, stale: Duration) -> bool {
        let mut ahead = AHEAD.lock().unwrap_or_else(PoisonError::into_inner);
        if self.at() <= clock::now() {
            ahead.remove(path);
            return false;
        }
        let seen = ahead.entry(path.to_owned()).or_insert((self, clock::now()));
        if seen.0 != self {
            *seen = (self, clock::now());
        }
        clock::now().since(seen.1) > stale
    }
}

/// Sets the modification time to now in whole milliseconds, the precision of `proper-lockfile`, and reads back what the
/// file system stored.
fn touch(path: &Path) -> io::Result<LockStamp> {
    let now = Duration::from_millis(u64::try_from(clock::now().millis()).unwrap_or_default());
    let now: SystemTime = UNIX_EPOCH + now;
    File::open(path)?.set_times(FileTimes::new().set_modified(now).set_accessed(now))?;
    mark_of(path)
}

fn mark_of(path: &Path) -> io::Result<LockStamp> {
    let found = fs::symlink_metadata(path)?;
    Ok(LockStamp { inode: found.ino(), modified: (found.mtime(), found.mtime_nsec()) })
}

/// Returns one to two times the duration, so that two waiters do not keep colliding.
fn jittered(pause: Duration) -> Duration {
    pause + pause.mul_f64(f64::from(random()) / f64::from(u32::MAX))
}

/// Without randomness waiters collide more often, and nothing worse.
fn random() -> u32 {
    getrandom::u32().unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests;
