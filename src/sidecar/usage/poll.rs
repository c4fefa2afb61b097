//! Reads usage while nobody asks for it, so that people see fresh numbers and predicted cooldowns end when they may. All
//! sidecars of the user take turns by a record in the state dir. No completion waits for any of it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::fetch::FetchTrigger;
use crate::clock;
use crate::pool::{AccountId, At, Failure, NextPoll, PollLog, UsageTrouble};
use crate::protocol::{Warning, WarningKind};
use crate::sidecar::Sidecar;
use crate::sidecar::blocking::on_a_thread;
use crate::store::{PollLogFile, StorageError};

/// Timers stand still while the machine sleeps, and what is due is a date, so the clock is looked at this often.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// What a warning is about when no usage can be read at all.
const EVERYWHERE: &str = "usage of all accounts";

#[derive(Debug)]
pub(crate) struct UsagePolls {
    file: PollLogFile,
    /// The record as last read or written here; the file is looked at again before anything is asked.
    seen: Mutex<PollLog>,
    /// When a person last looked at accounts here.
    attended_at: AtomicI64,
}

impl UsagePolls {
    pub(crate) fn new(file: PollLogFile, now: At) -> Self {
        UsagePolls { file, seen: Mutex::default(), attended_at: AtomicI64::new(now.millis()) }
    }

    pub(crate) fn attended(&self, now: At) {
        self.attended_at.store(now.millis(), Ordering::Relaxed);
    }
}

impl Sidecar {
    pub async fn run_usage_polls(self: Arc<Self>) {
        let tempo = self.options.usage_tempo;
        tokio::time::sleep(tempo.before_the_first()).await;
        loop {
            let changed = self.notifier.next_change();
            let rest = match self.next_usage_ask() {
                NextPoll::PollRecord(_) => {
                    self.poll_usage().await;
                    Duration::ZERO
                }
                NextPoll::Wait(until) => until.map_or(LONGEST_SLEEP, |until| until.since(clock::now())),
            };
            // However much changes, looks keep their distance.
            tokio::time::sleep(tempo.gap()).await;
            let _ = tokio::time::timeout(rest.min(LONGEST_SLEEP), changed).await;
        }
    }

    /// After a limit that nothing dated: this account's usage, unless it was asked for since, or is resting.
    pub(crate) fn date_cooldown_soon(self: &Arc<Self>, id: &AccountId) {
        let (sidecar, id) = (self.clone(), id.clone());
        tokio::spawn(async move {
            let tempo = sidecar.options.usage_tempo;
            let claim = move |asks: &mut PollLog, sidecar: &Sidecar| {
                let now = clock::now();
                let pool = sidecar.pool();
                let account = pool.get(&id).filter(|account| asks.is_due(account, tempo, now))?;
                let unauthorized_before = asks.was_unauthorized(&id);
                asks.ask(&account.id, now);
                Some((account.id.clone(), unauthorized_before))
            };
            sidecar.poll_one(claim).await;
        });
    }

    /// Whoever asks on a client's behalf leaves a note, so that nobody asks again soon.
    pub(crate) async fn note_usage_asked(self: &Arc<Self>, id: &AccountId) {
        let id = id.clone();
        self.note(move |asks, _| asks.ask(&id, clock::now())).await;
    }

    pub(crate) async fn note_usage_answered(self: &Arc<Self>, id: &AccountId, answer: Result<(), &Failure>) {
        let (id, failure, tempo) = (id.clone(), answer.err().cloned(), self.options.usage_tempo);
        let note = move |asks: &mut PollLog, _: &Sidecar| {
            asks.answered(&id, failure.as_ref().map_or(Ok(()), Err), tempo, clock::now());
        };
        self.note(note).await;
        self.warn_of_usage();
    }

    fn next_usage_ask(&self) -> NextPoll {
        let asks = self.usage_polls.seen.lock().unwrap_or_else(PoisonError::into_inner);
        self.next_of(&asks)
    }

    fn next_of(&self, asks: &PollLog) -> NextPoll {
        let attended_at = At(self.usage_polls.attended_at.load(Ordering::Relaxed));
        asks.next(self.pool().accounts(), self.options.usage_tempo, attended_at, clock::now())
    }

    /// Asks for the account whose turn it is, when it still is with the record in hand.
    async fn poll_usage(self: &Arc<Self>) {
        self.poll_one(|asks, sidecar| {
            let NextPoll::PollRecord(id) = sidecar.next_of(asks) else { return None };
            let unauthorized_before = asks.was_unauthorized(&id);
            asks.ask(&id, clock::now());
            Some((id, unauthorized_before))
        })
        .await;
    }

    async fn poll_one(
        self: &Arc<Self>,
        claim: impl FnOnce(&mut PollLog, &Sidecar) -> Option<(AccountId, bool)> + Send + 'static,
    ) {
        let Some(Some((id, unauthorized_before))) = self.note(claim).await else { return };
        // Already logged, and on the record.
        self.fetch_usage(&id, FetchTrigger::Due { unauthorized_before }).await.ok();
    }

    /// `None` when the record cannot be kept: then reason would know that it was asked.
    async fn note<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut PollLog, &Sidecar) -> T + Send + 'static,
    ) -> Option<T> {
        let sidecar = self.clone();
        let noted: Result<T, StorageError> = on_a_thread(move || {
            let (outcome, asks) = sidecar.usage_polls.file.change(|asks| {
                asks.forget_old(clock::now());
                change(asks, &sidecar)
            })?;
            *sidecar.usage_polls.seen.lock().unwrap_or_else(PoisonError::into_inner) = asks;
            Ok(outcome)
        })
        .await;
        noted.inspect_err(|error| tracing::warn!(%error, "no record of usage that is asked for")).ok()
    }

    fn warn_of_usage(&self) {
        let trouble = {
            let asks = self.usage_polls.seen.lock().unwrap_or_else(PoisonError::into_inner);
            asks.trouble(self.pool().accounts())
        };
        let warning = |message: String, account: Option<String>| Warning {
            kind: WarningKind::UsageUnavailable,
            message,
            account,
            hint: Some("the last known numbers are shown; completions go on".to_owned()),
        };
        let mut subjects = Vec::new();
        match trouble {
            UsageTrouble::Everywhere(kind) => {
                let message = format!("usage cannot be read: {}", kind.name());
                subjects.push(EVERYWHERE.to_owned());
                self.notifier.warn_about(EVERYWHERE, warning(message, None));
            }
            UsageTrouble::With(failing) => {
                for (id, kind) in failing {
                    let label = self.pool().get(&id).map(|it| it.label.clone()).unwrap_or_default();
                    let message = format!("the usage of {label} cannot be read: {}", kind.name());
                    subjects.push(id.to_string());
                    self.notifier.warn(warning(message, Some(id.to_string())));
                }
            }
        }
        self.notifier.settled_but(WarningKind::UsageUnavailable, &subjects);
    }
}
