//! The locks between processes: ours, which the kernel frees when a holder dies, and pi's, which stay.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::in_shell;
use crate::protocol::{Check, CheckId};
use crate::sidecar::Sidecar;
use crate::store::{LockDirectory, LockInspection, StorageError, files_ending_in, inspect_lock};

/// Every write holds a lock for milliseconds; a lock that is held in this many checks is held for long.
const LOOKS: usize = 10;
const PAUSE: Duration = Duration::from_millis(100);

impl Sidecar {
    /// Blocks, for a second when a lock is held.
    pub(crate) fn check_locks(&self) -> Vec<Check> {
        let paths = &self.options.paths;
        let dirs = [&paths.guard_dir, &paths.state_dir];
        let ours: Vec<PathBuf> = dirs.iter().flat_map(|dir| files_ending_in(dir, ".lock")).collect();
        vec![
            check_ours(&ours),
            check_pis(CheckId::PiAuthLock, &paths.auth_file),
            check_pis(CheckId::PiSettingsLock, &paths.settings_file),
        ]
    }
}

fn check_ours(locks: &[PathBuf]) -> Check {
    let without_locks = locks.iter().find_map(|lock| match inspect_lock(lock) {
        Err(error @ StorageError::NoLocks { .. }) => Some(error),
        _ => None,
    });
    if let Some(error) = without_locks {
        return Check::fail(
            CheckId::Locks,
            error.to_string(),
            "choose a state directory, and an agent directory, on a local disk: --state-dir and --agent-dir",
        );
    }
    let mut held: Vec<&PathBuf> = locks.iter().collect();
    for look in 0..LOOKS {
        // A lock that cannot be checked is a matter of permissions.
        held.retain(|lock| inspect_lock(lock).unwrap_or(false));
        if held.is_empty() {
            break;
        }
        if look + 1 < LOOKS {
            std::thread::sleep(PAUSE);
        }
    }
    match held.first() {
        None => Check::pass(CheckId::Locks, "no lock between sidecars is held for long"),
        Some(lock) => Check::warn(
            CheckId::Locks,
            format!("another process has held {} for a second", lock.display()),
            format!("if that goes on, find the process that hangs and end it: lsof {}", in_shell(lock)),
        ),
    }
}

fn check_pis(id: CheckId, file: &Path) -> Check {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let lock = format!("{}.lock", file.display());
    match LockDirectory::look(file) {
        LockInspection::Free => Check::pass(id, format!("{name} is not locked")),
        LockInspection::Held { age } => Check::warn(
            id,
            format!("{name} is locked, by pi or another sidecar, which touched it {} s ago", age.as_secs()),
            "run verify again in a moment; a lock that is left behind is taken over after 30 s",
        ),
        LockInspection::Stale { age } => Check::warn(
            id,
            format!("{lock} was left behind by a process that has ended, {} s ago", age.as_secs()),
            format!(
                "it is taken over when it is needed; to remove it now: rmdir {}",
                in_shell(Path::new(&lock))
            ),
        ),
    }
}
