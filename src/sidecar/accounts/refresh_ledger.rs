//! What the refresh journal says about refresh tokens: which are consumed, and which have an unknown outcome. Only the
//! token refresher writes the journal.

use super::AccountRegistry;
use crate::auth;
use crate::pool::RefreshLedger;
use crate::protocol::{Warning, WarningKind};
use crate::secret::Secret;
use crate::store::{LedgerReading, StorageError};

impl AccountRegistry {
    /// Blocks.
    ///
    /// # Errors
    ///
    /// The journal cannot be read.
    pub(crate) fn read_ledger(&self) -> Result<RefreshLedger, StorageError> {
        self.journal.load(self.now()).map(|reading| self.accept_ledger(reading))
    }

    /// Returns the ledger, after a warning when a journal that did not parse was set aside.
    pub(crate) fn accept_ledger(&self, reading: LedgerReading) -> RefreshLedger {
        if let Some(aside) = reading.set_aside {
            self.notifier.warn(Warning {
                kind: WarningKind::CorruptFile,
                message: format!(
                    "the refresh journal did not parse and was set aside as {}",
                    aside.display()
                ),
                account: None,
                hint: Some("it is no longer known which refresh tokens were already used".to_owned()),
            });
        }
        reading.ledger
    }

    /// Returns whether the refresh token was exchanged for another one, or refused for good; false when the journal
    /// cannot be read, because a refresh checks again under the lock. Blocks.
    pub(crate) fn is_consumed(&self, refresh: &Secret) -> bool {
        match self.read_ledger() {
            Ok(ledger) => ledger.is_consumed(&auth::token_hash(refresh)),
            Err(error) => {
                tracing::warn!(%error, "which tokens are consumed cannot be read");
                false
            }
        }
    }
}
