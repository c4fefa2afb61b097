//! Continues redemptions that were interrupted by a crash or a lost answer: with the same id, until each has an outcome
//! and a reading.

use std::sync::Arc;
use std::time::Duration;

use super::ResetCredits;
use super::redeem::NotRedeemed;
use crate::pool::Redemption;
use crate::sidecar::blocking::on_a_thread;

const FIRST_REST: Duration = Duration::from_secs(60);
const LONGEST_REST: Duration = Duration::from_secs(60 * 60);

impl ResetCredits {
    /// Checks at the start, and again while something is unfinished.
    pub async fn run_recovery(self: Arc<Self>) {
        let mut rest = FIRST_REST;
        loop {
            let left = self.recover().await;
            rest = if left { (rest * 2).min(LONGEST_REST) } else { FIRST_REST };
            tokio::time::sleep(rest).await;
        }
    }

    /// Returns whether something is unfinished.
    async fn recover(self: &Arc<Self>) -> bool {
        let journal = self.journal.clone();
        let seen = match on_a_thread(move || journal.look()).await {
            Ok(ledger) => ledger,
            Err(error) => {
                tracing::warn!(%error, "the journal of reset credits cannot be read");
                return false;
            }
        };
        let is_finished = seen.unfinished().next().is_none();
        *self.seen() = seen;
        if is_finished {
            return false;
        }
        // The holder of the lock is working on it, or has just died.
        let Ok(mut turn) = self.enter(Duration::from_secs(5)).await else { return true };
        let unfinished: Vec<Redemption> = turn.ledger.unfinished().cloned().collect();
        for redemption in unfinished {
            let (id, request_id) = (redemption.account.clone(), redemption.request_id.clone());
            if self.registry.decide(|pool, _| pool.get(&id).is_none()) {
                continue;
            }
            tracing::info!(account = %id, request_id, "going on with a redemption that was cut off");
            match self.resume(&mut turn, redemption).await {
                Ok(done) => tracing::info!(account = %id, request_id, outcome = ?done.outcome, "finished"),
                Err(NotRedeemed::Unknown(failure) | NotRedeemed::Refused(failure)) => {
                    tracing::info!(account = %id, request_id, kind = failure.kind.name(), "still not known");
                }
                Err(error) => tracing::warn!(account = %id, request_id, ?error, "cannot go on"),
            }
        }
        turn.ledger.unfinished().next().is_some()
    }
}
