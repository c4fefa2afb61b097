//! `accounts` and `accounts/…`: the list, and what a user does to one account.

use std::sync::Arc;
use std::time::Duration;

use super::token::{Need, Token};
use super::view::EXPIRING;
use super::{Sidecar, error, view};
use crate::clock;
use crate::pool::{AccountId, Demand, Failure};
use crate::protocol::{
    AccountAnswer, AccountList, AccountParams, AccountsParams, ChangeReason, ErrorKind, LabelParams, Removed,
    RpcError, TokenAnswer, TokenParams,
};
use crate::store::{AccountsFile, StorageError};

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
    sidecar.token(&id, Need::USABLE).await.map_err(|failure| error::token(&id, &failure))?;
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
    let (this, gone) = (sidecar.clone(), id.clone());
    sidecar
        .on_accounts_file(move |file| {
            if let Err(refused) = file.change(|document| document.remove(&label))? {
                tracing::info!(account = %gone, %refused, "someone else has removed this account already");
            }
            this.pool().remove(&gone);
            Ok(())
        })
        .await?;
    let active = sidecar.pool().active(clock::now());
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
    let (this, renamed) = (sidecar.clone(), id.clone());
    sidecar.on_accounts_file(move |file| this.rename(file, &renamed, &new)).await??;
    sidecar.changed(ChangeReason::Edited);
    Ok(AccountAnswer { account: sidecar.account_view(&id, clock::now())? })
}

/// The one method that answers a secret. Without a selector an account whose token cannot be had gives way to the next.
pub(super) async fn token(sidecar: Arc<Sidecar>, params: TokenParams) -> Result<TokenAnswer, RpcError> {
    let need = || Need::ValidFor(params.min_valid_ms.map_or(EXPIRING, Duration::from_millis));
    if let Some(selector) = &params.account {
        let id = sidecar.find(selector)?;
        let token = promptly(&sidecar, &id, need()).await.map_err(|failure| error::token(&id, &failure))?;
        return Ok(token_answer(&id, &token));
    }
    let (mut tried, mut last) = (Vec::new(), None);
    loop {
        let best = sidecar.pool().best(&Demand::default(), &tried, clock::now());
        let Some(id) = best else { return Err(last.unwrap_or_else(|| error::no_account(&sidecar.pool()))) };
        match promptly(&sidecar, &id, need()).await {
            Ok(token) => return Ok(token_answer(&id, &token)),
            Err(failure) => last = Some(error::token(&id, &failure)),
        }
        tried.push(id);
    }
}

/// pi may be holding its lock while it waits for this answer, so the wait for that lock is short.
async fn promptly(sidecar: &Arc<Sidecar>, id: &AccountId, need: Need) -> Result<Token, Failure> {
    tokio::select! {
        biased;
        token = sidecar.token(id, need) => token,
        busy = sidecar.pi_stays_busy(id) => Err(busy),
    }
}

fn token_answer(id: &AccountId, token: &Token) -> TokenAnswer {
    TokenAnswer {
        access_token: token.access.expose().to_owned(),
        workspace_id: token.workspace_id.clone(),
        expires_at: token.expires_at.millis(),
        account: id.to_string(),
    }
}

impl Sidecar {
    /// The pool says whether the label may be had, the file is written, and only then the new label holds.
    fn rename(
        &self,
        file: &AccountsFile,
        id: &AccountId,
        new: &str,
    ) -> Result<Result<(), RpcError>, StorageError> {
        let old = {
            let mut pool = self.pool();
            let old = pool.get(id).map(|account| account.label.clone()).unwrap_or_default();
            if let Err(refused) = pool.set_label(id, new) {
                return Ok(Err(refused.into()));
            }
            old
        };
        let written = file.change(|document| document.rename(&old, new));
        if !matches!(written, Ok(Ok(())))
            && let Err(taken) = self.pool().set_label(id, &old)
        {
            tracing::warn!(account = %id, %taken, "the old label could not be put back");
        }
        Ok(written?.map_err(|refused| RpcError::invalid_params("label", refused.to_string())))
    }
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
