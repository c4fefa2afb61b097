//! How long the first delta of a completion takes, alone and among others that begin at the same moment.

use std::time::Duration;

use crate::direct::Direct;
use crate::effort::{Effort, Fault};
use crate::env::{BODY, BenchEnv, SMALL};
use crate::report::{Report, Times, Unit, micros};
use crate::sidecar::{Sidecar, own_process_cpu_time};

pub fn measure(env: &BenchEnv, effort: Effort, report: &mut Report) -> Result<(), Fault> {
    let mut sidecar = Sidecar::spawn(env.command())?;
    sidecar.initialize()?;
    let direct = Direct::new(env)?;
    env.answer_with(8, SMALL);
    for (streams, rounds) in [(1, 400), (8, 100), (32, 50), (256, 20)] {
        // Connections are opened before they are timed.
        sidecar.complete_at_once(streams, BODY)?;
        direct.complete_at_once(streams, BODY)?;
        let (mut ours, mut theirs) = (Times::default(), Times::default());
        let rounds = effort.pick(rounds, rounds.div_ceil(20));
        // The sidecar's work after its answers counts, too, so this is read at the end.
        let (mut used, by_sidecar) = ([Duration::ZERO; 2], sidecar.cpu_time()?);
        for _ in 0..rounds {
            let begun = own_process_cpu_time()?;
            ours.extend(sidecar.complete_at_once(streams, BODY)?.iter().map(|one| one.first_delta));
            let between = own_process_cpu_time()?;
            theirs.extend(direct.complete_at_once(streams, BODY)?.iter().map(|one| one.first_delta));
            used[0] += between.saturating_sub(begun);
            used[1] += own_process_cpu_time()?.saturating_sub(between);
        }
        used[0] += sidecar.cpu_time()?.saturating_sub(by_sidecar);
        let of = if streams == 1 { "1 stream".to_owned() } else { format!("{streams} streams") };
        for percent in [50, 99] {
            let (ours, theirs) = (ours.percentile(percent), theirs.percentile(percent));
            report.add_times(format!("first delta p{percent}, {of}"), ours, Some(theirs));
        }
        let [ours, theirs] = used.map(|used| micros(used) / (rounds * streams) as f64);
        let name = format!("processor time of all for a completion, {of}");
        report.add(name, Unit::Microseconds, ours, Some(theirs));
    }
    Ok(())
}
