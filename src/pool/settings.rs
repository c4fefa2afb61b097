//! The user's rotation settings (`rotation/set`).

use std::collections::HashMap;
use std::time::Duration;

use crate::pool::time::Countdown;
use crate::pool::{Account, AccountId, Transport};

#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
    strum::VariantNames,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Strategy {
    ResetFirst,
    LeastUsed,
    /// The default, because it does best in the simulated weeks (schema/strategies.md).
    #[default]
    RoundRobin,
    Priority,
}

impl Strategy {
    /// The name that users write.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
    strum::VariantNames,
)]
#[strum(serialize_all = "kebab-case")]
pub enum AffinityMode {
    #[default]
    Session,
    None,
}

impl AffinityMode {
    /// The name that users write.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// When a request may be answered from Luna Reserve, by a weaker model.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
    strum::VariantNames,
)]
#[strum(serialize_all = "kebab-case")]
pub enum ReserveUse {
    #[default]
    Never,
    /// When the request is for the very model that the reserve answers with.
    Luna,
    /// For any model.
    Any,
}

impl ReserveUse {
    /// The name that users write.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// When a reset credit is redeemed without a person.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
    strum::VariantNames,
)]
#[strum(serialize_all = "kebab-case")]
pub enum ResetCreditUse {
    #[default]
    Never,
    /// When no account can serve and a reset would bring one back.
    WhenDry,
}

impl ResetCreditUse {
    /// The name that users write.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct RotationSettings {
    pub strategy: Strategy,
    pub affinity: AffinityMode,
    /// The transport of completions that do not name one.
    pub transport: Transport,
    /// How many accounts a completion tries, the first included.
    pub max_attempts: u32,
    /// The cooldown after a usage limit that does not say when it ends.
    pub fallback_cooldown: Duration,
    /// An account with less than this share left of any window is used only when no other can be.
    pub reserve_percent: f64,
    /// How long a completion waits for the first account to become available, instead of failing.
    pub wait_for_reset: Option<Duration>,
    pub reserve: ReserveUse,
    pub reset_credits: ResetCreditUse,
    /// Higher first, default 0, -100…100.
    pub priority: HashMap<AccountId, i32>,
}

impl RotationSettings {
    /// Returns the settings as text for the user.
    pub fn policy(&self) -> String {
        let strategy = match self.strategy {
            Strategy::ResetFirst => "Unused accounts first, then the one whose longest window resets soonest",
            Strategy::LeastUsed => "The account with the lowest usage",
            Strategy::RoundRobin => "The accounts in turn",
            Strategy::Priority => {
                "The account with the highest priority; among equals an unused one, then the one whose longest window \
                 resets soonest"
            }
        };
        let affinity = match self.affinity {
            AffinityMode::Session => "; a session keeps its account while it can be used",
            AffinityMode::None => "",
        };
        let reserve = match self.reserve_percent {
            0.0 => String::new(),
            percent => {
                format!(
                    " An account with less than {percent} % left of any window is used only when no other is left."
                )
            }
        };
        let attempts = match self.max_attempts {
            1 => "1 account is".to_owned(),
            many => format!("{many} accounts are"),
        };
        let wait = match self.wait_for_reset {
            None => "and it does not wait for a reset".to_owned(),
            Some(bound) => format!("and it waits for a reset within {}", Countdown::of(bound)),
        };
        let luna = match self.reserve {
            ReserveUse::Never => "",
            ReserveUse::Luna => " When all are out, Luna Reserve answers requests for its own model.",
            ReserveUse::Any => " When all are out, Luna Reserve answers, with a weaker model.",
        };
        let credits = match self.reset_credits {
            ResetCreditUse::Never => "",
            ResetCreditUse::WhenDry => " When all are out, a reset credit is redeemed, one an hour at most.",
        };
        format!(
            "{strategy}{affinity}.{reserve} At most {attempts} tried for one completion, {wait}.{luna}{credits}"
        )
    }

    /// By account id. Settings that a person wrote may use a label or e-mail.
    pub fn priority_of(&self, account: &Account) -> i32 {
        let by_id = self.priority.get(&account.id).copied();
        by_id
            .or_else(|| {
                let names = |name: &str| {
                    let is = |known: &str| known.to_lowercase() == name.to_lowercase();
                    is(&account.label) || account.email.as_deref().is_some_and(is)
                };
                self.priority.iter().find(|(key, _)| names(key.as_str())).map(|(_, priority)| *priority)
            })
            .unwrap_or(0)
    }
}

impl Default for RotationSettings {
    fn default() -> Self {
        RotationSettings {
            strategy: Strategy::default(),
            affinity: AffinityMode::default(),
            transport: Transport::default(),
            max_attempts: 6,
            fallback_cooldown: Duration::from_secs(60 * 60),
            reserve_percent: 0.0,
            wait_for_reset: None,
            reserve: ReserveUse::default(),
            reset_credits: ResetCreditUse::default(),
            priority: HashMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_told_in_words() {
        let check = |settings: RotationSettings, expected: &str| assert_eq!(settings.policy(), expected);
        check(
            RotationSettings::default(),
            "The accounts in turn; a session keeps its account while it can be used. At most 6 accounts are tried for \
             one completion, and it does not wait for a reset.",
        );
        check(
            RotationSettings {
                strategy: Strategy::ResetFirst,
                affinity: AffinityMode::None,
                max_attempts: 1,
                reserve_percent: 12.5,
                wait_for_reset: Some(Duration::from_secs(90 * 60)),
                ..RotationSettings::default()
            },
            "Unused accounts first, then the one whose longest window resets soonest. An account with less than 12.5 % \
             left of any window is used only when no other is left. At most 1 account is tried for one completion, and it \
             waits for a reset within 1h30m.",
        );
        let check_end = |reserve, reset_credits, expected: &str| {
            let policy = RotationSettings { reserve, reset_credits, ..RotationSettings::default() }.policy();
            assert_eq!(policy.strip_prefix(&RotationSettings::default().policy()), Some(expected));
        };
        check_end(
            ReserveUse::Luna,
            ResetCreditUse::Never,
            " When all are out, Luna Reserve answers requests for its own model.",
        );
        check_end(
            ReserveUse::Any,
            ResetCreditUse::WhenDry,
            " When all are out, Luna Reserve answers, with a weaker model. When all are out, a reset credit is \
             redeemed, one an hour at most.",
        );
    }
}
