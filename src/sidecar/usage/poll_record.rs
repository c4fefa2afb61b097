//! The record of polls in the state directory, by which all sidecars of the user take turns.

use std::sync::{Arc, MutexGuard, PoisonError};

use super::UsageService;
use crate::pool::{AccountId, Failure, PollLog};
use crate::sidecar::blocking::on_a_thread;
use crate::store::StorageError;

impl UsageService {
    /// Records a reading that a client asked for, so that no sidecar polls the account soon after.
    pub(super) async fn record_poll(self: &Arc<Self>, id: &AccountId) {
        let id = id.clone();
        self.change_record(move |log, service| log.ask(&id, service.registry.now())).await;
    }

    pub(super) async fn record_answer(self: &Arc<Self>, id: &AccountId, answer: Result<(), &Failure>) {
        let (id, failure) = (id.clone(), answer.err().cloned());
        self.change_record(move |log, service| {
            let answer = failure.as_ref().map_or(Ok(()), Err);
            log.answered(&id, answer, service.schedule, service.registry.now());
        })
        .await;
        self.warn_of_trouble();
    }

    /// Changes the record under its lock. Returns `None` when it cannot be written, because then no other sidecar would
    /// know of the poll.
    pub(super) async fn change_record<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut PollLog, &UsageService) -> T + Send + 'static,
    ) -> Option<T> {
        let service = self.clone();
        let changed: Result<T, StorageError> = on_a_thread(move || {
            let (outcome, log) = service.file.change(|log| {
                log.forget_old(service.registry.now());
                change(log, &service)
            })?;
            *service.seen() = log;
            Ok(outcome)
        })
        .await;
        changed.inspect_err(|error| tracing::warn!(%error, "the record of usage polls was not written")).ok()
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, PollLog> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
