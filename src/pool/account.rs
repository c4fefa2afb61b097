//! One identity and everything that the pool knows about it.

use std::time::Duration;

use crate::pool::{AccountId, At, Health, HealthEvidence, HealthStatus, Identity};
use crate::secret::Secret;

/// A token with less than this left is `expiring`, and is refreshed before it is used (schema/upstream.md, token endpoint).
pub const EXPIRING: Duration = Duration::from_secs(5 * 60);

/// Access token, refresh token and expiry, always replaced as one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub access: Secret,
    pub refresh: Secret,
    pub expires_at: At,
}

/// The state of an account, as clients see it. Back-off does not show here: the account stays ready and only ranks
/// last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Ready,
    Cooling,
    NeedsLogin,
    Deactivated,
    /// The user disabled it, whatever else is known of it.
    Disabled,
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
    /// pi's auth.json owns the credential: it is refreshed under pi's lock and written back there.
    pub linked: bool,
    /// The user took it out of rotation.
    pub disabled: bool,
    /// The refresh token was sent and no answer came, so it may be consumed.
    pub refresh_uncertain: Option<HealthEvidence>,
    /// Why the last refresh failed. A new credential clears it.
    pub refresh_failed: Option<HealthEvidence>,
    pub health: Health,
}

impl Account {
    /// Returns an account right after a login: nothing but its identity is known.
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
            refresh_uncertain: None,
            refresh_failed: None,
            health: Health::default(),
        }
    }

    pub fn state(&self, now: At) -> State {
        match &self.health.standing {
            _ if self.disabled => State::Disabled,
            HealthStatus::Deactivated(_) => State::Deactivated,
            HealthStatus::NeedsLogin(_) => State::NeedsLogin,
            HealthStatus::Good if self.cooldown_until(now).is_some() => State::Cooling,
            HealthStatus::Good => State::Ready,
        }
    }

    /// Why it cannot send a request now although it is ready: its token has expired and could not be refreshed.
    pub fn token_unavailable(&self, now: At) -> Option<&HealthEvidence> {
        let why = self.refresh_failed.as_ref().or(self.refresh_uncertain.as_ref());
        why.filter(|_| self.credential.expires_at <= now)
    }

    /// Returns the evidence behind [`Account::state`], or, when it is ready, behind a back-off or an uncertain token.
    /// `None` for a disabled account, because the user disabled it.
    pub fn reason(&self, now: At) -> Option<&HealthEvidence> {
        match (self.state(now), &self.health.standing) {
            (State::Disabled, _) => None,
            (_, HealthStatus::NeedsLogin(mark) | HealthStatus::Deactivated(mark)) => Some(mark),
            (State::Cooling, HealthStatus::Good) => {
                self.health.cooldown.as_ref().map(|cooldown| &cooldown.why)
            }
            (_, HealthStatus::Good) => {
                let backed_off = self.backoff_until(now).and(self.health.backoff.as_ref());
                let unavailable = self.token_unavailable(now);
                unavailable.or(backed_off.map(|backoff| &backoff.why)).or(self.refresh_uncertain.as_ref())
            }
        }
    }

    /// Returns when an account that only waits becomes available.
    pub fn back_at(&self, now: At) -> Option<At> {
        self.cooldown_until(now).filter(|_| self.state(now) == State::Cooling)
    }

    /// Returns when the cooldown of the main limit ends; `None` once it has ended.
    pub fn cooldown_until(&self, now: At) -> Option<At> {
        self.health.cooldown_of(None, now).map(|cooldown| cooldown.until)
    }

    /// Returns when the back-off ends; `None` once it has ended.
    pub fn backoff_until(&self, now: At) -> Option<At> {
        self.health.backoff.as_ref().map(|backoff| backoff.until).filter(|until| *until > now)
    }
}
