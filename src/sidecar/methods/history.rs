//! `history`: the attempts of all sidecars of the user. An attempt is recorded in memory when it ends and written a
//! moment later, so that no completion waits for a file.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::pool::{self, AccountId, AttemptRecord, AttemptResult, Day, HistoryQuestion};
use crate::protocol::{
    AccountTally, Attempt, AttemptOutcome, DayTally, HistoryAnswer, HistoryParams, RpcError, Tally,
    TokenCount, Warning, WarningKind,
};
use crate::sidecar::blocking::on_a_thread;
use crate::sidecar::notify::notifier::Notifier;
use crate::sidecar::{Sidecar, view};
use crate::store::{HistoryFile, LOCK_DEADLINE, StorageError};

/// Attempts that end closer together than this share one write.
const GATHER: Duration = Duration::from_millis(250);
/// At the end of the sidecar the wait for other writers is shorter.
const LAST_PATIENCE: Duration = Duration::from_millis(500);
/// How many attempts may wait to be written, e.g. while the disk is full; the oldest are dropped.
const MAX_WAITING: usize = 4096;

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 1000;
const DEFAULT_DAYS: u32 = 30;
const MAX_DAYS: u32 = 366;

/// The owner of the history file.
pub(crate) struct HistoryRecorder {
    file: HistoryFile,
    notifier: Arc<Notifier>,
    clock: Clock,
    waiting: Mutex<VecDeque<AttemptRecord>>,
    wake: Notify,
}

impl HistoryRecorder {
    pub(crate) fn new(file: HistoryFile, notifier: Arc<Notifier>, clock: Clock) -> Self {
        HistoryRecorder { file, notifier, clock, waiting: Mutex::default(), wake: Notify::new() }
    }

    pub(crate) fn file(&self) -> &HistoryFile {
        &self.file
    }

    /// Takes an ended attempt, which is written later.
    pub(crate) fn record(&self, tried: AttemptRecord) {
        let mut waiting = self.waiting();
        if waiting.len() == MAX_WAITING {
            waiting.pop_front();
        }
        waiting.push_back(tried);
        self.wake.notify_one();
    }

    /// Blocks. Attempts that cannot be written wait for the next time.
    fn write(&self, patience: Duration) -> Result<(), StorageError> {
        let tries: Vec<AttemptRecord> = self.waiting().drain(..).collect();
        if tries.is_empty() {
            return Ok(());
        }
        self.file.append(&tries, patience, self.clock.now()).inspect_err(|_| {
            let mut waiting = self.waiting();
            for tried in tries.into_iter().rev() {
                if waiting.len() < MAX_WAITING {
                    waiting.push_front(tried);
                }
            }
        })
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<AttemptRecord>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) async fn history(sidecar: Arc<Sidecar>, params: HistoryParams) -> Result<HistoryAnswer, RpcError> {
    let limit = within("limit", params.limit, DEFAULT_LIMIT, 0, MAX_LIMIT)?;
    let days = within("days", params.days, DEFAULT_DAYS, 1, MAX_DAYS)?;
    let account = params.account.as_deref().map(|selector| sidecar.find(selector)).transpose()?;
    let since = Day(sidecar.registry.now().day().0 - i64::from(days) + 1);
    let question = HistoryQuestion { limit: usize::try_from(limit).unwrap_or(usize::MAX), account, since };
    let recorder = sidecar.history.clone();
    let history = on_a_thread(move || recorder.load()).await?;
    let report = history.report(&question);
    let accounts = account_tallies(&report.accounts);
    Ok(HistoryAnswer {
        attempts: report.tries.into_iter().map(attempt).collect(),
        accounts,
        days: report
            .days
            .iter()
            .map(|of| DayTally {
                day: of.day.to_string(),
                tally: tally(&of.total),
                accounts: account_tallies(&of.accounts),
            })
            .collect(),
    })
}

impl HistoryRecorder {
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            self.wake.notified().await;
            tokio::time::sleep(GATHER).await;
            let recorder = self.clone();
            on_a_thread(move || recorder.flush(LOCK_DEADLINE)).await;
        }
    }

    pub(crate) async fn finish(self: &Arc<Self>) {
        let recorder = self.clone();
        on_a_thread(move || recorder.flush(LAST_PATIENCE)).await;
    }

    /// Blocks.
    fn load(&self) -> Result<pool::History, StorageError> {
        self.flush(LOCK_DEADLINE);
        let reading = self.file.load(self.clock.now())?;
        if let Some(aside) = reading.set_aside {
            self.notifier.report(Warning {
                kind: WarningKind::CorruptFile,
                message: format!("the history was damaged and was set aside as {}", aside.display()),
                account: None,
                hint: Some("what could be read of it was kept; nothing else depends on it".to_owned()),
            });
        }
        Ok(reading.history)
    }

    /// Writes the waiting attempts. A failure is only logged, because no request should fail for it. Blocks.
    fn flush(&self, patience: Duration) {
        if let Err(error) = self.write(patience) {
            tracing::warn!(%error, "the history was not written");
        }
    }
}

fn within(
    name: &'static str,
    given: Option<u32>,
    default: u32,
    least: u32,
    most: u32,
) -> Result<u32, RpcError> {
    let value = given.unwrap_or(default);
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(RpcError::invalid_params(name, format!("{name}: must be from {least} to {most}")))
}

fn attempt(tried: AttemptRecord) -> Attempt {
    Attempt {
        at: tried.at.millis(),
        account: tried.account.to_string(),
        reserve: tried.model.as_deref() == Some(pool::RESERVE_MODEL),
        model: tried.model,
        outcome: match tried.outcome {
            AttemptResult::Completed => AttemptOutcome::Completed,
            AttemptResult::Incomplete => AttemptOutcome::Incomplete,
            AttemptResult::Rotated => AttemptOutcome::Rotated,
            AttemptResult::Failed => AttemptOutcome::Failed,
            AttemptResult::Cancelled => AttemptOutcome::Cancelled,
        },
        reason: tried.reason,
        tokens: tried.tokens.map(token_count),
        first_event_ms: tried.first_event.map(millis),
        total_ms: millis(tried.total),
        transport: tried.sent.map(|sent| view::transport_used(sent.transport)),
        continued: tried.sent.map(|sent| sent.continued),
        sent_bytes: tried.sent.map(|sent| sent.bytes),
        saved_bytes: tried.sent.map(|sent| sent.saved_bytes).filter(|saved| *saved > 0),
        switched: tried.switched,
        reasoning_dropped: view::reasoning_dropped(tried.reasoning_dropped),
    }
}

fn account_tallies(rows: &[(AccountId, pool::Tally)]) -> Vec<AccountTally> {
    rows.iter().map(|(id, sums)| AccountTally { account: id.to_string(), tally: tally(sums) }).collect()
}

fn tally(sums: &pool::Tally) -> Tally {
    Tally {
        attempts: sums.attempts,
        completed: sums.completed,
        rotated: sums.rotated,
        failed: sums.failed,
        cancelled: sums.cancelled,
        tokens: token_count(sums.tokens),
        continued: sums.continued,
        saved_bytes: sums.saved_bytes,
        switches: sums.switches,
        reasoning_dropped: view::reasoning_dropped(sums.reasoning_dropped),
    }
}

fn token_count(count: pool::TokenCount) -> TokenCount {
    TokenCount { input: count.input, cached: count.cached, output: count.output }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
