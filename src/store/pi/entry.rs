//! One entry of `codex-accounts.json`: its known members as values, in both shapes that the extension wrote. A fault in
//! an optional member drops that member, not the account.

use super::members::{Field, Members};
use crate::pool::{At, Credential};
use crate::secret::Secret;

/// The members of an account that the extension knows (shapes 2.0 to 2.3). Times are milliseconds since the epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct FileAccount {
    /// The label, unique in the file without regard to case. Not an identity.
    pub email: String,
    pub access: Secret,
    pub refresh: Secret,
    pub expires_at: At,
    pub account_id: Option<String>,
    pub last_used_at: Option<At>,
    pub quota_exhausted_until: Option<At>,
    /// Owned by pi's auth.json (`"importSource": "pi-openai-codex"`).
    pub linked: bool,
    pub needs_reauth: bool,
}

/// A part of the file that was not used as it is. It stays in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryProblem {
    /// The position in `accounts`, from 0.
    pub index: usize,
    pub label: Option<String>,
    /// For people; never quotes a value other than the label.
    pub message: String,
    /// Whether the account is used in spite of it.
    pub used: bool,
}

const LINKED: &str = "pi-openai-codex";

impl FileAccount {
    pub fn credential(&self) -> Credential {
        Credential { access: self.access.clone(), refresh: self.refresh.clone(), expires_at: self.expires_at }
    }
}

/// The account and the members that were left out of it, or why there is no account.
pub(crate) fn read(members: &Members) -> Result<(FileAccount, Vec<&'static str>), String> {
    let mut left_out = Vec::new();
    let mut optional = |name| match members.string(name) {
        Field::Present(text) => Some(text),
        Field::Absent => None,
        Field::WrongType => {
            left_out.push(name);
            None
        }
    };
    let (account_id, import_source) = (optional("accountId"), optional("importSource"));
    let mut time = |name| match members.time(name) {
        Field::Present(at) => Some(at),
        Field::Absent => None,
        Field::WrongType => {
            left_out.push(name);
            None
        }
    };
    let (last_used_at, quota_exhausted_until) = (time("lastUsed"), time("quotaExhaustedUntil"));
    let needs_reauth = match members.boolean("needsReauth") {
        Field::Present(needed) => needed,
        Field::Absent => false,
        Field::WrongType => {
            left_out.push("needsReauth");
            false
        }
    };
    let Field::Present(expires_at) = members.time("expiresAt") else {
        return Err("`expiresAt` is not a number".to_owned());
    };
    let account = FileAccount {
        email: required(members, "email")?,
        access: Secret::new(required(members, "accessToken")?),
        refresh: Secret::new(required(members, "refreshToken")?),
        expires_at,
        account_id: account_id.filter(|id| !id.is_empty()),
        last_used_at,
        quota_exhausted_until,
        linked: import_source.as_deref() == Some(LINKED),
        needs_reauth,
    };
    Ok((account, left_out))
}

/// Writes every known member as shape 2.3 does; other members stay.
pub(crate) fn write(members: &mut Members, account: &FileAccount) {
    members.set("email", account.email.as_str());
    set_credential(members, &account.credential());
    match &account.account_id {
        Some(id) => members.set("accountId", id.as_str()),
        None => members.remove("accountId"),
    }
    set_optional_at(members, "lastUsed", account.last_used_at);
    set_optional_at(members, "quotaExhaustedUntil", account.quota_exhausted_until);
    set_linked(members, account.linked);
    set_needs_reauth(members, account.needs_reauth);
}

pub(crate) fn set_credential(members: &mut Members, credential: &Credential) {
    members.set("accessToken", credential.access.expose());
    members.set("refreshToken", credential.refresh.expose());
    set_optional_at(members, "expiresAt", Some(credential.expires_at));
}

pub(crate) fn set_optional_at(members: &mut Members, name: &str, value: Option<At>) {
    match value {
        None => members.remove(name),
        // A fraction of a millisecond, or an exponent, does not count as a change.
        Some(value) if members.time(name) == Field::Present(value) => {}
        Some(value) => members.set(name, value.millis()),
    }
}

/// Of the `import…` members of shape 2.1 only the one that names the owner of the credential is still written.
pub(crate) fn set_linked(members: &mut Members, linked: bool) {
    if linked {
        members.set("importSource", LINKED);
    } else if members.string("importSource") == Field::Present(LINKED.to_owned()) {
        for name in ["importSource", "importMode", "importFingerprint"] {
            members.remove(name);
        }
    }
}

pub(crate) fn set_needs_reauth(members: &mut Members, needed: bool) {
    if needed { members.set("needsReauth", true) } else { members.remove("needsReauth") }
}

fn required(members: &Members, name: &str) -> Result<String, String> {
    match members.string(name) {
        Field::Present(text) if !text.trim().is_empty() => Ok(text),
        _ => Err(format!("`{name}` is not a non-empty string")),
    }
}
