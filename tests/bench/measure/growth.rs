//! How cost grows with the number of accounts, and with the size of a request.

use std::hint::black_box;

use multicodex::pool::{Account, AccountId, At, Credential, Demand, Identity, Pool, RotationSettings};
use multicodex::secret::Secret;
use tokio::time::Instant;

use crate::direct::Direct;
use crate::effort::{Effort, Fault};
use crate::env::{BenchEnv, SMALL};
use crate::one_processor::OnOneProcessor;
use crate::report::{Growth, Point, Report, Times, Unit, micros, names};
use crate::sidecar::Sidecar;

pub fn measure(effort: Effort, report: &mut Report) -> Result<(), Fault> {
    let counts: &[usize] = if effort.quick { &[10, 1_000] } else { &[10, 100, 1_000, 10_000] };
    report.add(names::PICK, Unit::Nanoseconds, pick(1_000, effort.pick(2_000, 100)), None);
    let picks = counts.iter().map(|&count| (count, pick(count, effort.pick(2_000, 100))));
    let picks = picks.map(|(count, sidecar)| Point { at: count as f64, sidecar, direct: None });
    add(report, "picking an account", Unit::Nanoseconds, picks.collect());

    let (mut starts, mut lists, mut deltas, mut memory) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for &count in counts {
        let env = BenchEnv::with_accounts(count)?;
        let at = count as f64;
        let point = |sidecar: f64, direct: Option<f64>| Point { at, sidecar, direct };
        let (start, mut sidecar) = start(&env, effort)?;
        starts.push(point(start, None));
        lists.push(point(list(&env, effort)?, None));
        let (ours, theirs) = first_deltas(&env, &mut sidecar, effort)?;
        deltas.push(point(ours, Some(theirs)));
        memory.push(point(sidecar.resident_mib()?, None));
    }
    add(report, "spawn to first answer", Unit::Microseconds, starts);
    add(report, "`accounts`", Unit::Microseconds, lists);
    add(report, "first delta", Unit::Microseconds, deltas);
    add(report, "resident after some completions", Unit::Mebibytes, memory);
    bodies(effort, report)
}

fn add(report: &mut Report, name: &'static str, unit: Unit, points: Vec<Point>) {
    report.add_growth(Growth { name, along: "accounts", unit, points });
}

/// In nanoseconds: the median of this many picks, each followed by the use of the picked account.
fn pick(count: usize, rounds: usize) -> f64 {
    let mut pool = Pool::new(RotationSettings::default());
    let accounts = (0..count).map(|at| {
        let name = format!("acc_{at:05}");
        let identity = Identity {
            workspace_id: Some(format!("ws-{at}")),
            user_id: Some(format!("user-{at}")),
            ..Identity::default()
        };
        let token = |of: &str| Secret::new(format!("{of}-{at}"));
        let credential =
            Credential { access: token("access"), refresh: token("refresh"), expires_at: At(i64::MAX) };
        Account::new(AccountId::new(&name), identity, name, credential)
    });
    pool.sync(accounts.collect(), At(0));
    let demand = Demand { model: Some("gpt-6.1-sol".to_owned()), ..Demand::default() };
    let mut times = Times::default();
    for round in 0..rounds {
        let now = At(i64::try_from(round).unwrap_or_default());
        let begun = Instant::now();
        black_box(pool.best(black_box(&demand), &[], now));
        times.push(begun.elapsed());
    }
    times.median().as_secs_f64() * 1e9
}

/// In microseconds, as all below.
fn start(env: &BenchEnv, effort: Effort) -> Result<(f64, Sidecar), Fault> {
    let mut times = Times::default();
    let mut last = None;
    for _ in 0..effort.pick(5, 2) {
        let begun = Instant::now();
        let mut sidecar = Sidecar::spawn(env.command())?;
        sidecar.request(r#"{"id":1,"method":"paths"}"#)?;
        times.push(begun.elapsed());
        last = Some(sidecar);
    }
    let mut sidecar = last.ok_or("nothing was started")?;
    sidecar.initialize()?;
    Ok((micros(times.median()), sidecar))
}

fn list(env: &BenchEnv, effort: Effort) -> Result<f64, Fault> {
    let _one_processor = OnOneProcessor::begin()?;
    let mut sidecar = Sidecar::spawn(env.command())?;
    sidecar.initialize()?;
    let mut times = Times::default();
    for _ in 0..effort.pick(30, 5) {
        let begun = Instant::now();
        sidecar.request(r#"{"id":2,"method":"accounts"}"#)?;
        times.push(begun.elapsed());
    }
    Ok(micros(times.median()))
}

fn first_deltas(env: &BenchEnv, sidecar: &mut Sidecar, effort: Effort) -> Result<(f64, f64), Fault> {
    let direct = Direct::new(env)?;
    env.answer_with(8, SMALL);
    let (mut ours, mut theirs) = (Times::default(), Times::default());
    for _ in 0..effort.pick(100, 10) {
        ours.push(sidecar.complete()?.first_delta);
        theirs.push(direct.complete()?.first_delta);
    }
    Ok((micros(ours.median()), micros(theirs.median())))
}

fn bodies(effort: Effort, report: &mut Report) -> Result<(), Fault> {
    let env = BenchEnv::with_accounts(2)?;
    let mut sidecar = Sidecar::spawn(env.command())?;
    sidecar.initialize()?;
    let direct = Direct::new(&env)?;
    env.answer_with(8, SMALL);
    let sizes: &[(usize, usize)] = &[(1_000, 100), (10_000, 100), (100_000, 30), (10_000_000, 5)];
    let mut points = Vec::new();
    for &(size, rounds) in sizes {
        let body = body_of(size);
        let (mut ours, mut theirs) = (Times::default(), Times::default());
        for _ in 0..effort.pick(rounds, 2) {
            ours.extend(sidecar.complete_at_once(1, &body)?.iter().map(|one| one.first_delta));
            theirs.extend(direct.complete_at_once(1, &body)?.iter().map(|one| one.first_delta));
        }
        let (sidecar, direct) = (micros(ours.median()), Some(micros(theirs.median())));
        points.push(Point { at: size as f64, sidecar, direct });
    }
    let along = "bytes in the request";
    report.add_growth(Growth { name: "first delta", along, unit: Unit::Microseconds, points });
    Ok(())
}

/// Text that compresses about as well as prose.
fn body_of(size: usize) -> String {
    let mut text = String::with_capacity(size + 16);
    let mut state: u32 = 1;
    while text.len() < size {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(&format!("word{} ", state >> 22));
    }
    format!(r#"{{"model":"gpt-6.1-sol","input":[{{"role":"user","content":"{text}"}}]}}"#)
}
