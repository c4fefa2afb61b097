//! What is measured: one file for each part.

mod failover;
mod first_delta;
mod growth;
mod memory;
mod requests;
mod spawning;
mod streams;
mod tool_loop;
mod watching;

use crate::effort::{Effort, Fault};
use crate::env::BenchEnv;
use crate::report::Report;

pub type Measure = fn(&BenchEnv, Effort, &mut Report) -> Result<(), Fault>;

/// The parts in the order in which they run, each with the name that `--only` takes.
pub const PARTS: [(&str, Measure); 9] = [
    ("spawn", spawning::measure),
    ("memory", memory::measure),
    ("requests", requests::measure),
    ("first-delta", first_delta::measure),
    ("streams", streams::measure),
    ("failover", failover::measure),
    ("tool-loop", tool_loop::measure),
    ("watching", watching::measure),
    ("growth", |_, effort, report| growth::measure(effort, report)),
];
