//! The identity of an account: the pair (workspace id, user id), never the e-mail.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The id of an account for clients: `acc_` and 16 hex digits derived from its [`Identity`], so that it survives label
/// changes, new logins and restarts. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct AccountId(Arc<str>);

impl From<String> for AccountId {
    fn from(id: String) -> Self {
        AccountId(Arc::from(id))
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.as_str().to_owned()
    }
}

impl AccountId {
    pub fn new(id: impl AsRef<str>) -> Self {
        AccountId(Arc::from(id.as_ref()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One user in one workspace (`chatgpt_account_id`, `chatgpt_user_id`; schema/upstream.md, claims). The same e-mail in
/// two workspaces, and two users in one workspace, are different accounts. Either part may be missing in a token; an
/// absent part never matches a present one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Identity {
    pub workspace_id: Option<String>,
    pub user_id: Option<String>,
}
