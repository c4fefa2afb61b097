//! Whether an account can be used for a completion at all, and why not. `ranking` handles accounts that are only worse.

use crate::pool::{Account, At, Certainty, Cooldown, Demand, FailureKind, HealthStatus, Pool};

/// Why an account is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyNotEligible {
    Disabled,
    NeedsLogin,
    Deactivated,
    Cooling {
        until: At,
        kind: FailureKind,
        /// The limit is one of its organization.
        whole_workspace: bool,
    },
    /// Only the separate limit that this model has.
    ModelLimit {
        until: At,
    },
    ModelExcluded {
        until: At,
    },
    /// Used only when no other is left (`reservePercent`).
    BelowReserve,
    /// The completion names another account.
    NotAsked,
}

impl WhyNotEligible {
    /// Returns whether only a person can change it.
    pub fn is_lasting(self) -> bool {
        matches!(self, WhyNotEligible::Disabled | WhyNotEligible::NeedsLogin | WhyNotEligible::Deactivated)
    }

    /// Returns when it ends by itself.
    pub fn until(self) -> Option<At> {
        match self {
            WhyNotEligible::Cooling { until, .. }
            | WhyNotEligible::ModelLimit { until }
            | WhyNotEligible::ModelExcluded { until } => Some(until),
            _ => None,
        }
    }
}

/// The parts of a completion that decide which accounts can serve it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need<'a> {
    pub model: Option<&'a str>,
    /// The separate limit that the model is known to have.
    pub limit: Option<&'a str>,
}

impl<'a> Need<'a> {
    /// Returns the separate limit of the model for this account: found by a refusal, or listed with its name.
    pub(crate) fn limit_of(self, account: &'a Account) -> Option<&'a str> {
        self.limit.or_else(|| account.health.usage.as_ref()?.limit_named(self.model?))
    }
}

impl Pool {
    pub(crate) fn need<'a>(&'a self, demand: &'a Demand) -> Need<'a> {
        let model = demand.model.as_deref();
        Need { model, limit: model.and_then(|model| self.limit_of(model)) }
    }
}

/// Returns why rotation does not use the account. `BelowReserve` is not returned here, because it depends on the
/// others.
pub(crate) fn why_not(account: &Account, need: Need<'_>, now: At) -> Option<WhyNotEligible> {
    lasting(account).or_else(|| cooling(account, need, now)).or_else(|| {
        let until = account.health.excluded_until(need.model?, now)?;
        Some(WhyNotEligible::ModelExcluded { until })
    })
}

/// Returns why an account that a completion names is not even tried. A prediction, or a finding about another request,
/// does not prevent a try.
pub(crate) fn why_not_named(account: &Account, need: Need<'_>, now: At) -> Option<WhyNotEligible> {
    lasting(account).or_else(|| {
        let ordered = |limit| {
            let cooldown = account.health.cooldown_of(limit, now);
            cooldown.filter(|cooldown| cooldown.certainty == Certainty::Directive)
        };
        let cooldown = ordered(None).or_else(|| ordered(Some(need.limit?)))?;
        Some(of_cooldown(cooldown))
    })
}

pub(crate) fn lasting(account: &Account) -> Option<WhyNotEligible> {
    match account.health.standing {
        _ if account.disabled => Some(WhyNotEligible::Disabled),
        HealthStatus::Deactivated(_) => Some(WhyNotEligible::Deactivated),
        HealthStatus::NeedsLogin(_) => Some(WhyNotEligible::NeedsLogin),
        HealthStatus::Good => None,
    }
}

fn of_cooldown(cooldown: &Cooldown) -> WhyNotEligible {
    let why = &cooldown.why;
    WhyNotEligible::Cooling {
        until: cooldown.until,
        kind: why.kind,
        whole_workspace: why.is_workspace_limit(),
    }
}

fn cooling(account: &Account, need: Need<'_>, now: At) -> Option<WhyNotEligible> {
    // The main limit does not affect a model with a separate limit, unless upstream ordered the account to wait. A
    // limit that is only listed must be known to be free.
    let own = need.limit_of(account);
    let is_free = |limit: &str| {
        let usage = account.health.usage.as_ref();
        usage.is_some_and(|usage| {
            usage.all_windows(Some(limit)).next().is_some() && !usage.is_used_up(Some(limit), now)
        })
    };
    let has_own = need.limit.is_some() || own.is_some_and(is_free);
    let main = account.health.cooldown_of(None, now);
    let main = main.filter(|cooldown| !has_own || cooldown.certainty == Certainty::Directive);
    main.map(of_cooldown).or_else(|| {
        let own = account.health.cooldown_of(Some(own?), now)?;
        Some(WhyNotEligible::ModelLimit { until: own.until })
    })
}
