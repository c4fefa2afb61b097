//! Which of two credentials of one account was issued later: by the time of issue in the access tokens, or else by the
//! expiry. The expiry alone can mislead, because lifetimes and clocks differ.

use std::time::Duration;

use crate::auth;
use crate::pool::{At, Credential};

/// Two tokens that were issued this close together may have been written in either order.
const AT_ONCE: Duration = Duration::from_secs(10);

/// Returns whether `found` is newer. On a tie, prefers the credential from the file.
pub(crate) fn is_newer(found: &Credential, held: &Credential) -> bool {
    match (issued_at(found), issued_at(held)) {
        (Some(found), Some(held)) if found != held => found > held,
        _ => found.expires_at >= held.expires_at,
    }
}

/// Returns whether `found` was issued later, or at about the same time, so that it may have been written after `held`.
pub(crate) fn is_about_as_new(found: &Credential, held: &Credential) -> bool {
    match (issued_at(found), issued_at(held)) {
        (Some(found), Some(held)) => found + AT_ONCE >= held,
        _ => false,
    }
}

fn issued_at(credential: &Credential) -> Option<At> {
    auth::claims(&credential.access).issued_at
}
