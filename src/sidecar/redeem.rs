//! Redeeming refresh tokens, the most dangerous act here: one at a time per account and per host lane, never twice for
//! one token, and stored before it is used.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::time::Instant;

use super::Sidecar;
use super::blocking::on_a_thread;
use super::token::gone;
use crate::auth::{self, RedeemError};
use crate::clock;
use crate::pool::{Account, AccountId, Credential, Failure, FailureKind, Identity, Source};
use crate::protocol::{ChangeReason, Warning, WarningKind};
use crate::store::{AccountsFile, StorageError};

type Flight = Shared<BoxFuture<'static, Result<Credential, Failure>>>;

/// What is being redeemed right now, and when the lane is free again.
#[derive(Default)]
pub(super) struct Redeems {
    flights: Mutex<HashMap<AccountId, Flight>>,
    lane: tokio::sync::Mutex<Option<Instant>>,
}

impl Redeems {
    /// Waits until every redeem under way has ended and its result is stored.
    pub(super) async fn settle(&self) {
        let flights: Vec<Flight> =
            self.flights.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for flight in flights {
            let _ = flight.await;
        }
    }
}

impl Sidecar {
    /// A newer credential for the account, adopted from the file when someone else stored one. Callers that come
    /// while one is under way share its result, and a caller that goes away does not stop it: an answer of the token
    /// endpoint that no one stores is a burned account.
    pub(super) async fn redeem(self: &Arc<Self>, id: &AccountId) -> Result<Credential, Failure> {
        let flight = {
            let mut flights = self.redeems.flights.lock().unwrap_or_else(PoisonError::into_inner);
            flights.entry(id.clone()).or_insert_with(|| self.take_off(id.clone())).clone()
        };
        flight.await
    }

    fn take_off(self: &Arc<Self>, id: AccountId) -> Flight {
        let sidecar = self.clone();
        let task = tokio::spawn(async move {
            let result = sidecar.redeem_in_lane(&id).await;
            sidecar.redeems.flights.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            result
        });
        async move {
            task.await.unwrap_or_else(|_| {
                Err(Failure::new(
                    FailureKind::TokenUnavailable,
                    Source::TokenEndpoint,
                    "redeeming was interrupted",
                ))
            })
        }
        .boxed()
        .shared()
    }

    async fn redeem_in_lane(self: &Arc<Self>, id: &AccountId) -> Result<Credential, Failure> {
        let mut lane = self.redeems.lane.lock().await;
        if let Some(free_at) = *lane {
            tokio::time::sleep_until(free_at).await;
        }
        let account = self.pool().get(id).cloned().ok_or_else(gone)?;
        if let Some(credential) = self.adopt(&account).await? {
            return Ok(credential);
        }
        if account.linked {
            return Err(Failure::new(
                FailureKind::TokenUnavailable,
                Source::File,
                "this credential belongs to pi's auth.json, which holds no newer one; start pi once to renew it",
            ));
        }
        tracing::info!(account = %id, expires_at = account.credential.expires_at.millis(), "redeeming");
        let result =
            auth::redeem(&self.http, &self.options.auth_url, &account.credential.refresh, clock::now()).await;
        *lane = Some(Instant::now() + self.options.redeem_spacing);
        drop(lane);
        let redeemed = result.map_err(|error| self.refused(id, &error))?;
        if !is_of(&account.identity, &redeemed.claims.identity) {
            return Err(Failure::new(
                FailureKind::LoginRequired,
                Source::TokenEndpoint,
                "the token endpoint answered for another identity; log this account in again",
            ));
        }
        self.store_credential(&account, redeemed.credential).await
    }

    /// A newer credential that someone else has put into the file since we read it.
    async fn adopt(self: &Arc<Self>, account: &Account) -> Result<Option<Credential>, Failure> {
        let label = account.label.clone();
        let loaded = self.on_accounts_file(AccountsFile::load).await.map_err(storage)?;
        if loaded.read_only {
            return Err(storage("codex-accounts.json is of a newer version and is not written"));
        }
        let newer = loaded
            .accounts
            .into_iter()
            .find(|entry| entry.email == label)
            .map(|entry| Credential {
                access: entry.access,
                refresh: entry.refresh,
                expires_at: entry.expires_at,
            })
            .filter(|found| {
                found.refresh != account.credential.refresh
                    && found.expires_at > account.credential.expires_at
            })
            .filter(|found| found.expires_at > clock::now())
            .filter(|found| is_of(&account.identity, &auth::claims(&found.access).identity));
        if let Some(credential) = &newer {
            tracing::info!(account = %account.id, "adopted a newer credential from the accounts file");
            self.pool().set_credential(&account.id, credential.clone());
            self.changed(ChangeReason::External);
        }
        Ok(newer)
    }

    async fn store_credential(
        self: &Arc<Self>,
        account: &Account,
        credential: Credential,
    ) -> Result<Credential, Failure> {
        let (label, stored) = (account.label.clone(), credential.clone());
        let written = self
            .on_accounts_file(move |file| file.change(|document| document.set_credential(&label, &stored)))
            .await;
        // The old refresh token is consumed whatever happened to the file, so memory takes the new one in any case.
        self.pool().set_credential(&account.id, credential.clone());
        self.notifier.settled(WarningKind::LoginRequired, Some(&account.id));
        self.changed(ChangeReason::Refresh);
        if let Err(error) = written {
            self.notifier.warn(Warning {
                kind: WarningKind::CorruptFile,
                message: format!(
                    "a redeemed credential could not be stored and lives in memory only: {error}"
                ),
                account: Some(account.id.to_string()),
                hint: Some(
                    "make codex-accounts.json writable, or log this account in again after a restart"
                        .to_owned(),
                ),
            });
        }
        Ok(credential)
    }

    fn refused(&self, id: &AccountId, error: &RedeemError) -> Failure {
        let failure = error.failure();
        tracing::warn!(
            account = %id,
            kind = failure.kind.name(),
            status = failure.status,
            code = failure.code,
            "the refresh token was not redeemed"
        );
        if failure.kind == FailureKind::OutcomeUnknown {
            self.notifier.warn(Warning {
                kind: WarningKind::OutcomeUnknown,
                message: "a refresh token was sent and no answer arrived; it may be consumed".to_owned(),
                account: Some(id.to_string()),
                hint: Some("if this account stops working, log it in again".to_owned()),
            });
        }
        failure
    }

    /// Runs work on the accounts file off the runtime's thread, one at a time: what it tells the pool is not undone by
    /// a reading from before.
    pub(super) async fn on_accounts_file<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&AccountsFile) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let sidecar = self.clone();
        on_a_thread(move || {
            let _turn = sidecar.file_turn();
            work(&sidecar.accounts_file)
        })
        .await
    }
}

/// Whether a token with these claims may belong to the account: what both name must agree, what one leaves out may not
/// contradict.
fn is_of(account: &Identity, claimed: &Identity) -> bool {
    let agree = |known: &Option<String>, claimed: &Option<String>| match (known, claimed) {
        (Some(known), Some(claimed)) => known == claimed,
        _ => true,
    };
    agree(&account.workspace_id, &claimed.workspace_id) && agree(&account.user_id, &claimed.user_id)
}

fn storage(error: impl std::fmt::Display) -> Failure {
    Failure::new(FailureKind::Storage, Source::File, error.to_string())
}
