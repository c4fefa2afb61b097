//! An account that is logged in with pi and that the user removed here: it stays away for as long as pi holds the same
//! login. pi's own file is not touched by that.

use super::Imports;
use super::foreign_login::{fingerprint, identity_of};
use crate::pool::{Account, SeenLogins};
use crate::sidecar::accounts::is_of;
use crate::store::{LinkedCredential, StorageError};

impl Imports {
    /// The user removed the account that pi is logged in with: it does not come back until pi holds another login. One
    /// that pi has by now and that is of somebody else may come. Blocks.
    pub(crate) fn forget_pi_login(&self, removed: &Account) -> Result<(), StorageError> {
        let Ok(Some(login)) = self.auth_file.read() else { return Ok(()) };
        if !is_of(&removed.identity, &identity_of(&login)) {
            return Ok(());
        }
        let removed = fingerprint(&login);
        self.seen.change(self.registry.now(), |seen| seen.removed = Some(removed))
    }

    /// We give pi a new credential for an old one. When the user has removed the account meanwhile, it stays away with
    /// the new one too. Blocks.
    pub(crate) fn keep_removed(&self, old: &LinkedCredential, new: &LinkedCredential) {
        let old = Some(fingerprint(old));
        let followed = self.seen.load().and_then(|seen| {
            if seen.removed != old {
                return Ok(());
            }
            let follow = |seen: &mut SeenLogins| seen.removed = Some(fingerprint(new));
            self.seen.change(self.registry.now(), follow)
        });
        if let Err(error) = followed {
            tracing::warn!(%error, "an account of pi that was removed may come back");
        }
    }
}
