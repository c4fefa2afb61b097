//! How long the first delta of a completion takes, alone and among others that are asked for at the same moment.

use super::direct::Direct;
use super::figure::{Report, Times};
use super::sidecar::Sidecar;
use super::stage::{BODY, SMALL, Stage};
use super::{Effort, Fault};

pub(super) fn measure(stage: &Stage, effort: Effort, report: &mut Report) -> Result<(), Fault> {
    let mut sidecar = Sidecar::spawn(stage.command()?)?;
    sidecar.initialize()?;
    let direct = Direct::new(stage)?;
    stage.answer_with(8, SMALL);
    for (streams, rounds) in [(1, 400), (8, 100), (32, 50), (256, 20)] {
        // Connections are made before they are timed.
        sidecar.complete_at_once(streams, BODY)?;
        direct.complete_at_once(streams, BODY)?;
        let (mut ours, mut theirs) = (Times::default(), Times::default());
        for _ in 0..effort.pick(rounds, rounds.div_ceil(20)) {
            ours.extend(sidecar.complete_at_once(streams, BODY)?.iter().map(|one| one.first_delta));
            theirs.extend(direct.complete_at_once(streams, BODY)?.iter().map(|one| one.first_delta));
        }
        let of = if streams == 1 { "1 stream".to_owned() } else { format!("{streams} streams") };
        for percent in [50, 99] {
            let (ours, theirs) = (ours.percentile(percent), theirs.percentile(percent));
            report.add_times(format!("first delta p{percent}, {of}"), ours, Some(theirs));
        }
    }
    Ok(())
}
