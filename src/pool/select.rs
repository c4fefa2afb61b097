//! What a user or client calls an account: its id, its label, or its e-mail. No prefixes: they change their meaning
//! when an account is added.

use std::fmt;

use super::{AccountId, Pool};

/// Why a selector names no single account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectError {
    /// `candidates` are the labels there are.
    NotFound { candidates: Vec<String> },
    /// One e-mail in two workspaces, or one account's label that is another's e-mail.
    Ambiguous { candidates: Vec<AccountId> },
}

impl Pool {
    /// An id first; then labels and e-mails together, whatever their letter case.
    pub fn select(&self, selector: &str) -> Result<AccountId, SelectError> {
        if let Some((id, _)) = self.by_id.get_key_value(&AccountId::new(selector)) {
            return Ok(id.clone());
        }
        let wanted = selector.to_lowercase();
        let fits = |name: &str| name.to_lowercase() == wanted;
        let mut candidates: Vec<AccountId> = self
            .accounts
            .iter()
            .filter(|account| fits(&account.label) || account.email.as_deref().is_some_and(fits))
            .map(|account| account.id.clone())
            .collect();
        match candidates.len() {
            0 => {
                let labels = self.accounts.iter().map(|account| account.label.clone());
                Err(SelectError::NotFound { candidates: labels.collect() })
            }
            1 => Ok(candidates.swap_remove(0)),
            _ => Err(SelectError::Ambiguous { candidates }),
        }
    }
}

impl fmt::Display for SelectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SelectError::NotFound { .. } => "no account has this id, label or e-mail",
            SelectError::Ambiguous { .. } => "several accounts have this label or e-mail; use an id",
        })
    }
}

impl std::error::Error for SelectError {}
