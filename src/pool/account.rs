//! One signed-in identity and everything the pool knows about it.

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

/// Where an account stands, as clients see it. Back-off does not show here: it is still ready, only ranked last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Ready,
    Cooling,
    NeedsLogin,
    Deactivated,
    /// By the user, whatever else is the matter with it.
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
    /// Owned by pi's auth.json: refreshed under pi's lock and written back there.
    pub linked: bool,
    /// Taken out of rotation by the user.
    pub disabled: bool,
    /// The refresh token was sent and no answer arrived, so it may be consumed.
    pub refresh_uncertain: Option<HealthEvidence>,
    /// Why the token could not be refreshed the last time that was tried. A new credential clears it.
    pub refresh_failed: Option<HealthEvidence>,
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

    /// Why it cannot send a request now although it looks ready: its token has expired and could not be refreshed.
    pub fn token_unavailable(&self, now: At) -> Option<&HealthEvidence> {
        let why = self.refresh_failed.as_ref().or(self.refresh_uncertain.as_ref());
        why.filter(|_| self.credential.expires_at <= now)
    }

    /// The evidence behind [`Account::state`], or behind a back-off or a token that is in doubt when it is ready. None for
    /// a disabled account: that was the user's own wish.
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

    /// When it is back without anyone doing anything: of one that only has to wait.
    pub fn back_at(&self, now: At) -> Option<At> {
        self.cooldown_until(now).filter(|_| self.state(now) == State::Cooling)
    }

    /// When the cooldown of the main limit ends; none once it has.
    pub fn cooldown_until(&self, now: At) -> Option<At> {
        self.health.cooldown_of(None, now).map(|cooldown| cooldown.until)
    }

    /// When the back-off ends; none once it has.
    pub fn backoff_until(&self, now: At) -> Option<At> {
        self.health.backoff.as_ref().map(|backoff| backoff.until).filter(|until| *until > now)
    }
}
