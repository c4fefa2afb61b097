//! Redeeming refresh tokens, the most dangerous act here, as callers see it: one flight per account in this process,
//! which outlives its callers. What happens on the flight, and across processes, is in [`crate::sidecar::credentials::refresh_token`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::single_flight::SingleFlight;
use crate::clock;
use crate::pool::{AccountId, Credential, Failure, FailureKind, HealthEvidence, RefreshMode, Source};
use crate::protocol::ChangeReason;
use crate::secret::Secret;
use crate::sidecar::Sidecar;
use crate::sidecar::blocking::on_a_thread;
use crate::store::{AccountsFile, RefreshJournal, StorageError};

/// What is being refreshed right now.
pub(crate) struct Refresher {
    pub(crate) file: RefreshJournal,
    /// Whose turn it is in this process: only that one waits for the lane of the host.
    pub(crate) turn: tokio::sync::Mutex<()>,
    flights: SingleFlight<(AccountId, RefreshMode), Result<Credential, Failure>>,
    closing: AtomicBool,
}

impl Refresher {
    pub(crate) fn new(file: RefreshJournal) -> Self {
        Refresher {
            file,
            turn: tokio::sync::Mutex::default(),
            flights: SingleFlight::default(),
            closing: AtomicBool::new(false),
        }
    }

    /// Waits until every token that was sent has its result stored; none is sent any more.
    pub(crate) async fn settle(&self) {
        self.closing.store(true, Ordering::Relaxed);
        for flight in self.flights.all() {
            // Whoever asked for it is told by the flight itself.
            let _ = flight.await;
        }
    }

    pub(crate) fn are_under_way(&self) -> bool {
        !self.flights.all().is_empty()
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}

impl Sidecar {
    /// Another credential than the one with the access token `seen`, which is expiring or was refused: adopted when
    /// someone else has refreshed it, else refreshed here. Callers that come while one is under way share its result,
    /// and a caller that goes away does not stop it: an answer of the token endpoint that no one stores is a burned
    /// account.
    pub(crate) async fn refresh(
        self: &Arc<Self>,
        id: &AccountId,
        seen: &Secret,
        urge: RefreshMode,
    ) -> Result<Credential, Failure> {
        let start = || {
            let (sidecar, id, seen) = (self.clone(), id.clone(), seen.clone());
            async move {
                let refreshed = sidecar.exchange(&id, &seen, urge).await;
                if let Err(failure) = &refreshed {
                    sidecar.refresh_failed(&id, failure);
                }
                refreshed
            }
        };
        let landed = self.refreshes.flights.join((id.clone(), urge), start).await;
        landed.unwrap_or_else(|| {
            let why = "refreshing was interrupted";
            Err(Failure::new(FailureKind::TokenUnavailable, Source::TokenEndpoint, why))
        })
    }

    /// Ranks the account behind others while its token has expired and this stands.
    pub(crate) fn refresh_failed(&self, id: &AccountId, failure: &Failure) {
        let now = clock::now();
        self.pool().set_refresh_failed(id, HealthEvidence::of(failure, now));
        self.changed(ChangeReason::Health);
    }

    /// Runs work on the accounts file off the runtime's thread, one at a time: what it tells the pool is not undone by
    /// a reading from before.
    pub(crate) async fn on_accounts_file<T: Send + 'static>(
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
