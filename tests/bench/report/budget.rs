//! The budget of each figure, in one table. Most budgets are ratios to the direct work in the same run, which hold on
//! any machine; the others are for a machine with two cores.

use serde::Serialize;

use super::names;
use super::unit::Unit;

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// In the figure's own unit.
    AtMost(f64),
    /// This many times the direct figure.
    RatioAtMost(f64),
    RatioAtLeast(f64),
    /// The direct figure plus this, in the figure's own unit.
    AddedAtMost(f64),
    /// Both a ratio and a figure.
    RatioAndFigureAtMost(f64, f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Met,
    Missed,
    /// A figure that needs its baseline, and has none here.
    Unknown,
}

/// A short run on a busy machine differs by this much without a fault.
const QUICK_SLACK: f64 = 3.0;

const BUDGETS: &[(&str, Budget)] = &[
    (names::FIRST_ANSWER, Budget::RatioAndFigureAtMost(3.0, 4_000.0)),
    (names::IDLE, Budget::AtMost(8.5)),
    (names::STREAMING, Budget::AtMost(24.0)),
    (names::PING, Budget::RatioAtLeast(0.6)),
    (names::ACCOUNTS, Budget::RatioAtLeast(0.3)),
    (names::FIRST_DELTA, Budget::AddedAtMost(300.0)),
    (names::FIRST_DELTA_OF_MANY, Budget::RatioAtMost(1.15)),
    (names::SMALL_EVENTS, Budget::RatioAtLeast(0.6)),
    (names::AFTER_A_LIMIT, Budget::AddedAtMost(1_000.0)),
    (names::TOOL_LOOP_DELTA, Budget::RatioAtMost(1.0)),
    (names::TOOL_LOOP_BYTES, Budget::RatioAtMost(0.05)),
    (names::PICK, Budget::AtMost(50_000.0)),
];

pub fn budget_of(name: &str) -> Option<Budget> {
    BUDGETS.iter().find(|(of, _)| *of == name).map(|(_, budget)| *budget)
}

impl Budget {
    pub fn judge(self, unit: Unit, sidecar: f64, direct: Option<f64>, quick: bool) -> Verdict {
        // Memory is the same however short the run is.
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
    pub fn text(self, unit: Unit) -> String {
        match self {
            Budget::AtMost(figure) => format!("≤ {}", unit.show(figure)),
            Budget::RatioAtMost(ratio) => format!("≤ {ratio}x"),
            Budget::RatioAtLeast(ratio) => format!("≥ {ratio}x"),
            Budget::AddedAtMost(added) => format!("≤ +{}", unit.show(added)),
            Budget::RatioAndFigureAtMost(ratio, figure) => format!("≤ {ratio}x, ≤ {}", unit.show(figure)),
        }
    }
}
