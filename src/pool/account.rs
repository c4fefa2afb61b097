//! One signed-in identity and everything the pool knows about it.

use super::{AccountId, At, Backoff, Cooldown, FailureKind, Identity, Source, Usage};
use crate::secret::Secret;

/// Access token, refresh token and expiry, always replaced as one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub access: Secret,
    pub refresh: Secret,
    pub expires_at: At,
}

/// Why an account cannot be used until a person does something; kept over restarts.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Standing {
    #[default]
    Good,
    /// Only a new login helps.
    NeedsLogin(Mark),
    /// The workspace or the account was deactivated upstream.
    Deactivated(Mark),
}

/// The evidence behind a [`Standing`], a cooldown or a back-off: what, when, from where.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    pub kind: FailureKind,
    /// Upstream's own code, when it gave one.
    pub code: Option<String>,
    pub message: String,
    pub since: At,
    pub source: Source,
}

/// A model this account was refused for, until when it is not offered to it again.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelExclusion {
    pub model: String,
    pub until: At,
}

/// What experience taught about an account: everything that is kept in the state dir and shared between sidecars.
/// Deleting it costs a cold start, never a credential.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    pub standing: Standing,
    /// Of the main limit. Limits of their own are in `limit_cooldowns` and bind only requests that hit them.
    pub cooldown: Option<Cooldown>,
    /// (limit id, cooldown), e.g. `codex_bengalfox`.
    pub limit_cooldowns: Vec<(String, Cooldown)>,
    pub backoff: Option<Backoff>,
    pub model_exclusions: Vec<ModelExclusion>,
    pub usage: Option<Usage>,
    pub last_used_at: Option<At>,
    /// Cooldowns and back-off seen at or before this were withdrawn (by the user, a reading, or a success), so that a
    /// sidecar that still remembers them does not bring them back.
    pub withdrawn_at: Option<At>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    pub id: AccountId,
    pub identity: Identity,
    /// Unique in the pool, case-insensitively.
    pub label: String,
    pub email: Option<String>,
    pub plan: Option<String>,
    pub credential: Credential,
    /// Owned by pi's auth.json: redeemed under pi's lock and written back there.
    pub linked: bool,
    /// Taken out of rotation by the user.
    pub disabled: bool,
    pub health: Health,
}

impl Account {
    /// An account as it stands right after a login: nothing is known but who it is.
    pub fn new(id: AccountId, identity: Identity, label: String, credential: Credential) -> Self {
        Account {
            id,
            identity,
            label,
            email: None,
            plan: None,
            credential,
            linked: false,
            disabled: false,
            health: Health::default(),
        }
    }
}
