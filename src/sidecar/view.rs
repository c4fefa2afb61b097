//! Converts the pool's types into the wire's, in one place, so that one page shows what a client can see.

mod footer;
mod rotation;
mod settings;
mod transport;
mod usage;

use crate::pool::{self, At, EXPIRING, Pool};
use crate::protocol::{
    Account, AccountList, AccountStanding, AccountState, Reason, ReasonScope, ReasoningDropped, Token,
    TokenState,
};

pub(crate) use footer::{footer, status};
pub(crate) use rotation::{plan, rotation};
pub(crate) use transport::{not_continued, transport_of, transport_used};
pub(crate) use usage::{reset_credit, windows};

/// Returns all accounts, in the file's order.
pub(crate) fn accounts(pool: &Pool, now: At) -> AccountList {
    let active = pool.active(now);
    let view = |account| view(pool, account, active.as_ref(), now).into_owned();
    AccountList {
        accounts: pool.accounts().iter().map(view).collect(),
        active: active.as_ref().map(ToString::to_string),
        pinned: pool.pinned().map(ToString::to_string),
        revision: pool.revision(),
    }
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
        scope: mark.is_workspace_limit().then_some(ReasonScope::Workspace),
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
