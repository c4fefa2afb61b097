//! [`UsageService`]: reads the usage of accounts from upstream, on demand and on a schedule.

pub(crate) mod fetch;
mod poll;
mod poll_record;
#[cfg(test)]
mod tests;
mod warning;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use crate::pool::{AccountId, At, Failure, PollLog, PollSchedule, UsageReading};
use crate::protocol::ChangeReason;
use crate::sidecar::accounts::AccountRegistry;
use crate::sidecar::credentials::TokenRefresher;
use crate::sidecar::credentials::single_flight::SingleFlight;
use crate::sidecar::notify::notifier::Notifier;
use crate::sidecar::reset_credits::{ResetCredits, UsageEndpoint};
use crate::store::PollLogFile;

/// The owner of the record of polls that all sidecars of the user share.
pub(crate) struct UsageService {
    registry: Arc<AccountRegistry>,
    refresher: Arc<TokenRefresher>,
    notifier: Arc<Notifier>,
    endpoint: Arc<dyn UsageEndpoint>,
    reset_credits: Arc<ResetCredits>,
    schedule: PollSchedule,
    /// Accounts whose usage is being read.
    fetches: SingleFlight<AccountId, Result<(), Failure>>,
    file: PollLogFile,
    /// The record as last read or written here; the file is read again before a poll.
    seen: Mutex<PollLog>,
    /// When a person last read the accounts.
    attended_at: AtomicI64,
}

impl UsageService {
    pub(crate) fn new(
        registry: Arc<AccountRegistry>,
        refresher: Arc<TokenRefresher>,
        notifier: Arc<Notifier>,
        endpoint: Arc<dyn UsageEndpoint>,
        schedule: PollSchedule,
        file: PollLogFile,
        reset_credits: Arc<ResetCredits>,
    ) -> Self {
        let now = registry.now();
        UsageService {
            registry,
            refresher,
            reset_credits,
            notifier,
            endpoint,
            schedule,
            fetches: SingleFlight::default(),
            file,
            seen: Mutex::default(),
            attended_at: AtomicI64::new(now.millis()),
        }
    }

    /// A person reads the accounts, so polls are frequent for a while.
    pub(crate) fn attended(&self) {
        self.attended_at.store(self.registry.now().millis(), Ordering::Relaxed);
    }

    /// Takes a reading into the pool.
    pub(crate) fn apply(&self, id: &AccountId, reading: UsageReading) {
        self.registry.decide(|pool, now| pool.apply_usage(id, reading, now));
        self.registry.changed(ChangeReason::Usage);
    }

    fn attended_at(&self) -> At {
        At(self.attended_at.load(Ordering::Relaxed))
    }
}
