//! The name of an account in a request: its id, its label, or its e-mail. Prefixes are not allowed, because their
//! meaning changes when an account is added.

use std::fmt;

use crate::pool::{Account, AccountId, Pool};

/// Why a selector names no single account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectError {
    /// `candidates` are the labels of all accounts.
    NotFound { candidates: Vec<String> },
    /// One e-mail in two workspaces, or a label that is another account's e-mail.
    Ambiguous { candidates: Vec<AccountId> },
}

impl Pool {
    /// An id first; then labels and e-mails together, case-insensitively.
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

    /// Returns a selector for this account only: its label, or its id where the label is also another's e-mail.
    pub fn unambiguous_selector<'a>(&self, account: &'a Account) -> &'a str {
        match self.select(&account.label) {
            Ok(selected) if selected == account.id => &account.label,
            _ => account.id.as_str(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::testing::{account, id};
    use crate::pool::{At, LabelError, RotationSettings};

    fn pool() -> Pool {
        let mut pool = Pool::new(RotationSettings::default());
        let named = |name: &str, label: &str, email: &str| {
            let mut account = account(name);
            account.label = label.into();
            account.email = Some(email.into());
            account
        };
        let accounts = vec![
            named("acc_1", "Work", "ada@example.com"),
            named("acc_2", "home", "Ada@Example.com"),
            named("acc_3", "eve@example.com", "eve@example.com"),
            named("acc_4", "acc_1", "WORK"),
        ];
        pool.sync(accounts, At(0));
        pool
    }

    #[test]
    fn ids_come_first_then_labels_and_e_mails_together() {
        let pool = pool();
        let check = |selector: &str, expected: Result<AccountId, SelectError>| {
            assert_eq!(pool.select(selector), expected, "{selector}");
        };
        let ambiguous =
            |ids: &[&str]| Err(SelectError::Ambiguous { candidates: ids.iter().map(|i| id(i)).collect() });
        let labels = ["Work", "home", "eve@example.com", "acc_1"].map(String::from).to_vec();
        check("acc_1", Ok(id("acc_1")));
        check("HOME", Ok(id("acc_2")));
        check("eve@EXAMPLE.com", Ok(id("acc_3")));
        check("ada@example.com", ambiguous(&["acc_1", "acc_2"]));
        check("work", ambiguous(&["acc_1", "acc_4"]));
        check("acc_", Err(SelectError::NotFound { candidates: labels.clone() }));
        check("", Err(SelectError::NotFound { candidates: labels }));
    }

    #[test]
    fn labels_are_unique_and_not_blank() {
        let mut pool = pool();
        let revision = pool.revision();
        assert_eq!(pool.set_label(&id("acc_1"), " \t"), Err(LabelError::Blank));
        assert_eq!(pool.set_label(&id("acc_1"), "HOME"), Err(LabelError::Taken));
        assert_eq!(pool.revision(), revision);
        assert_eq!(pool.set_label(&id("acc_2"), " Home "), Ok(()));
        assert_eq!(pool.get(&id("acc_2")).map(|account| account.label.as_str()), Some("Home"));
        assert!(pool.revision() > revision);
    }
}
