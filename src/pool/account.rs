//! One signed-in identity and everything the pool knows about it.

use crate::pool::{AccountId, At, Health, Identity, Mark, Standing};
use crate::secret::Secret;

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
    /// Owned by pi's auth.json: redeemed under pi's lock and written back there.
    pub linked: bool,
    /// Taken out of rotation by the user.
    pub disabled: bool,
    /// The refresh token was sent and no answer arrived, so it may be consumed.
    pub doubt: Option<Mark>,
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
            doubt: None,
            health: Health::default(),
        }
    }

    pub fn state(&self, now: At) -> State {
        match &self.health.standing {
            _ if self.disabled => State::Disabled,
            Standing::Deactivated(_) => State::Deactivated,
            Standing::NeedsLogin(_) => State::NeedsLogin,
            Standing::Good if self.cooldown_until(now).is_some() => State::Cooling,
            Standing::Good => State::Ready,
        }
    }

    /// The evidence behind [`Account::state`], or behind a back-off or a doubt when it is ready. None for a disabled account:
    /// that was the user's own wish.
    pub fn reason(&self, now: At) -> Option<&Mark> {
        match (self.state(now), &self.health.standing) {
            (State::Disabled, _) => None,
            (_, Standing::NeedsLogin(mark) | Standing::Deactivated(mark)) => Some(mark),
            (State::Cooling, Standing::Good) => self.health.cooldown.as_ref().map(|cooldown| &cooldown.why),
            (_, Standing::Good) => {
                let backed_off = self.backoff_until(now).and(self.health.backoff.as_ref());
                backed_off.map(|backoff| &backoff.why).or(self.doubt.as_ref())
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
