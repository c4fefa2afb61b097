//! How accounts are chosen, as the user set it (`rotation/set`).

use std::collections::HashMap;
use std::time::Duration;

use super::AccountId;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    #[default]
    ResetFirst,
    LeastUsed,
    RoundRobin,
    Priority,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AffinityMode {
    #[default]
    Session,
    None,
}

#[derive(Clone, Debug, PartialEq)]
pub struct RotationSettings {
    pub strategy: Strategy,
    pub affinity: AffinityMode,
    /// Accounts tried per completion; the first counts.
    pub max_attempts: u32,
    /// Cooldown after a usage limit when nothing says when it ends.
    pub fallback_cooldown: Duration,
    /// Accounts with less than this share of any window left are kept for when nothing else is left.
    pub reserve_percent: f64,
    /// Wait this long at most for the first account to come back, instead of failing.
    pub wait_for_reset: Option<Duration>,
    /// Higher first, default 0, -100…100.
    pub priority: HashMap<AccountId, i32>,
}

impl RotationSettings {
    pub fn priority_of(&self, account: &AccountId) -> i32 {
        self.priority.get(account).copied().unwrap_or(0)
    }
}

impl Default for RotationSettings {
    fn default() -> Self {
        RotationSettings {
            strategy: Strategy::default(),
            affinity: AffinityMode::default(),
            max_attempts: 6,
            fallback_cooldown: Duration::from_secs(60 * 60),
            reserve_percent: 0.0,
            wait_for_reset: None,
            priority: HashMap::new(),
        }
    }
}
