//! `accounts` and `accounts/…`: the list, and changes of one account.

use std::sync::Arc;
use std::time::Duration;

use crate::pool::EXPIRING;
use crate::pool::{AccountId, Demand};
use crate::protocol::{
    AccountAnswer, AccountList, AccountParams, AccountsParams, ChangeReason, LabelParams, Removed, RpcError,
    TokenAnswer, TokenParams,
};
use crate::render::clean;
use crate::sidecar::credentials::token::{Need, Token};
use crate::sidecar::error::ACTIVE_BUT_UNSAVED;
use crate::sidecar::{Sidecar, error, view};

pub(crate) async fn list(sidecar: Arc<Sidecar>, params: AccountsParams) -> Result<AccountList, RpcError> {
    sidecar.usage.attended();
    if params.refresh_usage == Some(true) {
        sidecar.usage.fetch_all().await;
    }
    Ok(sidecar.registry.decide(|pool, now| view::accounts(pool, now)))
}

/// Pins an account after its token is known to be valid; an account with an invalid token is not pinned.
pub(crate) async fn use_account(
    sidecar: Arc<Sidecar>,
    params: AccountParams,
) -> Result<AccountAnswer, RpcError> {
    let id = sidecar.find(&params.account)?;
    get_token(&sidecar, &id, Need::USABLE).await?;
    sidecar.registry.decide(|pool, _| {
        pool.set_disabled(&id, false);
        pool.pin(&id);
    });
    sidecar.registry.changed(ChangeReason::Rotation);
    let pinned = sidecar.clone();
    let write = move || {
        let registry = &pinned.registry;
        let label = pinned.account_view(&id)?.label;
        let written = registry.file_turn().change(|document| document.set_active(Some(&label)));
        // The pin itself is in the state file, whatever happens to the accounts file.
        registry.save_state().map_err(|error| error::storage(&id, error).hinted(ACTIVE_BUT_UNSAVED))?;
        written.map_err(|error| {
            error::storage(&id, error).hinted("the account is pinned; only that file does not say so")
        })?;
        Ok(AccountAnswer { account: pinned.account_view(&id)? })
    };
    sidecar.registry.edit(write).await
}

/// The file first, because an account that is still in the file would come back with the next reading.
pub(crate) async fn remove(sidecar: Arc<Sidecar>, params: AccountParams) -> Result<Removed, RpcError> {
    let remover = sidecar.clone();
    let remove = move || {
        let id = remover.find(&params.account)?;
        let removed = remover.account_view(&id)?;
        let registry = &remover.registry;
        let linked = registry.decide(|pool, _| pool.get(&id).filter(|account| account.linked).cloned());
        if let Some(account) = linked {
            remover.imports.forget_pi_login(&account).map_err(|error| error::storage(&id, error))?;
        }
        registry.remove(&id).map_err(|error| error::storage(&id, error))?;
        tracing::info!(account = %id, "removed by the user");
        registry.changed(ChangeReason::Removed);
        let active = registry.decide(|pool, now| pool.active(now));
        Ok(Removed { removed, active: active.map(|id| id.to_string()) })
    };
    sidecar.registry.edit(remove).await
}

pub(crate) async fn disable(sidecar: Arc<Sidecar>, params: AccountParams) -> Result<AccountAnswer, RpcError> {
    set_disabled(&sidecar, &params, true).await
}

pub(crate) async fn enable(sidecar: Arc<Sidecar>, params: AccountParams) -> Result<AccountAnswer, RpcError> {
    set_disabled(&sidecar, &params, false).await
}

pub(crate) async fn label(sidecar: Arc<Sidecar>, params: LabelParams) -> Result<AccountAnswer, RpcError> {
    let editor = sidecar.clone();
    let rename = move || {
        let id = editor.find(&params.account)?;
        let label = wanted_label(&params.label)?;
        editor.registry.rename(&id, label).map_err(|error| error::rename(&id, error))?;
        editor.registry.changed(ChangeReason::Edited);
        Ok(AccountAnswer { account: editor.account_view(&id)? })
    };
    sidecar.registry.edit(rename).await
}

/// A label is shown within a line, so it must not hold anything that ends one.
pub(crate) fn wanted_label(label: &str) -> Result<&str, RpcError> {
    let label = label.trim();
    let refused = if label.is_empty() {
        "a label may not be blank"
    } else if clean(label) != label {
        "a label may not hold control characters"
    } else {
        return Ok(label);
    };
    Err(RpcError::invalid_params("label", refused))
}

/// The only method that answers a secret. Without a selector, the next account is tried when a token is not available.
pub(crate) async fn token(sidecar: Arc<Sidecar>, params: TokenParams) -> Result<TokenAnswer, RpcError> {
    let need = || Need::ValidFor(params.min_valid_ms.map_or(EXPIRING, Duration::from_millis));
    if let Some(selector) = &params.account {
        let id = sidecar.find(selector)?;
        let token = promptly(&sidecar, &id, need()).await?;
        return Ok(token_answer(&id, &token));
    }
    let (mut tried, mut last) = (Vec::new(), None);
    loop {
        let best = sidecar.registry.decide(|pool, now| pool.best(&Demand::default(), &tried, now));
        let Some(id) = best else { return Err(last.unwrap_or_else(|| sidecar.no_account_error())) };
        match promptly(&sidecar, &id, need()).await {
            Ok(token) => return Ok(token_answer(&id, &token)),
            Err(error) => last = Some(error),
        }
        tried.push(id);
    }
}

/// pi may hold its lock while it waits for this answer, so the wait for that lock is short.
async fn promptly(sidecar: &Arc<Sidecar>, id: &AccountId, need: Need) -> Result<Token, RpcError> {
    tokio::select! {
        biased;
        token = get_token(sidecar, id, need) => token,
        busy = sidecar.refresher.pi_stays_busy(id) => Err(error::token(id, &busy, sidecar.registry.now())),
    }
}

async fn get_token(sidecar: &Sidecar, id: &AccountId, need: Need) -> Result<Token, RpcError> {
    let token = sidecar.refresher.token(id, need).await;
    token.map_err(|failure| error::token(id, &failure, sidecar.registry.now()))
}

fn token_answer(id: &AccountId, token: &Token) -> TokenAnswer {
    TokenAnswer {
        access_token: token.access.expose().to_owned(),
        workspace_id: token.workspace_id.clone(),
        expires_at: token.expires_at.millis(),
        account: id.to_string(),
    }
}

async fn set_disabled(
    sidecar: &Arc<Sidecar>,
    params: &AccountParams,
    disabled: bool,
) -> Result<AccountAnswer, RpcError> {
    let id = sidecar.find(&params.account)?;
    sidecar.registry.decide(|pool, _| pool.set_disabled(&id, disabled));
    sidecar.registry.changed(ChangeReason::Edited);
    let account = sidecar.account_view(&id)?;
    // The answer promises that the change survives a restart, so it is saved first.
    let registry = sidecar.registry.clone();
    let saved = sidecar.registry.edit(move || registry.save_state()).await;
    saved.map_err(|error| error::storage(&id, error).hinted(ACTIVE_BUT_UNSAVED))?;
    Ok(AccountAnswer { account })
}
