//! `redeems.json` in the state dir, and the two locks that redeeming holds: the journal of refresh tokens that are about
//! to be sent and the hashes of those that were. It holds no token. What does not parse is set aside and begun anew.

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
}

/// Witness that nobody else on this host refreshes, and that nobody replaces this account's credential. Dropping it lets
/// the next one in; so does the death of the process.
#[derive(Debug)]
pub struct RefreshLane {
    dir: PathBuf,
    lane: LockGuard,
    _credential: LockGuard,
}

/// A reading, and where a file went that did not parse.
#[derive(Debug)]
pub struct LedgerReading {
    pub ledger: RefreshLedger,
    pub set_aside: Option<PathBuf>,
}

impl RefreshJournal {
    pub fn new(dir: PathBuf) -> Self {
        RefreshJournal { dir }
    }

    /// Waits for both locks, each for at most `patience`. Blocks the thread.
    pub fn enter(&self, account: &AccountId, patience: Duration) -> Result<RefreshLane, StorageError> {
        let lane = LockGuard::acquire(&self.dir.join(LANE), patience)?;
        let credential = LockGuard::acquire(&self.dir.join(format!("credential-{account}.lock")), patience)?;
        Ok(RefreshLane { dir: self.dir.clone(), lane, _credential: credential })
    }

    /// What is known while nobody refreshes: an intent without a result was left by a process that died. `Locked` while
    /// somebody does.
    pub fn load_at_rest(&self, now: At) -> Result<LedgerReading, StorageError> {
        let _lane = LockGuard::acquire(&self.dir.join(LANE), Duration::ZERO)?;
        load(&self.dir, now)
    }

    /// What is known now; nothing is set aside.
    pub fn look(&self) -> Result<RefreshLedger, StorageError> {
        read(&self.dir.join(FILE_NAME)).map(Option::unwrap_or_default)
    }

    /// What is known now; intents may be under way. Takes the lane only to set aside what does not parse: `Locked` when
    /// somebody refreshes just then, who may be about to write it anew.
    pub fn load(&self, now: At) -> Result<LedgerReading, StorageError> {
        match self.look() {
            Ok(ledger) => Ok(LedgerReading { ledger, set_aside: None }),
            Err(StorageError::Corrupt { .. }) => self.load_at_rest(now),
            Err(error) => Err(error),
        }
    }
}

impl RefreshLane {
    pub fn load(&self, now: At) -> Result<LedgerReading, StorageError> {
        load(&self.dir, now)
    }

    /// Durable when this returns.
    pub fn save(&self, ledger: &RefreshLedger) -> Result<(), StorageError> {
        let path = self.dir.join(FILE_NAME);
        let bytes = serde_json::to_vec(&LedgerRecord::from(ledger))
            .map_err(|error| StorageError::writing(&path, error.into()))?;
        write_atomically(&path, &bytes, &self.lane).map(drop)
    }
}

fn load(dir: &Path, now: At) -> Result<LedgerReading, StorageError> {
    let path = dir.join(FILE_NAME);
    match read(&path) {
        Ok(ledger) => return Ok(LedgerReading { ledger: ledger.unwrap_or_default(), set_aside: None }),
        Err(StorageError::Corrupt { .. }) => {}
        Err(error) => return Err(error),
    }
    let aside = dir.join(format!("{FILE_NAME}.corrupt-{}", now.millis()));
    fs::rename(&path, &aside).map_err(|error| StorageError::writing(&path, error))?;
    Ok(LedgerReading { ledger: RefreshLedger::default(), set_aside: Some(aside) })
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
    fn what_is_saved_is_read_again_by_the_next_process() {
        let dir = tempfile::tempdir().unwrap();
        let file = RefreshJournal::new(dir.path().join("state"));
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
        let file = RefreshJournal::new(dir.path().to_owned());
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
        let file = RefreshJournal::new(dir.path().to_owned());
        fs::write(dir.path().join(FILE_NAME), r#"{"tokens":{"a":"#).unwrap();
        let reading = file.load(NOW).unwrap();
        assert_eq!(reading.ledger, RefreshLedger::default());
        assert_eq!(reading.set_aside.unwrap(), dir.path().join("redeems.json.corrupt-1800000000000"));
        assert!(file.load(NOW).unwrap().set_aside.is_none());
    }

    /// Whoever refreshes may just have begun it anew, with an intent in it.
    #[test]
    fn what_does_not_parse_is_left_to_whoever_refreshes() {
        let dir = tempfile::tempdir().unwrap();
        let file = RefreshJournal::new(dir.path().to_owned());
        let lane = file.enter(&ada(), Duration::ZERO).unwrap();
        fs::write(dir.path().join(FILE_NAME), "{").unwrap();
        assert!(matches!(file.load(NOW), Err(StorageError::Locked { .. })));
        assert!(lane.load(NOW).unwrap().set_aside.is_some());
    }
}
