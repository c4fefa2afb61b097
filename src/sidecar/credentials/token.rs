//! The token for one attempt: the one in memory while it is valid, otherwise a refreshed one.

use std::sync::Arc;
use std::time::Duration;

use super::TokenRefresher;
use crate::pool::EXPIRING;
use crate::pool::{AccountId, At, Credential, Failure, FailureKind, HealthStatus, RefreshMode, Source};
use crate::secret::Secret;
use crate::upstream::Bearer;

/// The longest wait for a new token while the old one is still valid, because the token endpoint or the holder of a
/// lock may be slow.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the token must be good for.
pub(crate) enum Need {
    /// Valid for this long; if that is not possible, one that is valid now.
    ValidFor(Duration),
    /// Another token than the one that upstream has just refused.
    NewerThan(Secret),
    /// A newly refreshed one, whatever is known about the account: the user asked for it.
    Forced,
}

impl Need {
    /// Valid long enough for a request.
    pub(crate) const USABLE: Need = Need::ValidFor(EXPIRING);
}

/// An access token and the workspace it belongs to.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) access: Secret,
    pub(crate) expires_at: At,
    pub(crate) workspace_id: Option<String>,
}

impl Token {
    pub(crate) fn bearer(&self) -> Bearer<'_> {
        Bearer { token: &self.access, workspace_id: self.workspace_id.as_deref() }
    }
}

impl TokenRefresher {
    /// # Errors
    ///
    /// `login_required` when only a login helps, `token_unavailable` and similar kinds when waiting may help.
    pub(crate) async fn token(self: &Arc<Self>, id: &AccountId, need: Need) -> Result<Token, Failure> {
        let account = self.account(id)?;
        let (held, workspace_id) = (account.credential, account.identity.workspace_id);
        let credential = match need {
            Need::Forced => self.refresh(id, &held.access, RefreshMode::Forced).await?,
            _ if let HealthStatus::NeedsLogin(mark) = account.health.standing => {
                let mut failure = Failure::new(FailureKind::LoginRequired, mark.source, mark.message);
                failure.code = mark.code;
                return Err(failure);
            }
            Need::ValidFor(life) if held.expires_at > self.registry.now() + life => held,
            Need::ValidFor(_) => self.renewed(id, held).await?,
            Need::NewerThan(refused) if held.access != refused => held,
            Need::NewerThan(refused) => {
                let renewed = self.refresh(id, &refused, RefreshMode::Needed).await?;
                if renewed.access != refused {
                    renewed
                } else {
                    // The joined flight began with an older token, and found the refused one.
                    self.refresh(id, &refused, RefreshMode::Needed).await?
                }
            }
        };
        Ok(Token { access: credential.access, expires_at: credential.expires_at, workspace_id })
    }

    /// Returns a new credential, or the old one while it is valid and a new one is not available soon.
    async fn renewed(self: &Arc<Self>, id: &AccountId, old: Credential) -> Result<Credential, Failure> {
        let refreshing = self.refresh(id, &old.access, RefreshMode::Needed);
        if old.expires_at <= self.registry.now() {
            return refreshing.await;
        }
        let why = match tokio::time::timeout(PATIENCE, refreshing).await {
            Ok(Ok(credential)) => return Ok(credential),
            Ok(Err(failure)) if is_final(&failure) || old.expires_at <= self.registry.now() => {
                return Err(failure);
            }
            Ok(Err(failure)) => failure.kind.name(),
            Err(_) => "slow",
        };
        tracing::info!(account = %id, why, "using the old token while it is valid");
        Ok(old)
    }
}

fn is_final(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::LoginRequired | FailureKind::Deactivated)
}

pub(crate) fn gone() -> Failure {
    Failure::new(FailureKind::TokenUnavailable, Source::File, "the account was removed meanwhile")
}
