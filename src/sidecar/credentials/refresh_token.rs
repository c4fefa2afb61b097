//! The exchange of one refresh token: under the lane of the host and the credential's lock, read the file again, adopt
//! what another program refreshed, record the intent, send, store, record the result. Refuses to send a token that is
//! consumed, one that may be consumed, and one whose successor could not be stored.

use std::sync::Arc;

use super::TokenRefresher;
use super::linked::{PiLogin, changed_hands};
use super::token::gone;
use crate::auth::{self, Claims, RefreshedTokens, TokenRefreshError};
use crate::pool::{
    Account, AccountId, At, Credential, Failure, FailureKind, RefreshLedger, RefreshMode, RefreshOutcome,
    Refusal, Source, TokenHash,
};
use crate::protocol::{ChangeReason, Warning, WarningKind};
use crate::secret::Secret;
use crate::sidecar::accounts::freshness::is_newer;
use crate::sidecar::accounts::{Origin, is_entry_of, is_of};
use crate::sidecar::blocking::on_a_thread;
use crate::store::{FileAccount, RefreshLane, StorageError};

/// The locks, and the ledger under them.
struct Turn {
    lane: Arc<RefreshLane>,
    ledger: RefreshLedger,
}

impl TokenRefresher {
    pub(super) async fn refresh_locked(
        self: &Arc<Self>,
        id: &AccountId,
        seen: &Secret,
        mode: RefreshMode,
    ) -> Result<Credential, Failure> {
        let account = self.account(id)?;
        let pi = if !is_other(&account.credential, seen, self.registry.now())
            && self.is_shared_with_pi(&account).await
        {
            Some(self.lock_pi_login(&account).await?)
        } else {
            None
        };
        let _turn = self.turn.lock().await;
        let account = self.account(id)?;
        if is_other(&account.credential, seen, self.registry.now()) {
            return Ok(account.credential);
        }
        if pi.is_none() && self.is_shared_with_pi(&account).await {
            return Err(changed_hands());
        }
        let mut turn = self.enter_lane(id).await?;
        let held = self.re_read(&account, pi.as_ref(), &turn.ledger).await?;
        let hash = auth::token_hash(&held.refresh);
        turn.ledger.supersede(id, &hash);
        let unknown_since = turn.ledger.unknown_since(&hash);
        self.set_refresh_uncertain(id, unknown_since);
        if is_other(&held, seen, self.registry.now()) {
            return Ok(held);
        }
        // The user can only have known what the account's state showed.
        let told = unknown_since.is_none() || account.refresh_uncertain.is_some();
        let mode = if told { mode } else { RefreshMode::Needed };
        if let Some(why_not) = turn.ledger.why_not(id, &hash, mode, self.registry.now()) {
            return Err(self.not_sent(&account, &why_not));
        }
        self.ensure_storable().await.map_err(|error| storage(&error))?;
        if pi.is_some() {
            self.ensure_pi_file_writable().await.map_err(|error| storage(&error))?;
        }
        tokio::time::sleep(turn.ledger.lane_rest(self.timing.spacing, self.registry.now())).await;
        if self.is_closing() {
            let why = "the sidecar is ending";
            return Err(Failure::new(FailureKind::TokenUnavailable, Source::TokenEndpoint, why));
        }
        turn.ledger.intend(id, &hash, self.registry.now());
        turn.save().await.map_err(|error| storage(&error))?;
        tracing::info!(account = %id, hash = hash.0, ?mode, expires_at = held.expires_at.millis(), "refreshing");
        let answer = self.endpoint.refresh(&held.refresh, self.registry.now()).await;
        match answer {
            Ok(refreshed) => self.refreshed(turn, pi, &account, &held, &hash, refreshed).await,
            Err(TokenRefreshError::AccessTokenMissing { refresh }) => {
                // The old refresh token is consumed: the new one is stored, and sent when a token is needed.
                let credential = Credential { refresh, ..held.clone() };
                let claims = Claims { identity: account.identity.clone(), ..Claims::default() };
                let refreshed = RefreshedTokens { credential, claims, refresh_replaced: true };
                self.refreshed(turn, pi, &account, &held, &hash, refreshed).await?;
                let why = "the token endpoint returned no access token; its new refresh token is kept";
                Err(Failure::new(FailureKind::TokenUnavailable, Source::TokenEndpoint, why))
            }
            Err(error) => Err(self.refused(turn, &account, &hash, &error).await),
        }
    }

