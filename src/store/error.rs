//! The errors of files. Each message names the file and the next step. None quotes the content, because it holds
//! tokens.

use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Another process held the lock until the deadline. Trying again may help.
    #[error("{} is locked by another process; try again, or end the process that holds it", path.display())]
    Locked { path: PathBuf },

    #[error("{} cannot be read ({source}); check its owner and permissions", path.display())]
    Unreadable { path: PathBuf, source: io::Error },

    /// The content is not what belongs in this file. The file is never overwritten.
    #[error("{} is damaged at line {line}, column {column}: {message}; repair it or move it away", path.display())]
    Corrupt {
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in bytes; 0 when the fault is the end of the previous line.
        column: usize,
        message: String,
    },

    /// Written by a later version: it can be read, and is not changed.
    #[error("{} has version {version}, which this multicodex does not write; update multicodex", path.display())]
    Future { path: PathBuf, version: String },

    #[error("{} cannot be written ({source}); make its directory writable", path.display())]
    ReadOnly { path: PathBuf, source: io::Error },

    /// The directory accepts files, but this file cannot be replaced.
    #[error(
        "{} cannot be replaced ({source}); if it is mounted by itself, mount its directory instead of the file, and if it \
         is immutable, make it changeable",
        path.display()
    )]
    Unreplaceable { path: PathBuf, source: io::Error },

    /// The file system has no locks, or its lock server does not answer.
    #[error(
        "{} cannot be locked ({source}); its file system has no locks: keep the state on a local disk with --state-dir",
        path.display()
    )]
    NoLocks { path: PathBuf, source: io::Error },

    #[error("there is no room to write {} ({source}); free some space", path.display())]
    Full { path: PathBuf, source: io::Error },

    #[error("{} could not be written: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl StorageError {
    /// Returns whether the same call may succeed although nothing was repaired.
    pub fn retryable(&self) -> bool {
        matches!(self, StorageError::Locked { .. })
    }

    pub fn path(&self) -> &Path {
        match self {
            StorageError::Locked { path }
            | StorageError::Unreadable { path, .. }
            | StorageError::Corrupt { path, .. }
            | StorageError::Future { path, .. }
            | StorageError::ReadOnly { path, .. }
            | StorageError::Unreplaceable { path, .. }
            | StorageError::NoLocks { path, .. }
            | StorageError::Full { path, .. }
            | StorageError::Io { path, .. } => path,
        }
    }

    /// Sorts a failed write by what helps against it.
    pub(crate) fn writing(path: &Path, source: io::Error) -> Self {
        use io::ErrorKind::*;
        let path = path.to_owned();
        match source.kind() {
            PermissionDenied | ReadOnlyFilesystem => StorageError::ReadOnly { path, source },
            StorageFull | QuotaExceeded => StorageError::Full { path, source },
            _ => StorageError::Io { path, source },
        }
    }

    /// Sorts a lock that could not be tried.
    pub(crate) fn locking(path: &Path, source: io::Error) -> Self {
        use rustix::io::Errno;
        let without = [Errno::NOLCK, Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOTSUP].map(Errno::raw_os_error);
        match source.raw_os_error() {
            Some(code) if without.contains(&code) => StorageError::NoLocks { path: path.to_owned(), source },
            _ => StorageError::writing(path, source),
        }
    }

    /// serde's message for a wrong type quotes the value, which may be a token, so only its position is used then.
    pub(crate) fn parsing(path: &Path, error: &serde_json::Error, expected: &str) -> Self {
        let message = if error.is_data() {
            format!("expected {expected}")
        } else {
            let text = error.to_string();
            text.split(" at line ").next().unwrap_or_default().to_owned()
        };
        StorageError::Corrupt { path: path.to_owned(), line: error.line(), column: error.column(), message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_says_what_helps() {
        fn check(kind: io::ErrorKind, expected: &str) {
            let message = StorageError::writing(Path::new("/a/b.json"), io::Error::from(kind)).to_string();
            assert!(message.contains("/a/b.json") && message.ends_with(expected), "{kind:?}: {message}");
        }
        check(io::ErrorKind::PermissionDenied, "make its directory writable");
        check(io::ErrorKind::ReadOnlyFilesystem, "make its directory writable");
        check(io::ErrorKind::StorageFull, "free some space");
        check(io::ErrorKind::QuotaExceeded, "free some space");
        check(io::ErrorKind::NotADirectory, "could not be written: not a directory");
    }

    #[test]
    fn a_file_system_without_locks_names_the_way_out() {
        use rustix::io::Errno;
        for errno in [Errno::NOLCK, Errno::NOSYS, Errno::OPNOTSUPP] {
            let message = StorageError::locking(Path::new("/a/b.lock"), errno.into()).to_string();
            assert!(message.contains("/a/b.lock") && message.contains("--state-dir"), "{message}");
        }
        let message = StorageError::locking(Path::new("/a"), Errno::ACCESS.into()).to_string();
        assert!(!message.contains("--state-dir"), "{message}");
    }

    #[test]
    fn only_a_held_lock_is_worth_another_try() {
        assert!(StorageError::Locked { path: "l".into() }.retryable());
        assert!(!StorageError::Future { path: "l".into(), version: "2".to_owned() }.retryable());
    }
}
