//! From starting the process to its first answer.

use tokio::time::Instant;

use crate::echo::EchoProgram;
use crate::effort::{Effort, Fault};
use crate::env::BenchEnv;
use crate::report::{Report, Times, names};
use crate::sidecar::Sidecar;

pub fn measure(env: &BenchEnv, effort: Effort, report: &mut Report) -> Result<(), Fault> {
    let program = EchoProgram::new(env.dir())?;
    let (mut ours, mut minimal) = (Times::default(), Times::default());
    for _ in 0..effort.pick(60, 10) {
        let begun = Instant::now();
        program.start("{}", b"{}\n")?.round_trip()?;
        minimal.push(begun.elapsed());
        let begun = Instant::now();
        Sidecar::spawn(env.command())?.request(r#"{"id":1,"method":"paths"}"#)?;
        ours.push(begun.elapsed());
    }
    report.add_times(names::FIRST_ANSWER, ours.median(), Some(minimal.median()));
    Ok(())
}
