//! Requests that are answered from memory, one at a time and many at once, compared with a blocking loop that answers
//! the same bytes.

use tokio::time::Instant;

use crate::echo::{Echo, EchoProgram};
use crate::effort::{Effort, Fault};
use crate::env::BenchEnv;
use crate::one_processor::OnOneProcessor;
use crate::report::{Report, Times, Unit, names};
use crate::sidecar::Sidecar;

/// Answered at once and in a few bytes: the completion does not exist.
const NOTHING: &str = r#"{"id":2,"method":"complete/cancel","params":["c0"]}"#;
const LIST: &str = r#"{"id":2,"method":"accounts"}"#;
const PIPELINED: usize = 64;

pub fn measure(env: &BenchEnv, effort: Effort, report: &mut Report) -> Result<(), Fault> {
    let program = EchoProgram::new(env.dir())?;
    for (request, name, rounds) in [(NOTHING, names::PING, 20_000), (LIST, names::ACCOUNTS, 10_000)] {
        one_at_a_time(env, &program, request, name, effort.pick(rounds, 500), report)?;
        pipelined(env, &program, request, effort.pick(rounds, 640), report)?;
    }
    Ok(())
}

fn one_at_a_time(
    env: &BenchEnv,
    program: &EchoProgram,
    request: &str,
    name: &str,
    rounds: usize,
    report: &mut Report,
) -> Result<(), Fault> {
    let _taking_turns = OnOneProcessor::begin()?;
    let (mut sidecar, mut echo, _) = side_by_side(env, program, request)?;
    let (mut ours, mut theirs) = (Times::default(), Times::default());
    // In turns of a hundred, so that both have the same noise.
    for _ in 0..rounds / 100 {
        for _ in 0..100 {
            let begun = Instant::now();
            sidecar.request(request)?;
            ours.push(begun.elapsed());
        }
        for _ in 0..100 {
            let begun = Instant::now();
            echo.round_trip()?;
            theirs.push(begun.elapsed());
        }
    }
    let rate = |times: &mut Times| 1.0 / times.median().as_secs_f64();
    report.add(name, Unit::PerSecond, rate(&mut ours), Some(rate(&mut theirs)));
    Ok(())
}

fn pipelined(
    env: &BenchEnv,
    program: &EchoProgram,
    request: &str,
    rounds: usize,
    report: &mut Report,
) -> Result<(), Fault> {
    let (mut sidecar, mut echo, answer_bytes) = side_by_side(env, program, request)?;
    let requests = format!("{request}\n").repeat(PIPELINED);
    let (mut ours, mut theirs) = (Times::default(), Times::default());
    for _ in 0..rounds / PIPELINED {
        let begun = Instant::now();
        sidecar.send(&requests)?;
        for _ in 0..PIPELINED {
            sidecar.next_answer()?;
        }
        ours.push(begun.elapsed());
        let begun = Instant::now();
        echo.round_trips(PIPELINED)?;
        theirs.push(begun.elapsed());
    }
    let rate = |times: &mut Times| PIPELINED as f64 / times.median().as_secs_f64();
    let name = format!("the same, {PIPELINED} in one write ({answer_bytes} bytes each)");
    report.add(name, Unit::PerSecond, rate(&mut ours), Some(rate(&mut theirs)));
    Ok(())
}

/// A sidecar, a loop that answers this request in the same way, and the length of that answer.
fn side_by_side(
    env: &BenchEnv,
    program: &EchoProgram,
    request: &str,
) -> Result<(Sidecar, Echo, usize), Fault> {
    let mut sidecar = Sidecar::spawn(env.command())?;
    sidecar.initialize()?;
    let answer = sidecar.request(request)?.to_vec();
    let echo = program.start(request, &answer)?;
    let bytes = answer.len();
    Ok((sidecar, echo, bytes))
}
