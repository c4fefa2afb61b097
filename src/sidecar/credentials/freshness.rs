//! Which of two credentials of one account was handed out later. The expiry tells nearly always; but lives differ, and
//! clocks, and then the time of issue that is written in the tokens tells better.

use std::time::Duration;

use crate::auth;
use crate::pool::{Account, At, Credential};
use crate::sidecar::Sidecar;

/// Two tokens that were issued so close together may have reached their files in any order.
const AT_ONCE: Duration = Duration::from_secs(10);

/// Of two that cannot be told apart the one found counts, as it does in a file.
pub(crate) fn is_newer(found: &Credential, held: &Credential) -> bool {
    match (issued_at(found), issued_at(held)) {
        (Some(found), Some(held)) if found != held => found > held,
        _ => found.expires_at >= held.expires_at,
    }
}

/// Whether what was found was issued later, or so close to the other that it may have come to its file after that.
pub(crate) fn is_about_as_new(found: &Credential, held: &Credential) -> bool {
    match (issued_at(found), issued_at(held)) {
        (Some(found), Some(held)) => found + AT_ONCE >= held,
        _ => false,
    }
}

impl Sidecar {
    /// Whether pi's login takes the place of what is recorded, although that lives a little longer: it was issued later,
    /// or at the same time while a token was refreshed here. It has to stand in pi's file now, where refreshing puts its
    /// result before it puts it into the accounts file, and may never have been sent.
    pub(crate) fn is_meant_by_pi(&self, login: &Account, record: &Account) -> bool {
        let refresh = &login.credential.refresh;
        login.linked
            && record.id == login.id
            && record.credential.refresh != *refresh
            && is_about_as_new(&login.credential, &record.credential)
            && matches!(self.imports.auth_file.read(), Ok(Some(now)) if now.refresh == *refresh)
            && self.read_ledger().is_ok_and(|ledger| !ledger.tokens.contains_key(&auth::token_hash(refresh)))
    }
}

fn issued_at(credential: &Credential) -> Option<At> {
    auth::claims(&credential.access).issued_at
}
