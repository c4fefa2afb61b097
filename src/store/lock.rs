//! Kernel locks between processes. They belong to an open file, so a process that dies gives them back at once.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::StorageError;

/// How long to wait for another process that holds a lock.
const PATIENCE: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_millis(5);

/// Witness that the lock is held; dropping it gives the lock back. Writing a shared file asks for it.
#[derive(Debug)]
pub struct LockGuard {
    _file: File,
}

/// Waits for the lock that lies in `path`, a file of its own beside which nothing else is stored. Blocks the thread.
pub fn lock(path: &Path) -> Result<LockGuard, StorageError> {
    lock_within(path, PATIENCE)
}

/// As [`lock`], for at most `patience`.
pub fn lock_within(path: &Path, patience: Duration) -> Result<LockGuard, StorageError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(StorageError::io(path))?;
    let deadline = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(LockGuard { _file: file }),
            Err(TryLockError::Error(error)) => return Err(StorageError::io(path)(error)),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                return Err(StorageError::Locked { path: path.to_owned() });
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(RETRY),
        }
    }
}
