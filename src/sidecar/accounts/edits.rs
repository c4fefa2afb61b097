//! Changes by the user. They run one after the other, and to their end even when the request is cancelled.

use std::sync::Arc;

use super::AccountRegistry;
use super::entries::labels_of;
use crate::pool::{AccountId, LabelError};
use crate::sidecar::blocking::on_a_thread;
use crate::store::{EditRefused, StorageError};

/// Why a label was not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RenameError {
    #[error(transparent)]
    Label(#[from] LabelError),
    #[error(transparent)]
    Refused(#[from] EditRefused),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl AccountRegistry {
    /// Makes a change of accounts, in the order of the requests, and to its end even when the caller is cancelled.
    /// `change` may block.
    pub(crate) async fn edit<T: Send + 'static>(&self, change: impl FnOnce() -> T + Send + 'static) -> T {
        in_turn(&self.edits, change).await
    }

    /// The same for settings.
    pub(crate) async fn edit_settings<T: Send + 'static>(
        &self,
        change: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        in_turn(self.preferences.edits(), change).await
    }

    /// Removes every entry of the account from the file, and the account with its pin from the pool. Blocks.
    ///
    /// # Errors
    ///
    /// The file was not written; the account is still there.
    pub(crate) fn remove(&self, id: &AccountId) -> Result<(), StorageError> {
        let now = self.now();
        let turn = self.file_turn();
        let known = self.known_accounts(&self.read_state());
        turn.change(|document| {
            // When an entry is removed, another one with the same label may become usable.
            loop {
                let labels = labels_of(id, document.accounts(), &known, now);
                let removed = labels.iter().filter(|label| document.remove(label).is_ok()).count();
                if removed == 0 {
                    break;
                }
            }
        })?;
        self.decide(|pool, _| {
            if pool.pinned() == Some(id) {
                pool.unpin();
            }
        });
        self.record_choices(now);
        self.decide(|pool, _| pool.remove(id));
        Ok(())
    }

    /// Changes the label of an account: the pool decides whether it is free, then the file is written. Blocks.
    ///
    /// # Errors
    ///
    /// The account keeps its label.
    pub(crate) fn rename(&self, id: &AccountId, new: &str) -> Result<(), RenameError> {
        let turn = self.file_turn();
        let old = self.decide(|pool, _| {
            let old = pool.get(id).map(|account| account.label.clone()).unwrap_or_default();
            pool.set_label(id, new).map(|()| old)
        })?;
        let written = turn.change(|document| document.rename(&old, new));
        if !matches!(written, Ok(Ok(())))
            && let Err(taken) = self.decide(|pool, _| pool.set_label(id, &old))
        {
            tracing::warn!(account = %id, %taken, "the old label could not be put back");
        }
        Ok(written??)
    }
}

async fn in_turn<T: Send + 'static>(
    turns: &Arc<tokio::sync::Mutex<()>>,
    change: impl FnOnce() -> T + Send + 'static,
) -> T {
    let turn = turns.clone().lock_owned().await;
    on_a_thread(move || {
        let _turn = turn;
        change()
    })
    .await
}
