//! Reads usage without a request, so that people see new numbers and predicted cooldowns end when they may. No
//! completion waits for it.

use std::sync::Arc;
use std::time::Duration;

use super::UsageService;
use super::fetch::FetchTrigger;
use crate::pool::{AccountId, NextPoll, PollLog};

/// Timers stop while the machine sleeps, and polls are due at a date, so the clock is read at least this often.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

impl UsageService {
    pub(crate) async fn run_polls(self: Arc<Self>) {
        tokio::time::sleep(self.schedule.before_the_first()).await;
        loop {
            let changed = self.notifier.next_change();
            let next = self.next_poll(&self.seen());
            let rest = match next {
                NextPoll::PollRecord(_) => {
                    self.poll_next().await;
                    Duration::ZERO
                }
                NextPoll::Wait(until) => {
                    until.map_or(LONGEST_SLEEP, |until| until.since(self.registry.now()))
                }
            };
            // Polls keep their distance, however often something changes.
            tokio::time::sleep(self.schedule.gap()).await;
            let _ = tokio::time::timeout(rest.min(LONGEST_SLEEP), changed).await;
        }
    }

    /// After a limit without a date: reads this account's usage, unless it was read since, or is paused.
    pub(crate) fn date_cooldown_soon(self: &Arc<Self>, id: &AccountId) {
        let (service, id) = (self.clone(), id.clone());
        tokio::spawn(async move {
            let claim = move |log: &mut PollLog, service: &UsageService| {
                service.registry.decide(|pool, now| {
                    let account =
                        pool.get(&id).filter(|account| log.is_due(account, service.schedule, now))?;
                    let unauthorized_before = log.was_unauthorized(&id);
                    log.ask(&account.id, now);
                    Some((account.id.clone(), unauthorized_before))
                })
            };
            service.poll(claim).await;
        });
    }

    fn next_poll(&self, log: &PollLog) -> NextPoll {
        self.registry.decide(|pool, now| log.next(pool.accounts(), self.schedule, self.attended_at(), now))
    }

    /// Polls the due account, if it is still due once the record is locked.
    async fn poll_next(self: &Arc<Self>) {
        self.poll(|log, service| {
            let NextPoll::PollRecord(id) = service.next_poll(log) else { return None };
            let unauthorized_before = log.was_unauthorized(&id);
            log.ask(&id, service.registry.now());
            Some((id, unauthorized_before))
        })
        .await;
    }

    async fn poll(
        self: &Arc<Self>,
        claim: impl FnOnce(&mut PollLog, &UsageService) -> Option<(AccountId, bool)> + Send + 'static,
    ) {
        let Some(Some((id, unauthorized_before))) = self.change_record(claim).await else { return };
        // A failure is logged and recorded already.
        self.fetch(&id, FetchTrigger::Due { unauthorized_before }).await.ok();
    }
}
