//! Why an account has its place in the order, in words for users. It decides nothing; `ranking` does.

use crate::pool::time::Countdown;
use crate::pool::usage::window_name;
use crate::pool::{At, FailureKind, WhyNotEligible};

/// The reason for an account's place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    NotEligible(WhyNotEligible),
    Named,
    Pinned,
    Session,
    /// Its token has expired and could not be refreshed.
    NoToken,
    BackingOff {
        until: At,
    },
    /// Below the reserve, and no other account is left.
    InReserve,
    /// The last reading showed a used-up window, but upstream has not refused.
    Exhausted,
    /// No known window is used.
    Untouched,
    /// The next reset of the longest window.
    ResetsAt {
        window_minutes: u32,
        at: At,
    },
    UsedPercent(f64),
    UsageUnknown,
    Priority(i32),
    /// How many choices ago it was chosen; `None` when it never was.
    Turn(Option<u64>),
    NeverUsed,
    LastUsed(At),
}

impl Reason {
    pub fn words(self, now: At) -> String {
        let left = |to| Countdown { to, now };
        match self {
            Reason::NotEligible(why_not) => why_not.words(now),
            Reason::Named => "asked for by name".to_owned(),
            Reason::Pinned => "pinned".to_owned(),
            Reason::Session => "served this session last".to_owned(),
            Reason::NoToken => "its token has expired and cannot be refreshed now".to_owned(),
            Reason::BackingOff { until } => {
                format!("failed recently, ranked last for another {}", left(until))
            }
            Reason::InReserve => "below the reserve, but no other account is left".to_owned(),
            Reason::Exhausted => "used up by the last reading".to_owned(),
            Reason::Untouched => "nothing of it is used".to_owned(),
            Reason::ResetsAt { window_minutes, at } => {
                format!("{} resets in {}", window_name(window_minutes), left(at))
            }
            Reason::UsedPercent(percent) => format!("{percent:.0} % used"),
            Reason::UsageUnknown => "usage unknown".to_owned(),
            Reason::Priority(priority) => format!("priority {priority}"),
            Reason::Turn(None) => "had no turn yet".to_owned(),
            Reason::Turn(Some(0)) => "had the last turn".to_owned(),
            Reason::Turn(Some(1)) => "had its turn 1 choice ago".to_owned(),
            Reason::Turn(Some(choices)) => format!("had its turn {choices} choices ago"),
            Reason::NeverUsed => "never used".to_owned(),
            Reason::LastUsed(at) => format!("last used {} ago", Countdown { to: now, now: at }),
        }
    }
}

impl WhyNotEligible {
    pub fn words(self, now: At) -> String {
        let left = |to| Countdown { to, now };
        match self {
            WhyNotEligible::Disabled => "disabled by you".to_owned(),
            WhyNotEligible::NeedsLogin => "needs login".to_owned(),
            WhyNotEligible::Deactivated => "deactivated".to_owned(),
            WhyNotEligible::Cooling { until, whole_workspace: true, .. } => {
                format!("its workspace has met a limit, tried again in {}", left(until))
            }
            WhyNotEligible::Cooling { until, kind: FailureKind::RateLimit, .. } => {
                format!("rate limited for another {}", left(until))
            }
            WhyNotEligible::Cooling { until, kind: FailureKind::Credits, .. } => {
                format!("out of credits, tried again in {}", left(until))
            }
            WhyNotEligible::Cooling { until, .. } => format!("usage limit reached, back in {}", left(until)),
            WhyNotEligible::ModelLimit { until } => {
                format!("limit of this model reached, back in {}", left(until))
            }
            WhyNotEligible::ModelExcluded { until } => {
                format!("does not have this model, tried again in {}", left(until))
            }
            WhyNotEligible::BelowReserve => {
                "below the reserve, used only when no other account is left".to_owned()
            }
            WhyNotEligible::NotAsked => "the request names another account".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_told_in_words() {
        let now = At(10_000_000_000);
        let in_minutes = |minutes: i64| At(now.0 + minutes * 60_000);
        let cooling_by = |kind, whole_workspace| {
            Reason::NotEligible(WhyNotEligible::Cooling { until: in_minutes(133), kind, whole_workspace })
        };
        let cooling = |kind| cooling_by(kind, false);
        let not = Reason::NotEligible;
        let until = in_minutes(59);
        for (reason, expected) in [
            (not(WhyNotEligible::Disabled), "disabled by you"),
            (not(WhyNotEligible::NeedsLogin), "needs login"),
            (not(WhyNotEligible::Deactivated), "deactivated"),
            (cooling(FailureKind::RateLimit), "rate limited for another 2h13m"),
            (cooling(FailureKind::Credits), "out of credits, tried again in 2h13m"),
            (cooling(FailureKind::UsageLimit), "usage limit reached, back in 2h13m"),
            (cooling_by(FailureKind::Credits, true), "its workspace has met a limit, tried again in 2h13m"),
            (not(WhyNotEligible::ModelLimit { until }), "limit of this model reached, back in 59m"),
            (not(WhyNotEligible::ModelExcluded { until }), "does not have this model, tried again in 59m"),
            (not(WhyNotEligible::BelowReserve), "below the reserve, used only when no other account is left"),
            (not(WhyNotEligible::NotAsked), "the request names another account"),
            (Reason::Named, "asked for by name"),
            (Reason::Pinned, "pinned"),
            (Reason::Session, "served this session last"),
            (
                Reason::BackingOff { until: At(now.0 + 30_000) },
                "failed recently, ranked last for another <1m",
            ),
            (Reason::NoToken, "its token has expired and cannot be refreshed now"),
            (Reason::InReserve, "below the reserve, but no other account is left"),
            (Reason::Exhausted, "used up by the last reading"),
            (Reason::Untouched, "nothing of it is used"),
            (Reason::ResetsAt { window_minutes: 10_080, at: in_minutes(3060) }, "7d resets in 2d3h"),
            (Reason::UsedPercent(12.4), "12 % used"),
            (Reason::UsageUnknown, "usage unknown"),
            (Reason::Priority(-7), "priority -7"),
            (Reason::Turn(None), "had no turn yet"),
            (Reason::Turn(Some(0)), "had the last turn"),
            (Reason::Turn(Some(1)), "had its turn 1 choice ago"),
            (Reason::Turn(Some(2)), "had its turn 2 choices ago"),
            (Reason::NeverUsed, "never used"),
            (Reason::LastUsed(in_minutes(-13)), "last used 13m ago"),
        ] {
            assert_eq!(reason.words(now), expected, "{reason:?}");
        }
    }
}
