//! Resident memory: idle, with many streams open, and after many completions.
use multicodex::sim::{After, Behaviour, Break, FaultKind, StreamPlan};

use crate::effort::{Effort, Fault};
use crate::env::{BODY, BenchEnv, SMALL};
use crate::report::{Report, Unit, names};
use crate::sidecar::Sidecar;

const STREAMS: usize = 256;
const AT_ONCE: usize = 32;

pub fn measure(env: &BenchEnv, effort: Effort, report: &mut Report) -> Result<(), Fault> {
    let idle = idle(env)?;
    report.add(names::IDLE, Unit::Mebibytes, idle, None);

    let mut sidecar = Sidecar::spawn(env.command())?;
    sidecar.initialize()?;
    let stalled = StreamPlan::deltas(8, SMALL).with_fault(After::Output(4), FaultKind::Break(Break::Hang));
    env.behave(Behaviour::Stream(stalled));
    let open = sidecar.open_streams(STREAMS)?;
    report.add(names::STREAMING, Unit::Mebibytes, sidecar.resident_mib()?, None);
    sidecar.cancel_all(&open)?;

    env.answer_with(8, SMALL);
    let completions = effort.pick(10_000, 500);
    let before = sidecar.resident_mib()?;
    for _ in 0..completions / AT_ONCE {
        sidecar.complete_at_once(AT_ONCE, BODY)?;
    }
    let after = sidecar.resident_mib()?;
    report.add(
        format!("resident after {completions} completions / before them"),
        Unit::Mebibytes,
        after,
        Some(before),
    );
    Ok(())
}

/// With an upstream over TLS that is never called: its certificates are loaded by then.
fn idle(env: &BenchEnv) -> Result<f64, Fault> {
    let mut sidecar = Sidecar::spawn(env.command_to("https://127.0.0.1:9/backend-api"))?;
    sidecar.initialize()?;
    sidecar.request(r#"{"id":2,"method":"accounts"}"#)?;
    settled(&sidecar)
}

/// The background work after `initialize` is over when the figure does not change.
fn settled(sidecar: &Sidecar) -> Result<f64, Fault> {
    let mut last = sidecar.resident_mib()?;
    for _ in 0..20 {
        std::thread::sleep(std::time::Duration::from_millis(100));
        let now = sidecar.resident_mib()?;
        if now == last {
            break;
        }
        last = now;
    }
    Ok(last)
}
