//! Throughput: short completions, and long streams of small and of large events.

use std::time::Duration;

use tokio::time::Instant;

use crate::direct::Direct;
use crate::effort::{Effort, Fault};
use crate::env::{BODY, BenchEnv, SMALL};
use crate::report::{Growth, Point, Report, Times, Unit, names};
use crate::sidecar::{Sidecar, Streamed, own_cpu_time};

const AT_ONCE: usize = 32;
const LARGE: usize = 4096;

pub fn measure(env: &BenchEnv, effort: Effort, report: &mut Report) -> Result<(), Fault> {
    let mut sidecar = Sidecar::spawn(env.command())?;
    sidecar.initialize()?;
    let direct = Direct::new(env)?;
    completions(env, effort, report, &mut sidecar, &direct)?;
    let mut long = |deltas: usize, size: usize, rounds: usize| {
        env.answer_with(deltas, size);
        Long::measure(&mut sidecar, &direct, effort.pick(rounds, 1))
    };

    let small = long(effort.pick(50_000, 10_000), SMALL, 15)?;
    report.add(names::SMALL_EVENTS, Unit::PerSecond, small.ours.rate(), Some(small.theirs.rate()));
    let cpu = [small.ours.cpu_per_event(), small.theirs.cpu_per_event()];
    report.add(
        "processor time for a small event / in the direct client",
        Unit::Nanoseconds,
        cpu[0],
        Some(cpu[1]),
    );
    let large = long(effort.pick(10_000, 2_000), LARGE, 9)?;
    report.add(
        "events/s of a stream of 4 KiB events",
        Unit::PerSecond,
        large.ours.rate(),
        Some(large.theirs.rate()),
    );
    let bytes = [large.ours.megabytes(), large.theirs.megabytes()];
    report.add("bytes of that stream", Unit::MegabytesPerSecond, bytes[0], Some(bytes[1]));
    let cpu = [large.ours.cpu_per_event(), large.theirs.cpu_per_event()];
    report.add(
        "processor time for a 4 KiB event / in the direct client",
        Unit::Nanoseconds,
        cpu[0],
        Some(cpu[1]),
    );

    let lengths: &[usize] = if effort.quick { &[1_000, 10_000] } else { &[1_000, 10_000, 100_000, 500_000] };
    let mut points = Vec::new();
    for &length in lengths {
        let long = long(length, SMALL, 3)?;
        let (sidecar, direct) = (long.ours.cpu_per_event(), Some(long.theirs.cpu_per_event()));
        points.push(Point { at: length as f64, sidecar, direct });
    }
    let along = "events";
    report.add_growth(Growth { name: "processor time for an event", along, unit: Unit::Nanoseconds, points });
    Ok(())
}

fn completions(
    env: &BenchEnv,
    effort: Effort,
    report: &mut Report,
    sidecar: &mut Sidecar,
    direct: &Direct,
) -> Result<(), Fault> {
    env.answer_with(8, SMALL);
    let (mut ours, mut theirs) = (Times::default(), Times::default());
    for _ in 0..effort.pick(60, 5) {
        let begun = Instant::now();
        sidecar.complete_at_once(AT_ONCE, BODY)?;
        ours.push(begun.elapsed());
        let begun = Instant::now();
        direct.complete_at_once(AT_ONCE, BODY)?;
        theirs.push(begun.elapsed());
    }
    let rate = |times: &mut Times| AT_ONCE as f64 / times.median().as_secs_f64();
    let name = format!("completions/s of 8 deltas, {AT_ONCE} at once");
    report.add(name, Unit::PerSecond, rate(&mut ours), Some(rate(&mut theirs)));
    Ok(())
}

/// One long stream after another, sidecar and direct in turns.
struct Long {
    ours: Way,
    theirs: Way,
}

#[derive(Default)]
struct Way {
    times: Times,
    median: Duration,
    cpu: Duration,
    events: f64,
    bytes: f64,
    rounds: f64,
}

impl Long {
    fn measure(sidecar: &mut Sidecar, direct: &Direct, rounds: usize) -> Result<Self, Fault> {
        let (mut ours, mut theirs) = (Way::default(), Way::default());
        // The first one is rendered while it is awaited.
        direct.complete()?;
        for _ in 0..rounds {
            let before = sidecar.cpu_time()?;
            let streamed = sidecar.complete()?;
            ours.add(streamed.total, sidecar.cpu_time()?.saturating_sub(before), &streamed);
            let before = own_cpu_time()?;
            let streamed = direct.complete()?;
            theirs.add(streamed.total, own_cpu_time()?.saturating_sub(before), &streamed);
        }
        ours.median = ours.times.median();
        theirs.median = theirs.times.median();
        Ok(Long { ours, theirs })
    }
}

impl Way {
    fn add(&mut self, total: Duration, cpu: Duration, streamed: &Streamed) {
        self.times.push(total);
        self.cpu += cpu;
        self.events = f64::from(streamed.events);
        self.bytes = streamed.bytes as f64;
        self.rounds += 1.0;
    }

    fn rate(&self) -> f64 {
        self.events / self.median.as_secs_f64()
    }

    fn megabytes(&self) -> f64 {
        self.bytes / self.median.as_secs_f64() / 1e6
    }

    /// In nanoseconds.
    fn cpu_per_event(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e9 / (self.events * self.rounds)
    }
}
