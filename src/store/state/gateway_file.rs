//! `gateway.json` in the state directory: the address of a gateway, and its key. A gateway for a single program, or one
//! that an editor started, has its own file `gateway-PID.json`, which is removed when it ends.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::pool::At;
use crate::secret::Secret;
use crate::store::file::read::read_settled;
use crate::store::{LOCK_DEADLINE, LockGuard, StorageError, write_atomically};

#[derive(Clone, Debug)]
pub struct GatewayFile {
    path: PathBuf,
    state_dir: PathBuf,
    /// The process that contains the gateway, when it is not the permanent one.
    pid: Option<u32>,
}

/// The content of the file. `url`, `pid` and `started_at` are there while a gateway runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayRecord {
    pub url: Option<String>,
    pub pid: Option<u32>,
    pub started_at: Option<At>,
    pub key: Option<Secret>,
}

/// Distinguishes two versions of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GatewayStamp(Option<(u64, u64, i64, i64)>);

impl GatewayFile {
    /// The file of the permanent gateway.
    pub fn permanent(state_dir: &Path) -> Self {
        GatewayFile { path: state_dir.join("gateway.json"), state_dir: state_dir.to_owned(), pid: None }
    }

    /// The file of the gateway within one process.
    pub fn of_process(state_dir: &Path, pid: u32) -> Self {
        let path = state_dir.join(format!("gateway-{pid}.json"));
        GatewayFile { path, state_dir: state_dir.to_owned(), pid: Some(pid) }
    }

    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// The process that the file belongs to; `None` for the permanent gateway.
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the lock that the one permanent gateway of a state directory holds while it serves; `None` when another
    /// process has it. Blocks.
    pub fn claim(&self) -> Result<Option<LockGuard>, StorageError> {
        match LockGuard::acquire(&self.state_dir.join("gateway.lock"), Duration::ZERO) {
            Ok(held) => Ok(Some(held)),
            Err(StorageError::Locked { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the content; `None` without a file. Blocks.
    pub fn read(&self) -> Result<Option<GatewayRecord>, StorageError> {
        read_settled(&self.path, |text| {
            let saved = serde_json::from_str::<Saved<'_>>(text);
            saved
                .map(GatewayRecord::from)
                .map_err(|error| StorageError::parsing(&self.path, &error, "a gateway's record"))
        })
    }

    /// Locks, reads, changes, writes with 0600, unlocks. A file that does not parse counts as empty. Returns what was
    /// written. Blocks.
    pub fn change(&self, change: impl FnOnce(&mut GatewayRecord)) -> Result<GatewayRecord, StorageError> {
        let held = LockGuard::acquire(&self.state_dir.join("gateway.json.lock"), LOCK_DEADLINE)?;
        let mut record = match self.read() {
            Err(StorageError::Corrupt { .. }) => GatewayRecord::default(),
            read => read?.unwrap_or_default(),
        };
        change(&mut record);
        let bytes = Zeroizing::new(
            serde_json::to_vec_pretty(&Saved::from(&record))
                .map_err(|error| StorageError::writing(&self.path, error.into()))?,
        );
        write_atomically(&self.path, &bytes, &held)?;
        Ok(record)
    }

    /// Blocks.
    pub fn remove(&self) -> Result<(), StorageError> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StorageError::writing(&self.path, error))
            }
            _ => Ok(()),
        }
    }

    /// Returns a value that changes with the file.
    pub fn stamp(&self) -> GatewayStamp {
        let found = fs::metadata(&self.path).ok();
        GatewayStamp(found.map(|found| (found.ino(), found.size(), found.mtime(), found.mtime_nsec())))
    }

    /// Removes the files of processes that have ended without removing them. Blocks.
    pub fn remove_left_behind(state_dir: &Path) {
        let Ok(entries) = fs::read_dir(state_dir) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let pid = name
                .to_str()
                .and_then(|name| name.strip_prefix("gateway-")?.strip_suffix(".json"))
                .and_then(|pid| Pid::from_raw(pid.parse().ok()?));
            if pid.is_some_and(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH)) {
                // Another process may be removing it as well.
                fs::remove_file(entry.path()).ok();
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Saved<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Cow<'a, str>>,
}

impl From<Saved<'_>> for GatewayRecord {
    fn from(saved: Saved<'_>) -> Self {
        GatewayRecord {
            url: saved.url,
            pid: saved.pid,
            started_at: saved.started_at.map(At),
            key: saved.key.filter(|key| !key.is_empty()).map(Secret::new),
        }
    }
}

impl<'a> From<&'a GatewayRecord> for Saved<'a> {
    fn from(record: &'a GatewayRecord) -> Self {
        Saved {
            url: record.url.clone(),
            pid: record.pid,
            started_at: record.started_at.map(At::millis),
            key: record.key.as_ref().map(|key| key.expose().into()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_outlives_its_gateway_and_is_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let file = GatewayFile::permanent(dir.path());
        assert_eq!(file.read().unwrap(), None);
        let before = file.stamp();
        let running = GatewayRecord {
            url: Some("http://127.0.0.1:1".into()),
            pid: Some(7),
            started_at: Some(At(5)),
            key: Some(Secret::new("k")),
        };
        file.change(|record| *record = running.clone()).unwrap();
        assert_ne!(file.stamp(), before);
        assert_eq!(file.read().unwrap(), Some(running));
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        let kept = file
            .change(|record| *record = GatewayRecord { key: record.key.take(), ..GatewayRecord::default() })
            .unwrap();
        assert_eq!(kept.key, Some(Secret::new("k")));
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "{\n  \"key\": \"k\"\n}");
        fs::write(file.path(), "{").unwrap();
        assert_eq!(file.change(|_| {}).unwrap(), GatewayRecord::default());
    }

    #[test]
    fn one_gateway_at_a_time_claims_a_state_dir() {
        let dir = tempfile::tempdir().unwrap();
        let file = GatewayFile::permanent(dir.path());
        let held = file.claim().unwrap();
        assert!(held.is_some());
        assert!(file.claim().unwrap().is_none());
        drop(held);
        assert!(file.claim().unwrap().is_some());
    }

    #[test]
    fn only_files_of_processes_that_are_gone_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let own = GatewayFile::of_process(dir.path(), std::process::id());
        // No process has an id beyond the kernel's largest.
        let gone = GatewayFile::of_process(dir.path(), 0x3fff_ffff);
        let names = [own.path().to_owned(), gone.path().to_owned(), dir.path().join("gateway-x.json")];
        for path in &names {
            fs::write(path, "{}").unwrap();
        }
        GatewayFile::remove_left_behind(dir.path());
        let left: Vec<bool> = names.iter().map(|path| path.exists()).collect();
        assert_eq!(left, [true, false, true]);
        gone.remove().unwrap();
    }
}
