//! One redemption: the lock, and the journal under it.

use std::sync::Arc;
use std::time::Duration;

use super::ResetCredits;
use crate::pool::{RedeemOutcome, Redemption, ResetLedger};
use crate::sidecar::blocking::on_a_thread;
use crate::store::{ResetLane, StorageError};

pub(crate) struct Turn {
    lane: Arc<ResetLane>,
    pub(crate) ledger: ResetLedger,
    owner: Arc<ResetCredits>,
}

impl ResetCredits {
    /// Waits for at most `patience`.
    pub(crate) async fn enter(self: &Arc<Self>, patience: Duration) -> Result<Turn, StorageError> {
        let (journal, now) = (self.journal.clone(), self.registry.now());
        let entered = on_a_thread(move || {
            let lane = journal.enter(patience)?;
            let ledger = lane.load(now)?;
            Ok((lane, ledger))
        });
        let (lane, ledger) = entered.await?;
        self.seen().clone_from(&ledger);
        Ok(Turn { lane: Arc::new(lane), ledger, owner: self.clone() })
    }
}

impl Turn {
    /// The decision is on disk when this returns, and only then may it be sent.
    pub(super) async fn decide(&mut self, redemption: Redemption) -> Result<(), StorageError> {
        self.ledger.decide(redemption);
        self.save().await
    }

    /// An outcome that cannot be saved leaves the decision open, which is the safe side: the same id is sent again.
    pub(super) async fn settle(&mut self, request_id: &str, outcome: RedeemOutcome) {
        self.ledger.settle(request_id, outcome);
        self.save_or_log(request_id).await;
    }

    pub(super) async fn verified(&mut self, request_id: &str, helped: bool) {
        self.ledger.verified(request_id, helped);
        self.save_or_log(request_id).await;
    }

    async fn save_or_log(&mut self, request_id: &str) {
        if let Err(error) = self.save().await {
            tracing::error!(request_id, %error, "what became of a reset credit could not be written down");
        }
    }

    async fn save(&mut self) -> Result<(), StorageError> {
        let (lane, ledger) = (self.lane.clone(), self.ledger.clone());
        on_a_thread(move || lane.save(&ledger)).await?;
        self.owner.seen().clone_from(&self.ledger);
        Ok(())
    }
}
