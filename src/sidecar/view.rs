//! From the pool's types to the wire's, in one place, so that what a client can see is read off one page.

mod footer;
mod rotation;
mod usage;

use std::time::Duration;

use crate::pool::{self, At, Pool};
use crate::protocol::{Account, AccountList, AccountStanding, AccountState, Reason, Token, TokenState};

pub(super) use footer::{footer, footer_order_of, reset_window_of, status, usage_mode_of};
pub(super) use rotation::{affinity_of, rotation, strategy_of};

/// A token with less than this left is `expiring` and is redeemed before it is used (upstream.md 1.5).
pub(super) const EXPIRING: Duration = Duration::from_secs(5 * 60);

pub(super) fn list(pool: &Pool, now: At) -> AccountList {
    let active = pool.active(now);
    AccountList {
        accounts: pool.accounts().iter().map(|account| view(pool, account, active.as_ref(), now)).collect(),
        active: active.as_ref().map(ToString::to_string),
        pinned: pool.pinned().map(ToString::to_string),
        revision: pool.revision(),
    }
}

pub(super) fn account(pool: &Pool, account: &pool::Account, now: At) -> Account {
    view(pool, account, pool.active(now).as_ref(), now)
}

pub(super) fn standings(pool: &Pool, now: At) -> Vec<AccountStanding> {
    pool.accounts()
        .iter()
        .map(|account| AccountStanding {
            account: account.id.to_string(),
            state: state(account.state(now)),
            until: account.cooldown_until(now).map(At::millis),
        })
        .collect()
}

fn view(pool: &Pool, account: &pool::Account, active: Option<&pool::AccountId>, now: At) -> Account {
    Account {
        id: account.id.to_string(),
        label: account.label.clone(),
        email: account.email.clone(),
        workspace_id: account.identity.workspace_id.clone(),
        plan: account.plan.clone(),
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

fn reason(mark: &pool::Mark) -> Reason {
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
