//! The benchmark: what the sidecar costs. Each figure is compared with the same work done directly against the
//! simulated backend in the same run, and with its budget. Only the ratios are meaningful on another machine.
//!
//! `cargo bench --bench budgets` measures everything, `-- --quick` everything briefly. It writes to temporary directories
//! and talks to loopback only.

mod direct;
mod echo;
mod effort;
mod env;
mod measure;
mod one_processor;
mod report;
mod sidecar;

use std::io::{Write, stdout};
use std::path::PathBuf;

use clap::Parser;
use clap::builder::PossibleValuesParser;

use crate::effort::{Effort, Fault};
use crate::env::BenchEnv;
use crate::measure::PARTS;
use crate::report::Report;

/// Measures what the sidecar costs beside direct requests.
#[derive(Parser)]
#[command(name = "budgets")]
struct Options {
    /// Measure everything briefly; budgets are judged with slack.
    #[arg(long)]
    quick: bool,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
    /// Also draw the figures.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Measure this part alone.
    #[arg(long, value_name = "PART", value_parser = PossibleValuesParser::new(PARTS.map(|(name, _)| name)))]
    only: Option<String>,
    /// Passed by `cargo bench`; without it, as under `cargo test`, the run is a quick one.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Runs every measurement and shows the figures. A missed budget is shown and is not a failure: on a busy machine noise
/// decides.
fn main() -> Result<(), Fault> {
    let options = Options::parse();
    let report = measure(&options)?;
    if options.json {
        writeln!(stdout(), "{}", report.to_json())?;
    }
    if let Some(path) = &options.svg {
        let write = std::fs::write(path, report::svg::draw(&report));
        write.map_err(|error| format!("--svg: {}: {error}", path.display()))?;
    }
    Ok(())
}

fn measure(options: &Options) -> Result<Report, Fault> {
    let effort = Effort { quick: options.quick || !options.bench };
    let mut report = Report::new(effort.quick, !options.json);
    let env = BenchEnv::with_accounts(10)?;
    let is_wanted = |name: &str| options.only.as_deref().is_none_or(|only| only == name);
    for (_, measure) in PARTS.iter().filter(|(name, _)| is_wanted(name)) {
        measure(&env, effort, &mut report)?;
    }
    report.end();
    Ok(report)
}
