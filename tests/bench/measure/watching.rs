//! How soon a client is notified that another program changed the accounts, compared with a bare watch of the same
//! file.

use std::fs;
use std::sync::mpsc;
use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use tokio::time::Instant;

use crate::effort::{Effort, Fault};
use crate::env::BenchEnv;
use crate::report::{Report, Times};
use crate::sidecar::Sidecar;

const PATIENCE: Duration = Duration::from_secs(10);

pub fn measure(env: &BenchEnv, effort: Effort, report: &mut Report) -> Result<(), Fault> {
    let mut sidecar = Sidecar::spawn(env.command())?;
    sidecar.initialize()?;
    let file = env.dir().join("codex-accounts.json");
    let (send, noticed) = mpsc::channel();
    let watched = file.clone();
    let mut bare = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| event.paths.contains(&watched)) {
            // There is no receiver between two rounds.
            let _ = send.send(Instant::now());
        }
    })?;
    bare.watch(env.dir(), RecursiveMode::NonRecursive)?;

    let (mut ours, mut theirs) = (Times::default(), Times::default());
    for _ in 0..effort.pick(40, 4) {
        // Until the sidecar's own writes, and the notifications for them, are over.
        std::thread::sleep(Duration::from_millis(250));
        let text = fs::read_to_string(&file)?;
        let mut accounts: serde_json::Value = serde_json::from_str(&text)?;
        let expires_at = accounts["accounts"][0]["expiresAt"].as_i64().ok_or("no expiry")?;
        accounts["accounts"][0]["expiresAt"] = (expires_at + 1000).into();
        let new = tempfile::NamedTempFile::new_in(env.dir())?;
        fs::write(new.path(), accounts.to_string())?;
        // Earlier notifications come before the answer.
        sidecar.request(r#"{"id":4,"method":"paths"}"#)?;
        while noticed.try_recv().is_ok() {}
        let begun = Instant::now();
        new.persist(&file)?;
        sidecar.notification("accounts/changed")?;
        ours.push(begun.elapsed());
        theirs.push(noticed.recv_timeout(PATIENCE)?.duration_since(begun));
    }
    report.add_times(
        "accounts file renamed to `accounts/changed` / a bare watch",
        ours.median(),
        Some(theirs.median()),
    );
    Ok(())
}
