//! What was measured: a figure with its baseline and its budget.

use serde::Serialize;

use super::budget::{Budget, Verdict};
use super::unit::Unit;

/// One line of the report. `name` is unique.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub name: String,
    pub unit: Unit,
    pub sidecar: f64,
    /// The same without a sidecar; the name says what it is.
    pub direct: Option<f64>,
    pub ratio: Option<f64>,
    pub budget: Option<Budget>,
    pub verdict: Option<Verdict>,
}

/// How a figure grows. The points are of the sidecar, and of the direct work if there is one.
#[derive(Clone, Debug, Serialize)]
pub struct Growth {
    pub name: &'static str,
    pub along: &'static str,
    pub unit: Unit,
    pub points: Vec<Point>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Point {
    pub at: f64,
    pub sidecar: f64,
    pub direct: Option<f64>,
}
