//! A completion that meets a usage limit on its first account, compared with the two requests that this needs at least.

use multicodex::sim::{Behaviour, Rule};
use tokio::time::Instant;

use crate::direct::Direct;
use crate::effort::{Effort, Fault};
use crate::env::{BenchEnv, SMALL};
use crate::report::{Report, Times, names};
use crate::sidecar::Sidecar;

pub fn measure(env: &BenchEnv, effort: Effort, report: &mut Report) -> Result<(), Fault> {
    let mut sidecar = Sidecar::spawn(env.command())?;
    sidecar.initialize()?;
    let direct = Direct::new(env)?;
    env.answer_with(8, SMALL);
    let limit_once = || env.handle().add_rule(Rule::next(1, Behaviour::usage_limit()));
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
    report.add_times(names::AFTER_A_LIMIT, ours.median(), Some(theirs.median()));
    Ok(())
}