    pub(super) fn account(&self, id: &AccountId) -> Result<Account, Failure> {
        self.registry.decide(|pool, _| pool.get(id).cloned()).ok_or_else(gone)
    }

    async fn enter_lane(self: &Arc<Self>, id: &AccountId) -> Result<Turn, Failure> {
        let (file, id) = (self.journal.clone(), id.clone());
        let (now, patience) = (self.registry.now(), self.timing.lock_patience);
        let entered = on_a_thread(move || {
            let lane = file.enter(&id, patience)?;
            let reading = lane.load(now)?;
            Ok((lane, reading))
        });
        let (lane, reading) = entered.await.map_err(|error| storage(&error))?;
        Ok(Turn { lane: Arc::new(lane), ledger: self.registry.accept_ledger(reading) })
    }

    /// Returns the credential of the files, or the one in memory when that is better. Memory follows.
    async fn re_read(
        self: &Arc<Self>,
        account: &Account,
        pi: Option<&PiLogin>,
        ledger: &RefreshLedger,
    ) -> Result<Credential, Failure> {
        let loaded = self.registry.in_file_turn(|turn| turn.load()).await.map_err(|error| storage(&error))?;
        if loaded.read_only {
            let why = "codex-accounts.json has a newer version and is not written";
            return Err(Failure::new(FailureKind::Storage, Source::File, why));
        }
        let in_file =
            loaded.accounts.iter().filter(|entry| is_entry_of(entry, account)).map(FileAccount::credential);
        let spent = |credential: &Credential| ledger.is_consumed(&auth::token_hash(&credential.refresh));
        // Of equal ones the last counts, which is the owner's.
        let better = |best: Credential, other: Credential| match (spent(&best), spent(&other)) {
            (best_is_spent, other_is_spent) if best_is_spent != other_is_spent => {
                if best_is_spent {
                    other
                } else {
                    best
                }
            }
            _ => {
                if is_newer(&other, &best) {
                    other
                } else {
                    best
                }
            }
        };
        let found = in_file.chain(pi.and_then(PiLogin::credential));
        let best = found.fold(account.credential.clone(), better);
        if best != account.credential {
            tracing::info!(account = %account.id, "adopted a newer credential from a file");
            self.registry.decide(|pool, _| pool.set_credential(&account.id, best.clone()));
            self.notifier.clear(WarningKind::LoginRequired, Some(&account.id));
            self.registry.changed(ChangeReason::External);
        }
        Ok(best)
    }

    /// Checks that the accounts file parses, has our version, and can be replaced.
    pub(crate) async fn ensure_storable(self: &Arc<Self>) -> Result<(), StorageError> {
        self.registry.in_file_turn(|turn| turn.rehearse()).await
    }

