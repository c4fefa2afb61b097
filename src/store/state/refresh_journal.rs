//! `redeems.json` and the two locks of a refresh: the journal of refresh tokens that are about to be sent, and the
//! hashes of those that were sent. It holds no token. A file that does not parse is moved aside, and a new one begins.
//!
//! They are in `.multicodex` beside the accounts file, so that they also exclude sidecars with other state directories,
//! e.g. in containers. Earlier versions kept them in the state directory: that content is taken over once. The files
//! keep their old names.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::refresh_record::LedgerRecord;
use crate::pool::{AccountId, At, RefreshLedger};
use crate::store::file::read::read_regular;
use crate::store::{LockGuard, StorageError, write_atomically};

const FILE_NAME: &str = "redeems.json";
const LANE: &str = "redeem.lock";

#[derive(Clone, Debug)]
pub struct RefreshJournal {
    dir: PathBuf,
    /// Where earlier versions kept the file.
    former: PathBuf,
}

/// Proof that no other process on this host refreshes, and that none replaces this account's credential. Dropping it,
/// or the death of the process, frees both locks.
#[derive(Debug)]
pub struct RefreshLane {
    journal: RefreshJournal,
    lane: LockGuard,
    _credential: LockGuard,
}

/// A reading, and where a file was moved that did not parse.
#[derive(Debug)]
pub struct LedgerReading {
    pub ledger: RefreshLedger,
    pub set_aside: Option<PathBuf>,
}

impl RefreshJournal {
    /// `former_dir` is where earlier versions kept the file.
    pub fn new(dir: PathBuf, former_dir: &Path) -> Self {
        RefreshJournal { dir, former: former_dir.join(FILE_NAME) }
    }

    /// Waits for both locks, each for at most `patience`. Blocks the thread.
    pub fn enter(&self, account: &AccountId, patience: Duration) -> Result<RefreshLane, StorageError> {
        let lane = LockGuard::acquire(&self.dir.join(LANE), patience)?;
        let credential = LockGuard::acquire(&self.dir.join(format!("credential-{account}.lock")), patience)?;
        Ok(RefreshLane { journal: self.clone(), lane, _credential: credential })
    }

    /// Reads the ledger while no process refreshes: an intent without a result then comes from a process that died.
    /// Returns `Locked` while a process refreshes.
    pub fn load_at_rest(&self, now: At) -> Result<LedgerReading, StorageError> {
        let _lane = LockGuard::acquire(&self.dir.join(LANE), Duration::ZERO)?;
        self.load_under_lane(now)
    }

    /// Reads the ledger; moves nothing aside.
    pub fn look(&self) -> Result<RefreshLedger, StorageError> {
        let mut ledger = read(&self.path())?.unwrap_or_default();
        if let Some(former) = read(&self.former)? {
            ledger.join(former);
        }
        Ok(ledger)
    }

    fn path(&self) -> PathBuf {
        self.dir.join(FILE_NAME)
    }

    /// Reads the ledger; it may hold intents of refreshes in progress. Takes the lane only to move a damaged file
    /// aside. Returns `Locked` when a process refreshes just then and may write the file again.
    pub fn load(&self, now: At) -> Result<LedgerReading, StorageError> {
        match self.look() {
            Ok(ledger) => Ok(LedgerReading { ledger, set_aside: None }),
            Err(StorageError::Corrupt { .. }) => self.load_at_rest(now),
            Err(error) => Err(error),
        }
    }

