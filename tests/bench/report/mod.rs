//! The report of a run: figures, budgets, and how they are shown. It measures nothing.

pub mod budget;
mod figure;
pub mod names;
pub mod svg;
mod table;
mod times;
mod unit;

use std::io::{Write, stdout};
use std::time::Duration;

use serde::Serialize;

use self::budget::budget_of;
use self::figure::Figure;
pub use self::figure::{Growth, Point};
pub use self::times::{Times, micros};
pub use self::unit::Unit;

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    version: &'static str,
    cores: usize,
    os: &'static str,
    quick: bool,
    pub figures: Vec<Figure>,
    pub growths: Vec<Growth>,
    /// Printed as they come, because the run takes minutes.
    #[serde(skip)]
    shown: bool,
}

impl Report {
    pub fn new(quick: bool, shown: bool) -> Self {
        if shown {
            show(&table::head());
        }
        Report {
            version: env!("CARGO_PKG_VERSION"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            os: std::env::consts::OS,
            quick,
            figures: Vec::new(),
            growths: Vec::new(),
            shown,
        }
    }

    pub fn add(&mut self, name: impl Into<String>, unit: Unit, sidecar: f64, direct: Option<f64>) {
        let name = name.into();
        let budget = budget_of(&name);
        let ratio = direct.filter(|direct| *direct > 0.0).map(|direct| sidecar / direct);
        let verdict = budget.map(|budget| budget.judge(unit, sidecar, direct, self.quick));
        let figure = Figure { name, unit, sidecar, direct, ratio, budget, verdict };
        if self.shown {
            show(&table::row(&figure));
        }
        self.figures.push(figure);
    }

    pub fn add_times(&mut self, name: impl Into<String>, sidecar: Duration, direct: Option<Duration>) {
        self.add(name, Unit::Microseconds, micros(sidecar), direct.map(micros));
    }

    pub fn add_growth(&mut self, growth: Growth) {
        if self.shown {
            show(&table::growth(&growth));
        }
        self.growths.push(growth);
    }

    pub fn end(&self) {
        if self.shown {
            show(&table::foot(&self.figures));
        }
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// The measurement goes on when stdout is closed, because the figures may also go to a file.
fn show(text: &str) {
    stdout().write_all(text.as_bytes()).ok();
}
