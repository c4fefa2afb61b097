//! Redeeming refresh tokens, the most dangerous act here, as callers see it: one flight per account in this process,
//! which outlives its callers. What happens on the flight, and across processes, is in [`super::exchange`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use super::Sidecar;
use super::blocking::on_a_thread;
use crate::pool::{AccountId, Credential, Failure, FailureKind, Source, Urge};
use crate::secret::Secret;
use crate::store::{AccountsFile, RedeemFile, StorageError};

type Flight = Shared<BoxFuture<'static, Result<Credential, Failure>>>;

/// What is being redeemed right now.
pub(super) struct Redeems {
    pub(super) file: RedeemFile,
    /// Whose turn it is in this process: only that one waits for the lane of the host.
    pub(super) turn: tokio::sync::Mutex<()>,
    flights: Mutex<HashMap<(AccountId, Urge), Flight>>,
    closing: AtomicBool,
}

impl Redeems {
    pub(super) fn new(file: RedeemFile) -> Self {
        Redeems {
            file,
            turn: tokio::sync::Mutex::default(),
            flights: Mutex::default(),
            closing: AtomicBool::new(false),
        }
    }

    /// Waits until every token that was sent has its result stored; none is sent any more.
    pub(super) async fn settle(&self) {
        self.closing.store(true, Ordering::Relaxed);
        let flights: Vec<Flight> = self.flights().values().cloned().collect();
        for flight in flights {
            // Whoever asked for it is told by the flight itself.
            let _ = flight.await;
        }
    }

    pub(super) fn are_under_way(&self) -> bool {
        !self.flights().is_empty()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<(AccountId, Urge), Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sidecar {
    /// Another credential than the one with the access token `seen`, which is expiring or was refused: adopted when
    /// someone else has redeemed it, else redeemed here. Callers that come while one is under way share its result,
    /// and a caller that goes away does not stop it: an answer of the token endpoint that no one stores is a burned
    /// account.
    pub(super) async fn redeem(
        self: &Arc<Self>,
        id: &AccountId,
        seen: &Secret,
        urge: Urge,
    ) -> Result<Credential, Failure> {
        let flight = {
            let mut flights = self.redeems.flights();
            let take_off = || self.take_off(id.clone(), seen.clone(), urge);
            flights.entry((id.clone(), urge)).or_insert_with(take_off).clone()
        };
        flight.await
    }

    fn take_off(self: &Arc<Self>, id: AccountId, seen: Secret, urge: Urge) -> Flight {
        let sidecar = self.clone();
        let task = tokio::spawn(async move {
            let result = sidecar.exchange(&id, &seen, urge).await;
            sidecar.redeems.flights().remove(&(id, urge));
            result
        });
        let interrupted = |_| {
            let why = "redeeming was interrupted";
            Err(Failure::new(FailureKind::TokenUnavailable, Source::TokenEndpoint, why))
        };
        async move { task.await.unwrap_or_else(interrupted) }.boxed().shared()
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
