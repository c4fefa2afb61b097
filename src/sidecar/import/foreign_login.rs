//! Converts a login in another program's file into an account: its identity and its expiry.

use std::path::Path;

use crate::auth;
use crate::pool::{Account, At, Credential, Identity};
use crate::protocol::{ErrorKind, ImportSource, RpcError};
use crate::secret::Secret;
use crate::store::{LinkedCredential, NoForeignLogin, read_foreign_login};

pub(crate) fn fingerprint(login: &LinkedCredential) -> String {
    auth::fingerprint(&login.credential(), login.account_id.as_deref())
}

/// Returns pi's identity.
pub(crate) fn identity_of(login: &LinkedCredential) -> Identity {
    let claims = auth::claims(&login.access);
    Identity {
        workspace_id: claims.identity.workspace_id.or_else(|| login.account_id.clone()),
        ..claims.identity
    }
}

pub(crate) fn linked_account(login: &LinkedCredential) -> Account {
    let mut account = account_of(login.credential(), None, login.account_id.clone());
    account.linked = true;
    account
}

/// Reads the login in a file of another program, in any of the known shapes. `source` is the expected one.
pub(crate) fn read_copy(path: &Path, source: ImportSource) -> Result<Account, RpcError> {
    let login = read_foreign_login(path)?.map_err(|why_not| refused(path, source, why_not))?;
    // Without a date it counts as expired, so it is refreshed before it is used.
    let expires_at = login.expires_at.or(auth::claims(&login.access).expires_at).unwrap_or(At(0));
    let credential = Credential { access: login.access, refresh: login.refresh, expires_at };
    Ok(account_of(credential, login.id_token.as_ref(), login.account_id))
}

fn refused(path: &Path, source: ImportSource, why_not: NoForeignLogin) -> RpcError {
    let next_step = match (why_not, source) {
        (NoForeignLogin::Missing | NoForeignLogin::Nothing, ImportSource::Pi) => "; name another file",
        (NoForeignLogin::Missing, ImportSource::Codex) => {
            "; log in with the Codex CLI first, or name another file. A login that Codex keeps in the system's keyring \
             is not read: sign in with `multicodex login`"
        }
        (NoForeignLogin::Nothing, ImportSource::Codex) => {
            "; log in with the Codex CLI first, or name another file"
        }
        _ => "",
    };
    RpcError::new(ErrorKind::Storage, format!("{} {why_not}{next_step}", path.display()))
}

/// Returns the identity of a credential, by its access token first. The merge chooses the label.
fn account_of(credential: Credential, id_token: Option<&Secret>, account_id: Option<String>) -> Account {
    let claims = auth::claims(&credential.access);
    let more = id_token.map(auth::claims).unwrap_or_default();
    // The user is taken from the access token alone: that is all that is stored.
    let identity = Identity {
        workspace_id: claims.identity.workspace_id.or(account_id).or(more.identity.workspace_id),
        ..claims.identity
    };
    let email = claims.email.or(more.email);
    // A login without an identity is named after its credential.
    let fallback = auth::fingerprint(&credential, None);
    let id = auth::account_id(&identity, &fallback);
    let mut account = Account::new(id, identity, String::new(), credential);
    account.email = email;
    account.plan = claims.plan.or(more.plan);
    account
}
