//! The account that a selector names, and what clients see of it.

use super::{Sidecar, error, view};
use crate::pool::{AccountId, SelectError};
use crate::protocol::{Account, RpcError};

impl Sidecar {
    /// Returns the account that a selector in params names.
    pub(crate) fn find(&self, selector: &str) -> Result<AccountId, RpcError> {
        self.registry
            .decide(|pool, _| pool.select(selector).map_err(|error| error::select(pool, selector, error)))
    }

    /// Returns the account as clients see it now.
    pub(crate) fn account_view(&self, id: &AccountId) -> Result<Account, RpcError> {
        self.registry.decide(|pool, now| {
            let account = pool.get(id).ok_or_else(|| {
                error::select(pool, id.as_str(), SelectError::NotFound { candidates: Vec::new() })
            })?;
            Ok(view::account(pool, account, now))
        })
    }
}