    fn load_under_lane(&self, now: At) -> Result<LedgerReading, StorageError> {
        let mut reading = LedgerReading { ledger: RefreshLedger::default(), set_aside: None };
        for path in [self.path(), self.former.clone()] {
            match read(&path) {
                Ok(Some(ledger)) => reading.ledger.join(ledger),
                Ok(None) => {}
                Err(StorageError::Corrupt { .. }) => {
                    let mut aside = path.clone().into_os_string();
                    aside.push(format!(".corrupt-{}", now.millis()));
                    let aside = PathBuf::from(aside);
                    fs::rename(&path, &aside).map_err(|error| StorageError::writing(&path, error))?;
                    reading.set_aside = Some(aside);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(reading)
    }
}

impl RefreshLane {
    pub fn load(&self, now: At) -> Result<LedgerReading, StorageError> {
        self.journal.load_under_lane(now)
    }

    /// Durable when this returns.
    pub fn save(&self, ledger: &RefreshLedger) -> Result<(), StorageError> {
        let path = self.journal.path();
        let bytes = serde_json::to_vec(&LedgerRecord::from(ledger))
            .map_err(|error| StorageError::writing(&path, error.into()))?;
        write_atomically(&path, &bytes, &self.lane)?;
        // The loaded ledger includes the former file. If that file stays, it is merged again, which changes nothing.
        fs::remove_file(&self.journal.former).ok();
        Ok(())
    }
}

fn read(path: &Path) -> Result<Option<RefreshLedger>, StorageError> {
    let bytes = match read_regular(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StorageError::Unreadable { path: path.to_owned(), source }),
    };
    let record = serde_json::from_slice::<LedgerRecord>(&bytes)
        .map_err(|error| StorageError::parsing(path, &error, "the refresh journal of multicodex"))?;
    Ok(Some(record.into()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::pool::{FailureKind, RefreshOutcome, RefreshTokenStatus, Refusal, TokenHash};

    const NOW: At = At(1_800_000_000_000);

    fn ada() -> AccountId {
        AccountId::new("acc_ada")
    }

    #[test]
    fn what_an_earlier_version_kept_elsewhere_is_taken_over_once() {
        let dir = tempfile::tempdir().unwrap();
        let hash = |name: &str| TokenHash(name.to_owned());
        let former = dir.path().join("former");
        let earlier = RefreshJournal::new(former.clone(), &dir.path().join("none"));
        let mut ledger = RefreshLedger::default();
        ledger.intend(&ada(), &hash("a"), NOW);
        ledger.settle(&ada(), &hash("a"), &RefreshOutcome::Replaced, NOW);
        earlier.enter(&ada(), Duration::ZERO).unwrap().save(&ledger).unwrap();

        let journal = RefreshJournal::new(dir.path().join("agent/.multicodex"), &former);
        assert!(journal.look().unwrap().is_consumed(&hash("a")), "known before anything is written");
        let lane = journal.enter(&ada(), Duration::ZERO).unwrap();
        let mut ledger = lane.load(NOW).unwrap().ledger;
        ledger.intend(&ada(), &hash("b"), NOW);
        lane.save(&ledger).unwrap();
        assert!(!former.join(FILE_NAME).exists());
        let known = journal.look().unwrap();
        assert!(known.is_consumed(&hash("a")) && known.unknown_since(&hash("b")).is_some());
        // Another state directory joins later.
        earlier.enter(&ada(), Duration::ZERO).unwrap().save(&ledger).unwrap();
        assert_eq!(lane.load(NOW).unwrap().ledger, ledger);
    }

    #[test]
    fn what_is_saved_is_read_again_by_the_next_process() {
        let dir = tempfile::tempdir().unwrap();
        let file = RefreshJournal::new(dir.path().join("state"), &dir.path().join("former"));
        let mut ledger = RefreshLedger::default();
        let hash = |name: &str| TokenHash(name.to_owned());
        let refusal = |code: &str| Refusal {
            kind: FailureKind::Deactivated,
            status: Some(403),
            code: Some(code.to_owned()),
        };
        let not_now = RefreshOutcome::NotNow { message: "HTTP 500".into(), retry_after: None };
        ledger.settle(&ada(), &hash("a"), &RefreshOutcome::Replaced, NOW);
        ledger.settle(&ada(), &hash("b"), &RefreshOutcome::Refused(refusal("account_deactivated")), NOW);
        for name in ["c", "d", "e"] {
            let invalidated = RefreshOutcome::Refused(refusal("refresh_token_invalidated"));
            ledger.settle(&ada(), &hash(name), &invalidated, NOW);
        }
        ledger.settle(&ada(), &hash("f"), &RefreshOutcome::Refused(refusal("token_invalidated")), NOW);
        ledger.settle(&ada(), &hash("g"), &not_now, NOW);
        ledger.intend(&ada(), &hash("h"), NOW);
        ledger.intend(&ada(), &hash("h"), NOW);
        assert_eq!(ledger.tokens[&hash("h")].fate, RefreshTokenStatus::Sent { again: true });

        let lane = file.enter(&ada(), Duration::ZERO).unwrap();
        lane.save(&ledger).unwrap();
        drop(lane);
        assert_eq!(file.load(NOW).unwrap().ledger, ledger);
        assert_eq!(file.load_at_rest(NOW).unwrap().ledger, ledger);
        let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
        let names = ["state", "state/redeems.json", "state/redeem.lock", "state/credential-acc_ada.lock"];
        assert_eq!(names.map(mode), [0o700, 0o600, 0o600, 0o600]);
    }

    #[test]
    fn one_refresh_at_a_time_on_a_host() {
        let dir = tempfile::tempdir().unwrap();
        let file = RefreshJournal::new(dir.path().to_owned(), &dir.path().join("former"));
        let lane = file.enter(&ada(), Duration::ZERO).unwrap();
        let bob = AccountId::new("acc_bob");
        assert!(matches!(file.enter(&bob, Duration::ZERO), Err(StorageError::Locked { .. })));
        assert!(matches!(file.load_at_rest(NOW), Err(StorageError::Locked { .. })));
        drop(lane);
        assert!(file.enter(&bob, Duration::ZERO).is_ok());
    }

    #[test]
    fn what_does_not_parse_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let file = RefreshJournal::new(dir.path().to_owned(), &dir.path().join("former"));
        fs::write(dir.path().join(FILE_NAME), r#"{"tokens":{"a":"#).unwrap();
        let reading = file.load(NOW).unwrap();
        assert_eq!(reading.ledger, RefreshLedger::default());
        assert_eq!(reading.set_aside.unwrap(), dir.path().join("redeems.json.corrupt-1800000000000"));
        assert!(file.load(NOW).unwrap().set_aside.is_none());
    }

    /// The process that refreshes may just have begun a new file with an intent in it.
    #[test]
    fn what_does_not_parse_is_left_to_whoever_refreshes() {
        let dir = tempfile::tempdir().unwrap();
        let file = RefreshJournal::new(dir.path().to_owned(), &dir.path().join("former"));
        let lane = file.enter(&ada(), Duration::ZERO).unwrap();
        fs::write(dir.path().join(FILE_NAME), "{").unwrap();
        assert!(matches!(file.load(NOW), Err(StorageError::Locked { .. })));
        assert!(lane.load(NOW).unwrap().set_aside.is_some());
    }
}
