//! The issued tokens: single-use refresh tokens, access tokens that expire or are revoked. Reads no clock.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::account::{SimAccount, SimLogin};
use super::jwt::jwt;
use crate::pool::At;

/// Which account, as an index into the accounts of the state.
pub(super) type Owner = usize;

#[derive(Debug, Default)]
pub(super) struct Tokens {
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
    /// How often a refresh token was sent after it had been redeemed.
    pub(super) reused: u32,
    issued: u64,
}

#[derive(Debug)]
struct Access {
    owner: Owner,
    expires_at: At,
    revoked: bool,
}

#[derive(Debug)]
struct Refresh {
    owner: Owner,
    state: RefreshState,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum RefreshState {
    Fresh,
    Redeemed,
    Revoked,
}

/// Why a bearer token is refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum BearerFault {
    Unknown,
    Revoked,
    Expired,
}

/// Why a refresh token is refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum RefreshFault {
    Unknown,
    Reused,
    Revoked,
}

impl Tokens {
    pub(super) fn issue(&mut self, owner: Owner, account: &SimAccount, expires_in: i64, now: At) -> SimLogin {
        self.issued += 1;
        let serial = self.issued;
        let expires_at = At(now.0 + expires_in * 1000);
        let claims = |audience: &str| {
            json!({
                "iss": "https://sim.invalid",
                "aud": [audience],
                "sub": format!("sim|{}", account.name),
                "jti": format!("sim-{serial}"),
                "iat": now.0 / 1000,
                "exp": expires_at.0 / 1000,
                "email": account.email,
                "https://api.openai.com/auth": {
                    "chatgpt_account_id": account.workspace_id,
                    "chatgpt_plan_type": account.plan,
                    "chatgpt_user_id": account.user_id,
                    "user_id": account.user_id,
                },
                "https://api.openai.com/profile": { "email": account.email, "email_verified": true },
            })
        };
        let mut access_claims = claims("https://api.openai.com/v1");
        omit(&mut access_claims, &account.omit_claims);
        let access_token = jwt(&access_claims);
        let refresh_token = format!("rt_sim_{}_{serial}", account.name);
        self.access.insert(access_token.clone(), Access { owner, expires_at, revoked: false });
        self.refresh.insert(refresh_token.clone(), Refresh { owner, state: RefreshState::Fresh });
        SimLogin {
            account: account.clone(),
            access_token,
            refresh_token,
            id_token: jwt(&claims("sim")),
            expires_in,
            expires_at: expires_at.0,
        }
    }

    pub(super) fn check(&self, access: &str, now: At) -> Result<Owner, BearerFault> {
        match self.access.get(access) {
            None => Err(BearerFault::Unknown),
            Some(token) if token.revoked => Err(BearerFault::Revoked),
            Some(token) if token.expires_at <= now => Err(BearerFault::Expired),
            Some(token) => Ok(token.owner),
        }
    }

    /// Consumes the refresh token.
    pub(super) fn redeem(&mut self, refresh: &str) -> Result<Owner, RefreshFault> {
        match self.refresh.get_mut(refresh) {
            None => Err(RefreshFault::Unknown),
            Some(Refresh { state: RefreshState::Revoked, .. }) => Err(RefreshFault::Revoked),
            Some(Refresh { state: RefreshState::Redeemed, .. }) => {
                self.reused += 1;
                Err(RefreshFault::Reused)
            }
            Some(token) => {
                token.state = RefreshState::Redeemed;
                Ok(token.owner)
            }
        }
    }

    pub(super) fn owner_of_access(&self, access: &str) -> Option<Owner> {
        self.access.get(access).map(|token| token.owner)
    }

    pub(super) fn owner_of_refresh(&self, refresh: &str) -> Option<Owner> {
        self.refresh.get(refresh).map(|token| token.owner)
    }

    /// Refuses every access token issued to this account so far.
    pub(super) fn revoke_access(&mut self, owner: Owner) {
        self.access.values_mut().filter(|token| token.owner == owner).for_each(|token| token.revoked = true);
    }

    /// `/oauth/revoke`: ends all tokens of this account.
    pub(super) fn revoke(&mut self, owner: Owner) {
        self.revoke_access(owner);
        for token in self.refresh.values_mut().filter(|token| token.owner == owner) {
            token.state = RefreshState::Revoked;
        }
    }
}

/// Leaves out claims by name, at any level.
fn omit(claims: &mut Value, names: &[String]) {
    if let Value::Object(members) = claims {
        members.retain(|name, _| !names.contains(name));
        members.values_mut().for_each(|value| omit(value, names));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: At = At(1_800_000_000_000);

    #[test]
    fn a_refresh_token_works_once() {
        let (mut tokens, ada) = (Tokens::default(), SimAccount::named("ada"));
        let first = tokens.issue(0, &ada, 60, NOW);
        assert_eq!(first.expires_at, NOW.0 + 60_000);
        assert_eq!(tokens.redeem(&first.refresh_token), Ok(0));
        assert_eq!(tokens.redeem(&first.refresh_token), Err(RefreshFault::Reused));
        assert_eq!(tokens.reused, 1);
        let second = tokens.issue(0, &ada, 60, NOW);
        assert_ne!(
            (&second.refresh_token, &second.access_token),
            (&first.refresh_token, &first.access_token)
        );
        tokens.revoke(0);
        assert_eq!(tokens.redeem(&second.refresh_token), Err(RefreshFault::Revoked));
        assert_eq!(tokens.redeem("rt_sim_nobody"), Err(RefreshFault::Unknown));
        assert_eq!(tokens.reused, 1);
    }

    #[test]
    fn an_access_token_works_until_it_expires_or_is_revoked() {
        let (mut tokens, ada, bob) = (Tokens::default(), SimAccount::named("ada"), SimAccount::named("bob"));
        let (ada, bob) =
            (tokens.issue(0, &ada, 60, NOW).access_token, tokens.issue(1, &bob, 60, NOW).access_token);
        assert_eq!(tokens.check(&ada, At(NOW.0 + 59_999)), Ok(0));
        assert_eq!(tokens.check(&ada, At(NOW.0 + 60_000)), Err(BearerFault::Expired));
        tokens.revoke_access(0);
        assert_eq!(tokens.check(&ada, NOW), Err(BearerFault::Revoked));
        assert_eq!(tokens.check(&bob, NOW), Ok(1));
        assert_eq!(tokens.check("bob", NOW), Err(BearerFault::Unknown));
    }
}
