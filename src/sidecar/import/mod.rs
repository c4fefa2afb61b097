//! Logins of other programs. pi's login is merged at the start and whenever its file changes, others when the user asks
//! for it. A half-written file is read again later, and never counts as a logout.

mod copy;
pub(crate) mod foreign_login;
mod merge_login;
mod merged;
#[cfg(test)]
mod tests;
mod tombstone;

use std::sync::Arc;

use tokio::sync::{Notify, watch};

use crate::sidecar::accounts::AccountRegistry;
use crate::sidecar::notify::notifier::Notifier;
use crate::store::{AuthFile, ImportsFile, NoReading, Paths, StorageError};

/// The owner of pi's login file, and of the record of what was merged from it.
pub(crate) struct Imports {
    registry: Arc<AccountRegistry>,
    notifier: Arc<Notifier>,
    auth_file: AuthFile,
    seen: ImportsFile,
    wake: Notify,
    /// How many callers wait for pi's lock.
    waiting: watch::Sender<usize>,
}

/// Counts as waiting for pi's lock until it is dropped.
pub(crate) struct Waiting(watch::Sender<usize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}

/// Why pi's login was not merged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotMerged {
    #[error(transparent)]
    NoReading(#[from] NoReading),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Imports {
    pub(crate) fn new(paths: &Paths, registry: Arc<AccountRegistry>, notifier: Arc<Notifier>) -> Self {
        Imports {
            registry,
            notifier,
            auth_file: AuthFile::new(&paths.auth_file),
            seen: ImportsFile::new(&paths.state_dir, &paths.auth_file),
            wake: Notify::new(),
            waiting: watch::Sender::new(0),
        }
    }

    /// Merges pi's login soon, because a file may have changed.
    pub(crate) fn merge_soon(&self) {
        self.wake.notify_one();
    }

    pub(crate) fn auth_file(&self) -> &AuthFile {
        &self.auth_file
    }

    pub(crate) fn seen_file(&self) -> &ImportsFile {
        &self.seen
    }

    /// Counts the caller as waiting for pi's lock.
    pub(crate) fn waiting(&self) -> Waiting {
        self.waiting.send_modify(|waiting| *waiting += 1);
        Waiting(self.waiting.clone())
    }

    /// Resolves when a caller waits for pi's lock.
    pub(crate) async fn is_waited_for(&self) {
        // The sender lives as long as this does.
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting > 0).await;
    }
}
