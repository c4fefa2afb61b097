//! A completion that meets a usage limit on its first account, beside the two requests that this takes at the least.

use tokio::time::Instant;

use super::direct::Direct;
use super::figure::{Report, Times};
use super::sidecar::Sidecar;
use super::stage::{SMALL, Stage};
use super::{Effort, Fault};
use crate::sim::{Behaviour, Rule};

pub(super) const AFTER_A_LIMIT: &str = "first delta after a usage limit / two direct requests";

pub(super) fn measure(stage: &Stage, effort: Effort, report: &mut Report) -> Result<(), Fault> {
    let mut sidecar = Sidecar::spawn(stage.command()?)?;
    sidecar.initialize()?;
    let direct = Direct::new(stage)?;
    stage.answer_with(8, SMALL);
    let limit_once = || stage.handle().add_rule(Rule::next(1, Behaviour::usage_limit()));
    let (mut ours, mut theirs) = (Times::default(), Times::default());
    for _ in 0..effort.pick(200, 10) {
        sidecar.request(r#"{"id":3,"method":"reset","params":{"scope":"quota"}}"#)?;
        limit_once();
        let streamed = sidecar.complete()?;
        if !streamed.rotated {
            return Err("a completion did not meet the limit".into());
        }
        ours.push(streamed.first_delta);
        limit_once();
        let begun = Instant::now();
        direct.refused()?;
        let refused = begun.elapsed();
        theirs.push(refused + direct.complete()?.first_delta);
    }
    report.add_times(AFTER_A_LIMIT, ours.median(), Some(theirs.median()));
    Ok(())
}
