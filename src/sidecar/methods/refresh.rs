//! `refresh`: refreshes tokens and reads usage, of one account or of all, with a result for each. A failure of one does
//! not stop the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::StreamExt;

use crate::pool::{AccountId, At, Failure, FailureKind, Pool};
use crate::protocol::{
    AccountState, RefreshAnswer, RefreshError, RefreshParams, RefreshProgress, Refreshed, RpcError,
};
use crate::sidecar::credentials::token::Need;
use crate::sidecar::usage::fetch::FetchTrigger;
use crate::sidecar::{Sidecar, error, redact, view};

/// How many accounts are worked on at the same time. Their refreshes still run one by one.
const AT_ONCE: usize = 4;

pub(crate) async fn refresh(sidecar: Arc<Sidecar>, params: RefreshParams) -> Result<RefreshAnswer, RpcError> {
    let notify = async |progress| sidecar.notifier.notify_now::<RefreshProgress>(&progress).await;
    refresh_accounts(&sidecar, params, notify).await
}

/// Refreshes one account or all. Calls `progressed` for each that is done.
///
/// # Errors
///
/// `params` names no account, or several.
pub async fn refresh_accounts<F: Future<Output = ()>>(
    sidecar: &Arc<Sidecar>,
    params: RefreshParams,
    progressed: impl Fn(RefreshProgress) -> F,
) -> Result<RefreshAnswer, RpcError> {
    let ids = match params.account.as_deref() {
        None | Some("all") => sidecar
            .registry
            .decide(|pool, _| pool.accounts().iter().map(|account| account.id.clone()).collect()),
        Some(selector) => vec![sidecar.find(selector)?],
    };
    let force = params.force == Some(true);
    let total = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    let done = AtomicU32::new(0);
    let (done, progressed) = (&done, &progressed);
    let outcomes: Vec<(AccountId, Result<(), Failure>)> = futures_util::stream::iter(ids)
        .map(|id| async move {
            let outcome = refresh_one(sidecar, &id, force).await;
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            progressed(RefreshProgress { done, total, account: id.to_string() }).await;
            (id, outcome)
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    // Read at one moment, so that exactly one of them is active.
    let results: Vec<Refreshed> = sidecar.registry.decide(|pool, now| {
        let result = |(id, outcome): (AccountId, Result<(), Failure>)| {
            // An account that was removed meanwhile has no result.
            let account = view::account(pool, pool.get(&id)?, now);
            let error = outcome.err().map(|failure| refresh_error(pool, &id, failure, now));
            Some(Refreshed { account, ok: error.is_none(), error })
        };
        outcomes.into_iter().filter_map(result).collect()
    });
    let needs_login =
        results.iter().filter(|result| result.account.state == AccountState::NeedsLogin).count();
    Ok(RefreshAnswer { results, needs_login: u32::try_from(needs_login).unwrap_or(u32::MAX) })
}

/// Upstream may repeat in its message what it received.
fn refresh_error(pool: &Pool, id: &AccountId, mut failure: Failure, now: At) -> RefreshError {
    failure.message = redact::redact(pool, &failure.message).into_owned();
    error::token(id, &failure, now).into()
}

/// A failure to read usage is an error only when the token is the cause.
async fn refresh_one(sidecar: &Sidecar, id: &AccountId, force: bool) -> Result<(), Failure> {
    sidecar.refresher.token(id, if force { Need::Forced } else { Need::USABLE }).await?;
    match sidecar.usage.fetch(id, FetchTrigger::Wanted).await {
        Err(failure) if is_about_the_login(&failure) => Err(failure),
        _ => Ok(()),
    }
}

fn is_about_the_login(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Unauthorized | FailureKind::LoginRequired | FailureKind::Deactivated)
}
