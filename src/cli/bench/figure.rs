//! What was measured: a figure beside its baseline and its budget. It measures nothing.

use std::time::Duration;

use serde::Serialize;

use super::budget::{Budget, Verdict, budget_of};
use super::table;
use crate::cli::print::{complain, print};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Unit {
    #[serde(rename = "us")]
    Microseconds,
    #[serde(rename = "ns")]
    Nanoseconds,
    #[serde(rename = "/s")]
    PerSecond,
    #[serde(rename = "MB/s")]
    MegabytesPerSecond,
    #[serde(rename = "MiB")]
    Mebibytes,
}

impl Unit {
    /// For people.
    pub(super) fn show(self, value: f64) -> String {
        match self {
            Unit::Microseconds if value >= 10_000.0 => format!("{:.1} ms", value / 1000.0),
            Unit::Microseconds if value >= 100.0 => format!("{value:.0} us"),
            Unit::Microseconds => format!("{value:.1} us"),
            Unit::Nanoseconds if value >= 10_000.0 => format!("{:.1} us", value / 1000.0),
            Unit::Nanoseconds => format!("{value:.0} ns"),
            Unit::PerSecond if value >= 1_000_000.0 => format!("{:.2} M/s", value / 1e6),
            Unit::PerSecond if value >= 10_000.0 => format!("{:.1} k/s", value / 1e3),
            Unit::PerSecond => format!("{value:.0} /s"),
            Unit::MegabytesPerSecond => format!("{value:.0} MB/s"),
            Unit::Mebibytes => format!("{value:.1} MiB"),
        }
    }
}

/// One line of the report. `name` is unique.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figure {
    pub name: String,
    pub unit: Unit,
    pub sidecar: f64,
    /// The same without a sidecar; what that is stands in the name.
    pub direct: Option<f64>,
    pub ratio: Option<f64>,
    pub budget: Option<Budget>,
    pub verdict: Option<Verdict>,
}

/// How a figure grows with something. The points are of the sidecar, and of the direct way where there is one.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Growth {
    pub name: &'static str,
    pub along: &'static str,
    pub unit: Unit,
    pub points: Vec<Point>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Point {
    pub at: f64,
    pub sidecar: f64,
    pub direct: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    version: &'static str,
    cores: usize,
    os: &'static str,
    quick: bool,
    pub figures: Vec<Figure>,
    pub growths: Vec<Growth>,
    /// Printed as they come, because it takes minutes.
    #[serde(skip)]
    told: bool,
}

impl Report {
    pub(super) fn new(quick: bool, told: bool) -> Self {
        if told {
            tell(&table::head());
        }
        Report {
            version: env!("CARGO_PKG_VERSION"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            os: std::env::consts::OS,
            quick,
            figures: Vec::new(),
            growths: Vec::new(),
            told,
        }
    }

    pub(super) fn add(&mut self, name: impl Into<String>, unit: Unit, sidecar: f64, direct: Option<f64>) {
        let name = name.into();
        let budget = budget_of(&name);
        let ratio = direct.filter(|direct| *direct > 0.0).map(|direct| sidecar / direct);
        let verdict = budget.map(|budget| budget.judge(unit, sidecar, direct, self.quick));
        let figure = Figure { name, unit, sidecar, direct, ratio, budget, verdict };
        if self.told {
            tell(&table::row(&figure));
        }
        self.figures.push(figure);
    }

    pub(super) fn add_times(&mut self, name: impl Into<String>, sidecar: Duration, direct: Option<Duration>) {
        self.add(name, Unit::Microseconds, micros(sidecar), direct.map(micros));
    }

    pub(super) fn add_growth(&mut self, growth: Growth) {
        if self.told {
            tell(&table::growth(&growth));
        }
        self.growths.push(growth);
    }

    pub(super) fn end(&self) {
        if self.told {
            tell(&table::foot(self));
        }
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// Measuring goes on when nobody reads; the figures may go to a file as well.
fn tell(text: &str) {
    if let Err(message) = print(text) {
        complain(&format!("multicodex: {message}"));
    }
}

pub(super) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Times of one and the same thing.
#[derive(Clone, Debug, Default)]
pub(super) struct Times(Vec<Duration>);

impl Times {
    pub(super) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(super) fn extend(&mut self, times: impl IntoIterator<Item = Duration>) {
        self.0.extend(times);
    }

    pub(super) fn median(&mut self) -> Duration {
        self.percentile(50)
    }

    /// 0 when nothing was measured.
    pub(super) fn percentile(&mut self, percent: usize) -> Duration {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        self.0.get((self.0.len() * percent / 100).min(last)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let mut times = Times::default();
        assert_eq!(times.median(), Duration::ZERO);
        times.extend((1..=100).rev().map(Duration::from_millis));
        assert_eq!(times.median(), Duration::from_millis(51));
        assert_eq!(times.percentile(99), Duration::from_millis(100));
        assert_eq!(times.percentile(100), Duration::from_millis(100));
    }
}
