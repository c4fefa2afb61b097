//! `usage-asks.json` in the state directory: when usage was last read, so that all sidecars of the user together read
//! it as often as one would. It has no value after an hour, so a file that does not parse is replaced.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::pool::{AccountId, At, FailureKind, PollLog, PollRecord};
use crate::store::{LOCK_DEADLINE, LockGuard, StorageError, write_atomically};

#[derive(Clone, Debug)]
pub struct PollLogFile {
    path: PathBuf,
    lock_file: PathBuf,
}

impl PollLogFile {
    pub fn new(state_dir: &Path) -> Self {
        PollLogFile {
            path: state_dir.join("usage-asks.json"),
            lock_file: state_dir.join("usage-asks.json.lock"),
        }
    }

    /// Locks, reads, changes, writes if that changed anything, unlocks. Returns the content of the file. Blocks.
    pub fn change<T>(&self, change: impl FnOnce(&mut PollLog) -> T) -> Result<(T, PollLog), StorageError> {
        let held = LockGuard::acquire(&self.lock_file, LOCK_DEADLINE)?;
        let before = self.read()?;
        let mut asks = before.clone();
        let outcome = change(&mut asks);
        if asks != before {
            let records: BTreeMap<String, AskRecord> =
                asks.0.iter().map(|(id, ask)| (id.to_string(), ask.into())).collect();
            let bytes = serde_json::to_vec(&records)
                .map_err(|error| StorageError::writing(&self.path, error.into()))?;
            write_atomically(&self.path, &bytes, &held)?;
        }
        Ok((outcome, asks))
    }

    fn read(&self) -> Result<PollLog, StorageError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(PollLog::default()),
            Err(source) => return Err(StorageError::Unreadable { path: self.path.clone(), source }),
        };
        let records: BTreeMap<String, AskRecord> = serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::warn!(%error, path = %self.path.display(), "begun anew");
            BTreeMap::new()
        });
        Ok(PollLog(records.into_iter().map(|(id, ask)| (AccountId::new(id), ask.into())).collect()))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AskRecord {
    at: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    open: bool,
    #[serde(default)]
    failures: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rest_until: Option<i64>,
}

impl From<&PollRecord> for AskRecord {
    fn from(ask: &PollRecord) -> Self {
        AskRecord {
            at: ask.at.millis(),
            open: ask.open,
            failures: ask.failures,
            failure: ask.failure.map(|kind| kind.name().to_owned()),
            rest_until: ask.rest_until.map(At::millis),
        }
    }
}

impl From<AskRecord> for PollRecord {
    fn from(record: AskRecord) -> Self {
        PollRecord {
            at: At(record.at),
            open: record.open,
            failures: record.failures,
            failure: record.failure.as_deref().and_then(FailureKind::from_name),
            rest_until: record.rest_until.map(At),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::pool::{Failure, PollSchedule, STALE_AFTER, Source};

    const NOW: At = At(1_800_000_000_000);

    #[test]
    fn what_one_sidecar_asked_the_next_one_knows() {
        let dir = tempfile::tempdir().unwrap();
        let [one, other] = [(); 2].map(|()| PollLogFile::new(&dir.path().join("state")));
        let [ada, bob] = ["acc_ada", "acc_bob"].map(AccountId::new);
        let failure = Failure::new(FailureKind::Network, Source::Transport, "no route");
        let ((), asks) = one
            .change(|asks| {
                asks.ask(&ada, NOW);
                asks.ask(&bob, NOW);
                asks.answered(&bob, Err(&failure), PollSchedule::every(STALE_AFTER), NOW);
            })
            .unwrap();
        assert_eq!(other.change(|_| ()).unwrap().1, asks);
        assert!(asks.0[&ada].open && asks.0[&bob].rest_until.is_some());
    }

    #[test]
    fn what_does_not_parse_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let file = PollLogFile::new(dir.path());
        fs::write(dir.path().join("usage-asks.json"), "{\"acc_ada\":").unwrap();
        assert_eq!(file.change(|_| ()).unwrap().1, PollLog::default());
        file.change(|asks| asks.ask(&AccountId::new("acc_ada"), NOW)).unwrap();
        assert_eq!(file.change(|_| ()).unwrap().1.0.len(), 1);
    }
}
