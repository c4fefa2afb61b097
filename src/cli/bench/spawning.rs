//! From starting the process to its first answer.

use tokio::time::Instant;

use super::echo::EchoProgram;
use super::figure::{Report, Times};
use super::sidecar::Sidecar;
use super::stage::Stage;
use super::{Effort, Fault};

pub(super) const FIRST_ANSWER: &str = "spawn to first answer / a minimal Rust program's";

pub(super) fn measure(stage: &Stage, effort: Effort, report: &mut Report) -> Result<(), Fault> {
    let program = EchoProgram::new(stage.dir())?;
    let (mut ours, mut minimal) = (Times::default(), Times::default());
    for _ in 0..effort.pick(60, 10) {
        let begun = Instant::now();
        program.start("{}", b"{}\n")?.round_trip()?;
        minimal.push(begun.elapsed());
        let begun = Instant::now();
        Sidecar::spawn(stage.command()?)?.request(r#"{"id":1,"method":"paths"}"#)?;
        ours.push(begun.elapsed());
    }
    report.add_times(FIRST_ANSWER, ours.median(), Some(minimal.median()));
    Ok(())
}
