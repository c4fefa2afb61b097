//! From the pool's types to the wire's, in one place, so that what a client can see is read off one page.

mod footer;
mod rotation;
mod usage;

use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::pool::{self, At, Pool};
use crate::protocol::{
    Account, AccountList, AccountStanding, AccountState, Reason, ReasoningDropped, Token, TokenState,
};
use crate::sidecar::Sidecar;
use crate::sidecar::router::Spells;

pub(crate) use footer::{footer, footer_order_of, reset_window_of, status, usage_mode_of};
pub(crate) use rotation::{affinity_of, rotation, strategy_of};

/// A token with less than this left is `expiring` and is refreshed before it is used (schema/upstream.md, token
/// endpoint).
pub(crate) const EXPIRING: Duration = Duration::from_secs(5 * 60);

/// The accounts as they are when this is written down, one after the other: a list of them all would be made only to be
/// thrown away.
#[derive(Clone)]
pub(crate) struct Listing {
    sidecar: Arc<Sidecar>,
    now: At,
}

impl Listing {
    pub(crate) fn new(sidecar: Arc<Sidecar>, now: At) -> Self {
        Listing { sidecar, now }
    }
}

impl Spells<AccountList> for Listing {}

impl Serialize for Listing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Each<I>(I);
        impl<I: Iterator<Item: Serialize> + Clone> Serialize for Each<I> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.0.clone())
            }
        }
        let pool = self.sidecar.pool();
        let active = pool.active(self.now);
        AccountList {
            accounts: Each(all(&pool, active.as_ref(), self.now)),
            active: active.as_ref().map(ToString::to_string),
            pinned: pool.pinned().map(ToString::to_string),
            revision: pool.revision(),
        }
        .serialize(serializer)
    }
}

/// In the file's order.
pub(crate) fn accounts(pool: &Pool, now: At) -> Vec<Account> {
    all(pool, pool.active(now).as_ref(), now).map(Account::into_owned).collect()
}

fn all<'p>(
    pool: &'p Pool,
    active: Option<&pool::AccountId>,
    now: At,
) -> impl Iterator<Item = Account<&'p str>> + Clone {
    pool.accounts().iter().map(move |account| view(pool, account, active, now))
}

pub(crate) fn account(pool: &Pool, account: &pool::Account, now: At) -> Account {
    view(pool, account, pool.active(now).as_ref(), now).into_owned()
}

/// `None` when nothing was removed.
pub(crate) fn reasoning_dropped(dropped: pool::ReasoningDropped) -> Option<ReasoningDropped> {
    let count = |items: u32| (items > 0).then_some(items);
    (!dropped.is_empty()).then_some(ReasoningDropped {
        organization_mismatch: count(dropped.organization_mismatch),
        end_user_mismatch: count(dropped.end_user_mismatch),
        model_mismatch: count(dropped.model_mismatch),
        prefix_mismatch: count(dropped.prefix_mismatch),
        encrypted: count(dropped.encrypted),
    })
}

pub(crate) fn standings(pool: &Pool, now: At) -> Vec<AccountStanding> {
    pool.accounts()
        .iter()
        .map(|account| AccountStanding {
            account: account.id.to_string(),
            state: state(account.state(now)),
            until: account.back_at(now).map(At::millis),
        })
        .collect()
}

fn view<'a>(
    pool: &Pool,
    account: &'a pool::Account,
    active: Option<&pool::AccountId>,
    now: At,
) -> Account<&'a str> {
    Account {
        id: account.id.as_str(),
        label: &account.label,
        email: account.email.as_deref(),
        workspace_id: account.identity.workspace_id.as_deref(),
        plan: account.plan.as_deref(),
        active: active == Some(&account.id),
        pinned: pool.pinned() == Some(&account.id),
        linked: account.linked,
        state: state(account.state(now)),
        reason: account.reason(now).map(reason),
        cooldown_until: account.cooldown_until(now).map(At::millis),
        backoff_until: account.backoff_until(now).map(At::millis),
        token: token(account.credential.expires_at, now),
        usage: usage::usage(&account.health, now),
        last_used_at: account.health.last_used_at.map(At::millis),
    }
}

fn state(state: pool::State) -> AccountState {
    match state {
        pool::State::Ready => AccountState::Ready,
        pool::State::Cooling => AccountState::Cooling,
        pool::State::NeedsLogin => AccountState::NeedsLogin,
        pool::State::Deactivated => AccountState::Deactivated,
        pool::State::Disabled => AccountState::Disabled,
    }
}

fn reason(mark: &pool::HealthEvidence) -> Reason {
    Reason {
        kind: mark.kind.name().to_owned(),
        message: mark.message.clone(),
        since: mark.since.millis(),
        source: mark.source.name().to_owned(),
    }
}

fn token(expires_at: At, now: At) -> Token {
    let state = if expires_at <= now {
        TokenState::Expired
    } else if expires_at <= now + EXPIRING {
        TokenState::Expiring
    } else {
        TokenState::Valid
    };
    Token { expires_at: expires_at.millis(), state }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_expires_in_three_steps() {
        let now = At(1_000_000_000);
        let cases = [
            (now, TokenState::Expired),
            (At(now.0 + 1), TokenState::Expiring),
            (now + EXPIRING, TokenState::Expiring),
            (At((now + EXPIRING).0 + 1), TokenState::Valid),
        ];
        for (expires_at, state) in cases {
            assert_eq!(token(expires_at, now).state, state, "{expires_at:?}");
        }
    }
}
