//! A lock between processes: the kernel's lock on a separate file. The kernel frees it when the holder dies.
//!
//! The data file itself is not locked, because every write replaces it, and because on Windows a locked file cannot be
//! read. Lock files are not removed: that would let two holders in.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use crate::store::{StorageError, make_private_dir};

/// How long a change waits for another process before it gives up.
pub const LOCK_DEADLINE: Duration = Duration::from_secs(30);

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Proof that the lock is held. Dropping it frees the lock.
#[derive(Debug)]
#[must_use = "dropping this frees the lock"]
pub struct LockGuard {
    _file: File,
}

impl LockGuard {
    /// Waits until `lock_file` can be locked, at most `deadline`. Creates its directory if it is missing.
    pub fn acquire(lock_file: &Path, deadline: Duration) -> Result<LockGuard, StorageError> {
        if let Some(dir) = lock_file.parent() {
            make_private_dir(dir)?;
        }
        let file = open(lock_file).map_err(|error| StorageError::writing(lock_file, error))?;
        let mut waited = Duration::ZERO;
        let mut pause = FIRST_PAUSE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(LockGuard { _file: file }),
                Err(TryLockError::Error(error)) => return Err(StorageError::locking(lock_file, error)),
                Err(TryLockError::WouldBlock) if waited >= deadline => {
                    return Err(StorageError::Locked { path: lock_file.to_owned() });
                }
                Err(TryLockError::WouldBlock) => {
                    std::thread::sleep(pause);
                    waited += pause;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }
}

fn open(lock_file: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(lock_file)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_the_next_gets_it_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/x.lock");
        let held = LockGuard::acquire(&path, Duration::ZERO).unwrap();
        let refused = LockGuard::acquire(&path, Duration::from_millis(5)).unwrap_err();
        assert!(matches!(&refused, StorageError::Locked { path: named } if *named == path), "{refused}");
        drop(held);
        drop(LockGuard::acquire(&path, Duration::ZERO).unwrap());
    }

    #[test]
    fn a_waiter_is_let_in_once_the_holder_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        let held = LockGuard::acquire(&path, Duration::ZERO).unwrap();
        let waiter = std::thread::spawn({
            let path = path.clone();
            move || LockGuard::acquire(&path, Duration::from_secs(20)).map(drop)
        });
        std::thread::sleep(Duration::from_millis(20));
        assert!(!waiter.is_finished());
        drop(held);
        waiter.join().unwrap().unwrap();
    }
}
