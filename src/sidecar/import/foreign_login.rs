//! What another program's file says about a login, as an account of ours: who it is, and until when it lives.

use std::path::Path;

use crate::auth;
use crate::pool::{Account, At, Credential, Identity};
use crate::protocol::{ErrorKind, RpcError};
use crate::secret::Secret;
use crate::store::{AuthFile, CodexLogin, LinkedCredential, NoReading, StorageError};

pub(crate) fn fingerprint(login: &LinkedCredential) -> String {
    auth::fingerprint(&login.credential(), login.account_id.as_deref())
}

/// Who pi is logged in as.
pub(crate) fn identity_of(login: &LinkedCredential) -> Identity {
    let claims = auth::claims(&login.access);
    Identity {
        workspace_id: claims.identity.workspace_id.or_else(|| login.account_id.clone()),
        user_id: claims.identity.user_id,
    }
}

pub(crate) fn linked_account(login: &LinkedCredential) -> Account {
    let mut account = account_of(login.credential(), None, login.account_id.clone());
    account.linked = true;
    account
}

fn refused(message: String) -> RpcError {
    RpcError::new(ErrorKind::Storage, message)
}

pub(crate) fn read_pi_copy(path: &Path) -> Result<Account, RpcError> {
    match AuthFile::new(path).read() {
        Ok(Some(login)) => Ok(account_of(login.credential(), None, login.account_id)),
        Ok(None) => {
            Err(refused(format!("{} holds no ChatGPT login of pi's; name another file", path.display())))
        }
        Err(NoReading::Missing { .. }) => {
            Err(refused(format!("{} does not exist; name another file", path.display())))
        }
        Err(error) => Err(refused(error.to_string())),
    }
}

pub(crate) fn read_codex_copy(path: &Path) -> Result<Account, RpcError> {
    let without = |what: &str| {
        refused(format!("{} {what}; log in with the Codex CLI first, or name another file", path.display()))
    };
    let login = match CodexLogin::read(path) {
        Ok(Some(login)) => login,
        Ok(None) => return Err(without("holds no ChatGPT login of the Codex CLI's")),
        Err(StorageError::Unreadable { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Err(without("does not exist"));
        }
        Err(error) => return Err(error.into()),
    };
    // Without a date in the token it counts as expired, so that it is renewed before it is used.
    let expires_at = auth::claims(&login.access).expires_at.unwrap_or(At(0));
    let credential = Credential { access: login.access, refresh: login.refresh, expires_at };
    Ok(account_of(credential, login.id_token.as_ref(), login.account_id))
}

/// Who a credential belongs to, by its access token first. The label is chosen by the merge.
fn account_of(credential: Credential, id_token: Option<&Secret>, account_id: Option<String>) -> Account {
    let claims = auth::claims(&credential.access);
    let more = id_token.map(auth::claims).unwrap_or_default();
    let identity = Identity {
        workspace_id: claims.identity.workspace_id.or(account_id).or(more.identity.workspace_id),
        user_id: claims.identity.user_id.or(more.identity.user_id),
    };
    let email = claims.email.or(more.email);
    // Of a login that names reason the credential itself is the name.
    let fallback = auth::fingerprint(&credential, None);
    let id = auth::account_id(&identity, &fallback);
    let mut account = Account::new(id, identity, String::new(), credential);
    account.email = email;
    account.plan = claims.plan.or(more.plan);
    account
}
