//! What goes wrong with a file, told so that a person knows what to do about it.

use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("{} is locked by another process; try again", .path.display())]
    Locked { path: PathBuf },
    #[error("{}:{line}:{column} does not parse ({message}); repair it or move it away, it is not overwritten", .path.display())]
    Corrupt { path: PathBuf, line: usize, column: usize, message: String },
    #[error("{} is of version {version}, which this multicodex only reads; use a newer multicodex", .path.display())]
    Future { path: PathBuf, version: u64 },
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("file work was interrupted: {0}")]
    Interrupted(String),
}

impl StorageError {
    /// Whether the same request may succeed later without anyone doing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self, StorageError::Locked { .. } | StorageError::Interrupted(_))
    }

    pub fn interrupted(cause: impl std::fmt::Display) -> Self {
        StorageError::Interrupted(cause.to_string())
    }

    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> StorageError {
        move |source| StorageError::Io { path: path.to_owned(), source }
    }

    pub(super) fn corrupt(path: &Path, error: &serde_json::Error) -> Self {
        StorageError::Corrupt {
            path: path.to_owned(),
            line: error.line(),
            column: error.column(),
            message: error.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
        }
    }
}
