//! `multicodex bench`: what the sidecar costs, each figure beside the same work done directly against the simulated
//! backend in the same run, and beside its budget. Only the ratios mean something on another machine.
//!
//! It writes to temporary directories and talks to loopback only.

mod budget;
mod direct;
mod echo;
mod failover;
mod figure;
mod first_delta;
mod growth;
mod memory;
mod one_processor;
mod requests;
mod sidecar;
mod spawning;
mod stage;
mod streams;
mod svg;
mod table;
mod watching;

use std::path::PathBuf;
use std::process::ExitCode;

use super::print::print;
use figure::Report;
use stage::Stage;

type Fault = Box<dyn std::error::Error>;

/// `multicodex bench`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BenchOptions {
    /// JSON instead of the table.
    pub json: bool,
    /// Everything once and briefly: shows that it runs, and budgets that are missed by far.
    pub quick: bool,
    /// Where to draw the figures.
    pub svg: Option<PathBuf>,
    /// This part alone; one of [`parts`].
    pub only: Option<&'static str>,
}

type Measure = fn(&Stage, Effort, &mut Report) -> Result<(), Fault>;

/// In this order, each by its name.
const MEASURES: [(&str, Measure); 8] = [
    ("spawn", spawning::measure),
    ("memory", memory::measure),
    ("requests", requests::measure),
    ("first-delta", first_delta::measure),
    ("streams", streams::measure),
    ("failover", failover::measure),
    ("watching", watching::measure),
    ("growth", |_, effort, report| growth::measure(effort, report)),
];

/// What can be measured alone.
pub fn parts() -> impl Iterator<Item = &'static str> {
    MEASURES.iter().map(|(name, _)| *name)
}

/// How often things are done.
#[derive(Clone, Copy, Debug)]
struct Effort {
    quick: bool,
}

impl Effort {
    fn pick(self, whole: usize, quick: usize) -> usize {
        if self.quick { quick } else { whole }
    }
}

/// Runs every measurement and tells the figures. A budget that is missed is told, and is no failure: on a busy machine
/// noise decides.
pub fn bench(options: &BenchOptions) -> Result<ExitCode, String> {
    let report = measure(options).map_err(|error| format!("bench: {error}"))?;
    if options.json {
        print(&format!("{}\n", report.to_json()))?;
    }
    if let Some(path) = &options.svg {
        let write = std::fs::write(path, svg::draw(&report));
        write.map_err(|error| format!("--svg: {}: {error}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(options: &BenchOptions) -> Result<Report, Fault> {
    let effort = Effort { quick: options.quick };
    let mut report = Report::new(options.quick, !options.json);
    let stage = Stage::with_accounts(10)?;
    for (_, measure) in MEASURES.iter().filter(|(name, _)| options.only.is_none_or(|only| only == *name)) {
        measure(&stage, effort, &mut report)?;
    }
    report.end();
    Ok(report)
}
