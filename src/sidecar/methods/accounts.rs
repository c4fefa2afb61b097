//! `accounts` and `accounts/…`: the list, and what a user does to one account.

use std::sync::Arc;
use std::time::Duration;

use crate::clock;
use crate::pool::{AccountId, Demand, Failure};
use crate::protocol::{
    AccountAnswer, AccountParams, AccountsParams, ChangeReason, LabelParams, Removed, RpcError, TokenAnswer,
    TokenParams,
};
use crate::render::clean;
use crate::sidecar::accounts::load::labels_of;
use crate::sidecar::blocking::on_a_thread;
use crate::sidecar::credentials::token::{Need, Token};
use crate::sidecar::error::HOLDS_UNSAVED;
use crate::sidecar::view::EXPIRING;
use crate::sidecar::{Sidecar, error, view};
use crate::store::StorageError;

pub(crate) async fn list(sidecar: Arc<Sidecar>, params: AccountsParams) -> Result<view::Listing, RpcError> {
    sidecar.usage_polls.attended(clock::now());
    if params.refresh_usage == Some(true) {
        sidecar.fetch_all_usage().await;
    }
    Ok(view::Listing::new(sidecar, clock::now()))
}

/// Pins an account once its token is known to be good; a dead token leaves it unpinned.
pub(crate) async fn use_account(
    sidecar: Arc<Sidecar>,
    params: AccountParams,
) -> Result<AccountAnswer, RpcError> {
    let id = sidecar.find(&params.account)?;
    sidecar.token(&id, Need::USABLE).await.map_err(|failure| error::token(&id, &failure))?;
    {
        let mut pool = sidecar.pool();
        pool.set_disabled(&id, false);
        pool.pin(&id);
    }
    sidecar.changed(ChangeReason::Rotation);
    sidecar
        .edit(move |sidecar| {
            let used = sidecar.account_view(&id, clock::now())?;
            let written = {
                let _turn = sidecar.file_turn();
                sidecar.accounts_file.change(|document| document.set_active(Some(&used.label)))
            };
            // The pin itself is kept in the state dir, whatever became of the other file.
            sidecar.save_state().map_err(|error| error::storage(&id, error).hinted(HOLDS_UNSAVED))?;
            written.map_err(|error| {
                error::storage(&id, error).hinted("it is pinned all the same; only that file does not say so")
            })?;
            Ok(AccountAnswer { account: sidecar.account_view(&id, clock::now())? })
        })
        .await
}

/// The file first: an account that is still in the file would be back at the next reading.
pub(crate) async fn remove(sidecar: Arc<Sidecar>, params: AccountParams) -> Result<Removed, RpcError> {
    sidecar
        .edit(move |sidecar| {
            let id = sidecar.find(&params.account)?;
            let removed = sidecar.account_view(&id, clock::now())?;
            let linked = sidecar.pool().get(&id).filter(|account| account.linked).cloned();
            if let Some(account) = linked {
                sidecar.forget_pi_login(&account).map_err(|error| error::storage(&id, error))?;
            }
            sidecar.forget(&id).map_err(|error| error::storage(&id, error))?;
            tracing::info!(account = %id, "removed by the user");
            sidecar.changed(ChangeReason::Removed);
            let active = sidecar.pool().active(clock::now());
            Ok(Removed { removed, active: active.map(|id| id.to_string()) })
        })
        .await
}

pub(crate) async fn disable(sidecar: Arc<Sidecar>, params: AccountParams) -> Result<AccountAnswer, RpcError> {
    set_disabled(&sidecar, &params, true).await
}

pub(crate) async fn enable(sidecar: Arc<Sidecar>, params: AccountParams) -> Result<AccountAnswer, RpcError> {
    set_disabled(&sidecar, &params, false).await
}

pub(crate) async fn label(sidecar: Arc<Sidecar>, params: LabelParams) -> Result<AccountAnswer, RpcError> {
    sidecar
        .edit(move |sidecar| {
            let id = sidecar.find(&params.account)?;
            sidecar.rename(&id, wanted_label(&params.label)?)?;
            sidecar.changed(ChangeReason::Edited);
            Ok(AccountAnswer { account: sidecar.account_view(&id, clock::now())? })
        })
        .await
}

