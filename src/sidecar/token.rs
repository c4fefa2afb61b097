//! A token for one attempt: the one in memory while it is good, else a redeemed one.

use std::sync::Arc;

use super::Sidecar;
use super::view::EXPIRING;
use crate::clock;
use crate::pool::{AccountId, Credential, Failure, FailureKind, Source, Standing};
use crate::secret::Secret;

/// How good the token has to be.
pub(super) enum Need {
    /// Good for five more minutes; when that cannot be had, one that is still good now will do.
    Usable,
    /// Another one than the token that upstream has just refused.
    NewerThan(Secret),
}

/// An access token and the workspace it belongs to.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) access: Secret,
    pub(super) workspace_id: Option<String>,
}

impl Sidecar {
    /// # Errors
    ///
    /// `login_required` when only a login helps, `token_unavailable` and the like when waiting may help. The account
    /// itself is not marked here: the rotation walk does that, from the failure.
    pub(super) async fn token(self: &Arc<Self>, id: &AccountId, need: Need) -> Result<Token, Failure> {
        let (credential, workspace_id, standing) = {
            let pool = self.pool();
            let account = pool.get(id).ok_or_else(gone)?;
            (
                account.credential.clone(),
                account.identity.workspace_id.clone(),
                account.health.standing.clone(),
            )
        };
        if let Standing::NeedsLogin(mark) = standing {
            let mut failure = Failure::new(FailureKind::LoginRequired, mark.source, mark.message);
            failure.code = mark.code;
            return Err(failure);
        }
        let good = match &need {
            Need::Usable => credential.expires_at > clock::now() + EXPIRING,
            Need::NewerThan(refused) => credential.access != *refused,
        };
        let credential = if good { credential } else { self.redeemed(id, credential, &need).await? };
        Ok(Token { access: credential.access, workspace_id })
    }

    async fn redeemed(
        self: &Arc<Self>,
        id: &AccountId,
        old: Credential,
        need: &Need,
    ) -> Result<Credential, Failure> {
        match self.redeem(id).await {
            Err(failure)
                if matches!(need, Need::Usable)
                    && failure.kind != FailureKind::LoginRequired
                    && old.expires_at > clock::now() =>
            {
                tracing::info!(account = %id, kind = failure.kind.name(), "going on with the old token while it lives");
                Ok(old)
            }
            result => result,
        }
    }
}

pub(super) fn gone() -> Failure {
    Failure::new(FailureKind::TokenUnavailable, Source::File, "the account was removed meanwhile")
}
