//! A refresh for its callers: one flight per account in this process, which outlives its callers. The sequence itself
//! is in `refresh_token.rs`.

use std::sync::Arc;

use super::TokenRefresher;
use crate::pool::{AccountId, Credential, Failure, FailureKind, HealthEvidence, RefreshMode, Source};
use crate::protocol::ChangeReason;
use crate::secret::Secret;

impl TokenRefresher {
    /// Returns another credential than the one with the access token `seen`, which expires soon or was refused: adopted
    /// when another program has refreshed it, otherwise refreshed here. Callers during a refresh share its result, and
    /// a caller that is cancelled does not stop it, because tokens that are not stored are lost with the account.
    pub(crate) async fn refresh(
        self: &Arc<Self>,
        id: &AccountId,
        seen: &Secret,
        mode: RefreshMode,
    ) -> Result<Credential, Failure> {
        let start = || {
            let (refresher, id, seen) = (self.clone(), id.clone(), seen.clone());
            async move {
                let refreshed = refresher.refresh_locked(&id, &seen, mode).await;
                if let Err(failure) = &refreshed {
                    refresher.refresh_failed(&id, failure);
                }
                refreshed
            }
        };
        let ended = self.flights.join((id.clone(), mode), start).await;
        ended.unwrap_or_else(|| {
            let why = "refreshing was interrupted";
            Err(Failure::new(FailureKind::TokenUnavailable, Source::TokenEndpoint, why))
        })
    }

    /// Ranks the account behind the others while its token has expired.
    pub(crate) fn refresh_failed(&self, id: &AccountId, failure: &Failure) {
        self.registry.decide(|pool, now| pool.set_refresh_failed(id, HealthEvidence::of(failure, now)));
        self.registry.changed(ChangeReason::Health);
    }
}