/// It is shown within a line, so it may hold nothing that leaves one.
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

/// The one method that answers a secret. Without a selector an account whose token cannot be had gives way to the next.
pub(crate) async fn token(sidecar: Arc<Sidecar>, params: TokenParams) -> Result<TokenAnswer, RpcError> {
    let need = || Need::ValidFor(params.min_valid_ms.map_or(EXPIRING, Duration::from_millis));
    if let Some(selector) = &params.account {
        let id = sidecar.find(selector)?;
        let token = promptly(&sidecar, &id, need()).await.map_err(|failure| error::token(&id, &failure))?;
        return Ok(token_answer(&id, &token));
    }
    let (mut tried, mut last) = (Vec::new(), None);
    loop {
        let best = sidecar.pool().best(&Demand::default(), &tried, clock::now());
        let Some(id) = best else { return Err(last.unwrap_or_else(|| sidecar.no_account_error())) };
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

async fn set_disabled(
    sidecar: &Arc<Sidecar>,
    params: &AccountParams,
    disabled: bool,
) -> Result<AccountAnswer, RpcError> {
    let id = sidecar.find(&params.account)?;
    sidecar.pool().set_disabled(&id, disabled);
    sidecar.changed(ChangeReason::Edited);
    let account = sidecar.account_view(&id, clock::now())?;
    // The answer promises that it survives a restart, so the state dir is written before it is given.
    let save = move |sidecar: &Sidecar| {
        sidecar.save_state().map_err(|error| error::storage(&id, error).hinted(HOLDS_UNSAVED))
    };
    sidecar.edit(save).await?;
    Ok(AccountAnswer { account })
}

impl Sidecar {
    /// Makes a change that the user asked for: in the order of asking, and to its end even when the request is
    /// cancelled meanwhile. `change` may block.
    pub(crate) async fn edit<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&Self) -> Result<T, RpcError> + Send + 'static,
    ) -> Result<T, RpcError> {
        self.in_turn(&self.edits, change).await
    }

    /// The same among those who wait for the same turns.
    pub(crate) async fn in_turn<T: Send + 'static>(
        self: &Arc<Self>,
        turns: &Arc<tokio::sync::Mutex<()>>,
        change: impl FnOnce(&Self) -> Result<T, RpcError> + Send + 'static,
    ) -> Result<T, RpcError> {
        let turn = turns.clone().lock_owned().await;
        let sidecar = self.clone();
        on_a_thread(move || {
            let _turn = turn;
            change(&sidecar)
        })
        .await
    }

    /// Takes every record of the account out of the file, and the account with its pin out of the pool.
    fn forget(&self, id: &AccountId) -> Result<(), StorageError> {
        let now = clock::now();
        let _turn = self.file_turn();
        self.accounts_file.change(|document| {
            // Once a record is gone, another of the same label may come to light.
            loop {
                let labels = labels_of(id, document.accounts(), now);
                let removed = labels.iter().filter(|label| document.remove(label).is_ok()).count();
                if removed == 0 {
                    break;
                }
            }
        })?;
        let mut pool = self.pool();
        if pool.pinned() == Some(id) {
            pool.unpin();
        }
        drop(pool);
        self.note_choices(now);
        self.pool().remove(id);
        Ok(())
    }

    /// The pool says whether the label may be had, the file is written, and only then the new label holds.
    fn rename(&self, id: &AccountId, new: &str) -> Result<(), RpcError> {
        let _turn = self.file_turn();
        let old = {
            let mut pool = self.pool();
            let old = pool.get(id).map(|account| account.label.clone()).unwrap_or_default();
            pool.set_label(id, new)?;
            old
        };
        let written = self.accounts_file.change(|document| document.rename(&old, new));
        if !matches!(written, Ok(Ok(())))
            && let Err(taken) = self.pool().set_label(id, &old)
        {
            tracing::warn!(account = %id, %taken, "the old label could not be put back");
        }
        let refused = written.map_err(|error| error::storage(id, error))?;
        refused.map_err(|refused| RpcError::invalid_params("label", refused.to_string()))
    }
}