    async fn refreshed(
        self: &Arc<Self>,
        mut turn: Turn,
        pi: Option<PiLogin>,
        account: &Account,
        old: &Credential,
        hash: &TokenHash,
        refreshed: RefreshedTokens,
    ) -> Result<Credential, Failure> {
        let id = &account.id;
        let outcome =
            if refreshed.refresh_replaced { RefreshOutcome::Replaced } else { RefreshOutcome::Kept };
        if !is_of(&account.identity, &refreshed.claims.identity) {
            turn.record(id, hash, &RefreshOutcome::Replaced, self.registry.now()).await;
            let why = "the token endpoint answered for another identity; log this account in again";
            let mut failure = Failure::new(FailureKind::LoginRequired, Source::TokenEndpoint, why);
            failure.code = Some("identity_mismatch".to_owned());
            self.mark_unusable(account, &failure);
            return Err(failure);
        }
        let credential = refreshed.credential;
        if let Some(pi) = pi {
            self.write_back(pi, account, &credential, Origin::RefreshedTokens).await;
        }
        let written = self.store_refreshed(id, &old.refresh, &credential, turn.ledger.clone()).await;
        // A login that another program stored while the token was sent is what its owner wants.
        let credential = match &written {
            Ok(Ok(Some(login))) => login.clone(),
            _ => credential,
        };
        turn.record(id, hash, &outcome, self.registry.now()).await;
        // The old refresh token is consumed whatever happened to the file, so memory takes the new one in any case.
        self.registry.decide(|pool, _| pool.set_credential(id, credential.clone()));
        self.notifier.clear(WarningKind::LoginRequired, Some(id));
        self.notifier.clear(WarningKind::OutcomeUnknown, Some(id));
        self.notifier.clear(WarningKind::ConsumedCredential, Some(id));
        self.notifier.clear(WarningKind::RedeemPaused, None);
        self.registry.changed(ChangeReason::Refresh);
        if let Ok(Err(refused)) = &written {
            tracing::warn!(account = %id, %refused, "the account left the file while its token was refreshed");
        }
        if let Err(error) = written {
            self.notifier.report(Warning {
                kind: WarningKind::CorruptFile,
                message: format!(
                    "a refreshed credential could not be stored and is only in memory: {error}"
                ),
                account: Some(id.to_string()),
                hint: Some(
                    "make codex-accounts.json writable: it is tried again every minute, and when the sidecar ends"
                        .to_owned(),
                ),
            });
        }
        Ok(credential)
    }

    async fn refused(
        self: &Arc<Self>,
        mut turn: Turn,
        account: &Account,
        hash: &TokenHash,
        error: &TokenRefreshError,
    ) -> Failure {
        let failure = error.failure();
        let outcome = match error {
            TokenRefreshError::Terminal { .. } => RefreshOutcome::Refused(Refusal {
                kind: failure.kind,
                status: failure.status,
                code: failure.code.clone(),
            }),
            TokenRefreshError::Transient { retry_after, .. } => {
                RefreshOutcome::NotNow { message: failure.message.clone(), retry_after: *retry_after }
            }
            TokenRefreshError::OutcomeUnknown { .. } | TokenRefreshError::AccessTokenMissing { .. } => {
                RefreshOutcome::Lost
            }
        };
        tracing::warn!(
            account = %account.id,
            kind = failure.kind.name(),
            status = failure.status,
            code = failure.code,
            "the refresh token was not refreshed"
        );
        let paused = turn.record(&account.id, hash, &outcome, self.registry.now()).await;
        self.set_refresh_uncertain(&account.id, turn.ledger.unknown_since(hash));
        if let Some(until) = paused {
            self.warn_paused(until);
        }
        if matches!(error, TokenRefreshError::Terminal { .. }) {
            self.mark_unusable(account, &failure);
        }
        failure
    }
}

impl Turn {
    async fn save(&self) -> Result<(), StorageError> {
        let (lane, ledger) = (self.lane.clone(), self.ledger.clone());
        on_a_thread(move || lane.save(&ledger)).await
    }

    /// Records how it ended. If that cannot be saved, the intent stays, which is the safe side.
    async fn record(
        &mut self,
        id: &AccountId,
        hash: &TokenHash,
        outcome: &RefreshOutcome,
        now: At,
    ) -> Option<At> {
        let paused = self.ledger.settle(id, hash, outcome, now);
        if let Err(error) = self.save().await {
            tracing::error!(account = %id, %error, "the result of a refresh could not be recorded");
        }
        paused
    }
}

/// Returns whether another program has replaced the seen credential by a valid one. One that expires soon is accepted:
/// a caller that needs a longer life has then seen this one, and asks again.
fn is_other(credential: &Credential, seen: &Secret, now: At) -> bool {
    credential.access != *seen && credential.expires_at > now
}

pub(crate) fn storage(error: &StorageError) -> Failure {
    let mut failure = Failure::new(FailureKind::Storage, Source::File, error.to_string());
    failure.code = error.retryable().then(|| "locked".to_owned());
    failure
}
