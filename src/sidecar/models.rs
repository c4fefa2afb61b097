//! The models that the backend offers to the account that would serve now.

use std::sync::Arc;

use crate::pool::{AccountId, Demand, Failure};
use crate::sidecar::Sidecar;
use crate::sidecar::credentials::token::Need;
use crate::upstream::{Bearer, ModelList, Originator, request_headers};

/// A client waits for the answer at its start, and continues without one.
const MOST_ACCOUNTS: usize = 2;

/// Returns the list for a version of Codex; `None` when no account gets one. `own` are headers of the client.
pub async fn list_models(
    sidecar: &Arc<Sidecar>,
    client_version: &str,
    own: &[(&str, &str)],
) -> Option<ModelList> {
    let mut tried = Vec::new();
    while tried.len() < MOST_ACCOUNTS {
        let id = sidecar.registry.decide(|pool, now| pool.best(&Demand::default(), &tried, now))?;
        match of_account(sidecar, &id, client_version, own).await {
            Ok(list) => return Some(list),
            Err(failure) => {
                tracing::info!(account = %id, kind = failure.kind.name(), failure.message, "no list of models");
            }
        }
        tried.push(id);
    }
    None
}

async fn of_account(
    sidecar: &Arc<Sidecar>,
    id: &AccountId,
    client_version: &str,
    own: &[(&str, &str)],
) -> Result<ModelList, Failure> {
    let token = sidecar.refresher.token(id, Need::USABLE).await?;
    let bearer = Bearer { token: &token.access, workspace_id: token.workspace_id.as_deref() };
    let own = own.iter().copied();
    // A header that cannot be sent is not needed for a list.
    let headers = request_headers(Originator::default(), None, own).unwrap_or_default();
    sidecar.completions.upstream().models(&bearer, client_version, headers).await
}
