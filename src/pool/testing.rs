//! Short constructors for the tests of the pool.

use crate::pool::{
    Account, AccountId, At, Credential, Failure, FailureKind, Identity, Pool, RotationSettings, Source,
    UsageReading, UsageSource, Window,
};
use crate::secret::Secret;

pub(crate) fn id(name: &str) -> AccountId {
    AccountId::new(name)
}

pub(crate) fn credential(name: &str, expires_at: i64) -> Credential {
    Credential {
        access: Secret::new(format!("access-{name}-{expires_at}")),
        refresh: Secret::new(format!("refresh-{name}-{expires_at}")),
        expires_at: At(expires_at),
    }
}

pub(crate) fn account(name: &str) -> Account {
    let identity = Identity {
        workspace_id: Some(format!("workspace-{name}")),
        user_id: Some(format!("user-{name}")),
        ..Identity::default()
    };
    Account::new(id(name), identity, name.to_owned(), credential(name, 1))
}

pub(crate) fn pool_of(names: &[&str]) -> Pool {
    let mut pool = Pool::new(RotationSettings::default());
    pool.sync(names.iter().map(|name| account(name)).collect(), At(0));
    pool
}

pub(crate) fn window(window_minutes: u32, used_percent: f64, resets_at: Option<At>) -> Window {
    Window { window_minutes, used_percent, resets_at }
}

/// Requested and fetched at the same time.
pub(crate) fn reading(windows: &[Window], at: At) -> UsageReading {
    UsageReading {
        windows: windows.to_vec(),
        reached: None,
        limits: Vec::new(),
        lists_limits: false,
        credits: None,
        spend: None,
        resets_left: None,
        reserve: None,
        plan: None,
        source: UsageSource::UsageEndpoint,
        requested_at: at,
        fetched_at: at,
    }
}

pub(crate) fn failure(kind: FailureKind) -> Failure {
    Failure::new(kind, Source::ResponseBody, "refused")
}

/// A usage limit that quotes no time.
#[cfg(test)]
pub(crate) fn limited() -> Failure {
    failure(FailureKind::UsageLimit)
}
