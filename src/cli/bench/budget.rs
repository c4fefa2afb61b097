//! What each figure may cost, in one table. Most budgets are ratios to the direct way in the same run, which hold on any
//! machine; the others are for a machine with two cores.

use serde::Serialize;

use super::figure::Unit;

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Budget {
    /// In the figure's own unit.
    AtMost(f64),
    /// So many times the direct figure.
    RatioAtMost(f64),
    RatioAtLeast(f64),
    /// The direct figure and so much more, in the figure's own unit.
    AddedAtMost(f64),
    /// Both a ratio and a figure.
    RatioAndFigureAtMost(f64, f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Met,
    Missed,
    /// A figure that needs its baseline, and has none here.
    Unknown,
}

/// A brief run on a busy machine is off by this much without anything being amiss.
const QUICK_SLACK: f64 = 3.0;

const BUDGETS: &[(&str, Budget)] = &[
    (super::spawning::FIRST_ANSWER, Budget::RatioAndFigureAtMost(3.0, 4_000.0)),
    (super::memory::IDLE, Budget::AtMost(8.0)),
    (super::memory::STREAMING, Budget::AtMost(24.0)),
    (super::requests::PING, Budget::RatioAtLeast(0.6)),
    (super::requests::ACCOUNTS, Budget::RatioAtLeast(0.4)),
    ("first delta p50, 1 stream", Budget::AddedAtMost(300.0)),
    ("first delta p50, 32 streams", Budget::RatioAtMost(1.15)),
    (super::streams::SMALL_EVENTS, Budget::RatioAtLeast(0.6)),
    (super::failover::AFTER_A_LIMIT, Budget::AddedAtMost(1_000.0)),
    (super::growth::PICK, Budget::AtMost(50_000.0)),
];

pub(super) fn budget_of(name: &str) -> Option<Budget> {
    BUDGETS.iter().find(|(of, _)| *of == name).map(|(_, budget)| *budget)
}

impl Budget {
    pub(super) fn judge(self, unit: Unit, sidecar: f64, direct: Option<f64>, quick: bool) -> Verdict {
        // Memory is the same however short the run.
        let slack = if quick && unit != Unit::Mebibytes { QUICK_SLACK } else { 1.0 };
        let met = match (self, direct) {
            (Budget::AtMost(most), _) => sidecar <= most * slack,
            (_, None) => return Verdict::Unknown,
            (Budget::RatioAtMost(most), Some(direct)) => sidecar <= direct * most * slack,
            (Budget::RatioAtLeast(least), Some(direct)) => sidecar * slack >= direct * least,
            (Budget::AddedAtMost(added), Some(direct)) => sidecar <= direct + added * slack,
            (Budget::RatioAndFigureAtMost(ratio, figure), Some(direct)) => {
                sidecar <= direct * ratio * slack && sidecar <= figure * slack
            }
        };
        if met { Verdict::Met } else { Verdict::Missed }
    }

    /// For people, in the unit of the figure.
    pub(super) fn text(self, unit: Unit) -> String {
        match self {
            Budget::AtMost(figure) => format!("≤ {}", unit.show(figure)),
            Budget::RatioAtMost(ratio) => format!("≤ {ratio}x"),
            Budget::RatioAtLeast(ratio) => format!("≥ {ratio}x"),
            Budget::AddedAtMost(added) => format!("≤ +{}", unit.show(added)),
            Budget::RatioAndFigureAtMost(ratio, figure) => format!("≤ {ratio}x, ≤ {}", unit.show(figure)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_judged_by_their_kind() {
        let check = |budget: Budget, sidecar: f64, direct: Option<f64>, expected: Verdict| {
            assert_eq!(budget.judge(Unit::Microseconds, sidecar, direct, false), expected, "{budget:?}");
        };
        check(Budget::AtMost(8.0), 8.0, None, Verdict::Met);
        check(Budget::AtMost(8.0), 8.1, Some(100.0), Verdict::Missed);
        check(Budget::RatioAtMost(1.5), 14.9, Some(10.0), Verdict::Met);
        check(Budget::RatioAtMost(1.5), 15.1, Some(10.0), Verdict::Missed);
        check(Budget::RatioAtLeast(0.6), 61.0, Some(100.0), Verdict::Met);
        check(Budget::RatioAtLeast(0.6), 59.0, Some(100.0), Verdict::Missed);
        check(Budget::AddedAtMost(300.0), 399.0, Some(100.0), Verdict::Met);
        check(Budget::AddedAtMost(300.0), 401.0, Some(100.0), Verdict::Missed);
        check(Budget::AddedAtMost(300.0), 1.0, None, Verdict::Unknown);
        check(Budget::RatioAndFigureAtMost(3.0, 4000.0), 2999.0, Some(1000.0), Verdict::Met);
        check(Budget::RatioAndFigureAtMost(3.0, 4000.0), 3001.0, Some(1000.0), Verdict::Missed);
        check(Budget::RatioAndFigureAtMost(3.0, 4000.0), 4001.0, Some(2000.0), Verdict::Missed);
    }

    #[test]
    fn a_quick_run_is_given_slack_but_for_memory() {
        assert_eq!(Budget::AtMost(8.0).judge(Unit::Microseconds, 20.0, None, true), Verdict::Met);
        assert_eq!(Budget::AtMost(8.0).judge(Unit::Mebibytes, 20.0, None, true), Verdict::Missed);
        assert_eq!(Budget::RatioAtLeast(0.6).judge(Unit::PerSecond, 21.0, Some(100.0), true), Verdict::Met);
    }
}
