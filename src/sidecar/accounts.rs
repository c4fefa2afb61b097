//! `accounts` and `accounts/…`: the list, and what a user does to one account.

use std::sync::Arc;

use super::{Sidecar, error, view};
use crate::clock;
use crate::protocol::{
    AccountAnswer, AccountList, AccountParams, AccountsParams, ChangeReason, ErrorKind, LabelParams, Removed,
    RpcError,
};
use crate::sidecar::token::Need;

pub(super) async fn list(sidecar: Arc<Sidecar>, params: AccountsParams) -> Result<AccountList, RpcError> {
    if params.refresh_usage == Some(true) {
        sidecar.fetch_all_usage().await;
    }
    let pool = sidecar.pool();
    Ok(view::list(&pool, clock::now()))
}

/// Pins an account once its token is known to be good; a dead token leaves it unpinned.
pub(super) async fn use_account(
    sidecar: Arc<Sidecar>,
    params: AccountParams,
) -> Result<AccountAnswer, RpcError> {
    let id = sidecar.find(&params.account)?;
    sidecar.token(&id, Need::Usable).await.map_err(|failure| error::token(&id, &failure))?;
    let label = {
        let mut pool = sidecar.pool();
        pool.set_disabled(&id, false);
        pool.pin(&id);
        pool.get(&id).map(|account| account.label.clone())
    };
    if let Some(label) = label {
        sidecar
            .on_accounts_file(move |file| file.change(|document| document.set_active(Some(&label))))
            .await?;
    }
    sidecar.changed(ChangeReason::Rotation);
    Ok(AccountAnswer { account: sidecar.account_view(&id, clock::now())? })
}

/// The file first: an account that is still in the file would be back at the next reading.
pub(super) async fn remove(sidecar: Arc<Sidecar>, params: AccountParams) -> Result<Removed, RpcError> {
    let id = sidecar.find(&params.account)?;
    let removed = sidecar.account_view(&id, clock::now())?;
    let label = removed.label.clone();
    if removed.linked {
        sidecar.forget_pi_login().await?;
    }
    let in_file =
        sidecar.on_accounts_file(move |file| file.change(|document| document.remove(&label))).await?;
    if in_file.is_err() {
        tracing::info!(account = %id, "someone else has removed this account from the file already");
    }
    let active = {
        let mut pool = sidecar.pool();
        pool.remove(&id);
        pool.active(clock::now())
    };
    tracing::info!(account = %id, "removed by the user");
    sidecar.changed(ChangeReason::Removed);
    Ok(Removed { removed, active: active.map(|id| id.to_string()) })
}

pub(super) async fn disable(sidecar: Arc<Sidecar>, params: AccountParams) -> Result<AccountAnswer, RpcError> {
    set_disabled(&sidecar, &params, true).await
}

pub(super) async fn enable(sidecar: Arc<Sidecar>, params: AccountParams) -> Result<AccountAnswer, RpcError> {
    set_disabled(&sidecar, &params, false).await
}

pub(super) async fn label(sidecar: Arc<Sidecar>, params: LabelParams) -> Result<AccountAnswer, RpcError> {
    let id = sidecar.find(&params.account)?;
    let new = params.label.trim().to_owned();
    let old = {
        let mut pool = sidecar.pool();
        let old = pool.get(&id).map(|account| account.label.clone()).unwrap_or_default();
        pool.set_label(&id, &new)?;
        old
    };
    let (from, to) = (old.clone(), new.clone());
    let renamed =
        sidecar.on_accounts_file(move |file| file.change(|document| document.rename(&from, &to))).await;
    let refused = match renamed {
        Ok(Ok(())) => None,
        Ok(Err(refused)) => Some(RpcError::invalid_params("label", refused.to_string())),
        Err(error) => Some(error.into()),
    };
    if let Some(refused) = refused {
        // Memory follows the file: without the write the old name is the true one.
        if let Err(taken) = sidecar.pool().set_label(&id, &old) {
            tracing::warn!(account = %id, %taken, "the old label could not be put back");
        }
        return Err(refused);
    }
    sidecar.changed(ChangeReason::Edited);
    Ok(AccountAnswer { account: sidecar.account_view(&id, clock::now())? })
}

async fn set_disabled(
    sidecar: &Arc<Sidecar>,
    params: &AccountParams,
    disabled: bool,
) -> Result<AccountAnswer, RpcError> {
    let id = sidecar.find(&params.account)?;
    sidecar.pool().set_disabled(&id, disabled);
    sidecar.changed(ChangeReason::Edited);
    // The answer promises that it survives a restart, so the state dir is written before it is given.
    sidecar.save_state().await.map_err(|failed| {
        let mut rpc = RpcError::from(failed);
        rpc.data.account = Some(id.to_string());
        debug_assert_eq!(rpc.kind, ErrorKind::Storage);
        rpc
    })?;
    Ok(AccountAnswer { account: sidecar.account_view(&id, clock::now())? })
}
