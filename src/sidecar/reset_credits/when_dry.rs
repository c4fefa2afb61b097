//! `resetCredits: "when-dry"`: one credit, for the one account that it would bring back, decided once for all sidecars
//! that share the journal.

use std::sync::Arc;
use std::time::Duration;

use super::ResetCredits;
use super::redeem::{NotRedeemed, Redeemed};
use crate::pool::{AccountId, DecidedBy, Demand, FRESH, WhyNotAutomatic};

/// As long as another sidecar may take to redeem one, readings included.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

impl ResetCredits {
    /// Redeems a credit when the journal has nothing against it. Returns an account that can serve again, perhaps by the
    /// credit that another sidecar has redeemed meanwhile.
    pub(crate) async fn redeem_when_dry(self: &Arc<Self>, demand: &Demand) -> Option<AccountId> {
        let (owner, demand) = (self.clone(), demand.clone());
        // Completions of this sidecar share one try, and it goes on when they are cancelled.
        let shared = self.when_dry.join((), || async move { owner.redeem_for_the_pool(&demand).await });
        shared.await.flatten()
    }

    /// Why no credit is redeemed without a person now, as far as is known here.
    pub(crate) fn why_not_automatic(&self) -> Option<WhyNotAutomatic> {
        self.seen().why_not_automatic(self.registry.now())
    }

    async fn redeem_for_the_pool(self: &Arc<Self>, demand: &Demand) -> Option<AccountId> {
        let mut turn = match self.enter(LOCK_PATIENCE).await {
            Ok(turn) => turn,
            Err(error) => {
                tracing::warn!(%error, "no reset credit is redeemed: its journal cannot be used");
                return None;
            }
        };
        let now = self.registry.now();
        if let Some(why_not) = turn.ledger.why_not_automatic(now) {
            let helped = turn.ledger.helped_lately(now).map(|redemption| redemption.account.clone());
            drop(turn);
            tracing::info!(?why_not, ?helped, "no further reset credit is redeemed");
            return self.take_over(helped?).await;
        }
        // The list is read for each: its count alone names no credit, and one may be spent elsewhere.
        let candidates = self.registry.decide(|pool, now| pool.resettable(demand, Some(FRESH), now));
        for candidate in candidates.iter().filter(|candidate| candidate.credit.is_none()) {
            self.list(&candidate.account).await.ok();
        }
        let candidates = self.registry.decide(|pool, now| pool.resettable(demand, Some(FRESH), now));
        let chosen = candidates.into_iter().find_map(|found| Some((found.account, found.credit?)))?;
        let (account, credit) = chosen;
        match self.redeem(&mut turn, &account, Some(&credit.id), DecidedBy::WhenDry).await {
            Ok(Redeemed { helped: Some(true), .. }) => {
                self.report(&account, "a reset credit was redeemed, because no account could serve");
                Some(account)
            }
            Ok(done) => {
                tracing::warn!(account = %account, outcome = ?done.outcome, "a reset credit did not help");
                None
            }
            Err(NotRedeemed::Unknown(_)) => {
                self.report(&account, "it is not known whether a reset credit was redeemed; it is found out");
                None
            }
            Err(error) => {
                tracing::warn!(account = %account, ?error, "no reset credit was redeemed");
                None
            }
        }
    }

    /// Another sidecar had this account reset. What that brought is read, because it may be used up again.
    async fn take_over(&self, id: AccountId) -> Option<AccountId> {
        let is_known = self
            .registry
            .decide(|pool, now| pool.get(&id).is_some_and(|account| account.cooldown_until(now).is_none()));
        if is_known {
            return Some(id);
        }
        let reading = self.read_usage(&id).await.ok()?;
        let now = self.registry.now();
        let is_free = reading.reached.is_none()
            && !reading.windows.is_empty()
            && !reading.windows.iter().any(|window| window.is_exhausted(now));
        is_free.then(|| {
            self.take_reset(&id);
            id
        })
    }
}
