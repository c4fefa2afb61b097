//! [`TokenRefresher`]: access tokens for requests, and the refresh of tokens: once per token, journaled, stored before it
//! is used.

mod findings;
mod flush_pending;
mod linked;
mod refresh;
mod refresh_guard;
mod refresh_token;
pub(crate) mod single_flight;
pub(crate) mod token;
mod token_endpoint;
mod upkeep;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::pool::{AccountId, Credential, Failure, RefreshMode};
use crate::sidecar::accounts::AccountRegistry;
use crate::sidecar::import::Imports;
use crate::sidecar::notify::notifier::Notifier;
use crate::store::RefreshJournal;

use single_flight::SingleFlight;

pub(crate) use token_endpoint::{OAuthTokenEndpoint, TokenEndpoint};

/// pi holds its lock for as long as its own request takes, 15 s at most; a refresh of another sidecar may take as long.
pub(crate) const LOCK_PATIENCE: Duration = Duration::from_secs(30);

/// How refreshes are spaced, and how long they wait for others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RefreshTiming {
    /// The pause between two refreshes of this machine: upstream revokes logins that are refreshed in a burst.
    pub(crate) spacing: Duration,
    /// How often accounts that are not in use are checked.
    pub(crate) upkeep_interval: Duration,
    /// The longest wait for pi's lock, for the lane of the host and for a credential's lock.
    pub(crate) lock_patience: Duration,
}

/// The owner of the refresh journal, and the only one that sends a refresh token.
pub(crate) struct TokenRefresher {
    registry: Arc<AccountRegistry>,
    imports: Arc<Imports>,
    notifier: Arc<Notifier>,
    endpoint: Box<dyn TokenEndpoint>,
    timing: RefreshTiming,
    journal: RefreshJournal,
    /// The turn of this process: only its holder waits for the lane of the host.
    turn: tokio::sync::Mutex<()>,
    flights: SingleFlight<(AccountId, RefreshMode), Result<Credential, Failure>>,
    closing: AtomicBool,
}

impl TokenRefresher {
    pub(crate) fn new(
        registry: Arc<AccountRegistry>,
        imports: Arc<Imports>,
        notifier: Arc<Notifier>,
        journal: RefreshJournal,
        endpoint: Box<dyn TokenEndpoint>,
        timing: RefreshTiming,
    ) -> Self {
        TokenRefresher {
            registry,
            imports,
            notifier,
            endpoint,
            timing,
            journal,
            turn: tokio::sync::Mutex::default(),
            flights: SingleFlight::default(),
            closing: AtomicBool::new(false),
        }
    }

    /// Waits until every token that was sent has its result stored; from now on none is sent.
    pub(crate) async fn finish(&self) {
        self.closing.store(true, Ordering::Relaxed);
        for flight in self.flights.all() {
            // The flight itself reports how it ended.
            let _ = flight.await;
        }
    }

    pub(crate) fn is_refreshing(&self) -> bool {
        !self.flights.all().is_empty()
    }

    pub(crate) fn journal(&self) -> &RefreshJournal {
        &self.journal
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}
