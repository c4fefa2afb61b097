//! `reset-credits.json` beside the accounts file, and the lock of a process that redeems a credit: a decision is on
//! disk before it is sent. It holds no secret. A file that does not parse is moved aside, and a new one begins.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::pool::{AccountId, At, DecidedBy, RedeemAnswer, RedeemOutcome, Redemption, ResetLedger, Window};
use crate::store::file::read::read_regular;
use crate::store::{LockGuard, StorageError, write_atomically};

#[derive(Clone, Debug)]
pub struct ResetJournal {
    path: PathBuf,
    lane: PathBuf,
}

/// Proof that no other process that shares the journal redeems a credit. Dropping it, or the death of the process,
/// frees the lock.
#[derive(Debug)]
pub struct ResetLane {
    journal: ResetJournal,
    lane: LockGuard,
}

impl ResetJournal {
    pub fn new(dir: &Path) -> Self {
        ResetJournal { path: dir.join("reset-credits.json"), lane: dir.join("reset-credits.lock") }
    }

    /// Waits for the lock for at most `patience`. Blocks the thread.
    pub fn enter(&self, patience: Duration) -> Result<ResetLane, StorageError> {
        Ok(ResetLane { journal: self.clone(), lane: LockGuard::acquire(&self.lane, patience)? })
    }

    /// Reads the ledger; a process may be redeeming.
    pub fn look(&self) -> Result<ResetLedger, StorageError> {
        let bytes = match read_regular(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ResetLedger::default()),
            Err(source) => return Err(StorageError::Unreadable { path: self.path.clone(), source }),
        };
        let record = serde_json::from_slice::<LedgerRecord>(&bytes)
            .map_err(|error| StorageError::parsing(&self.path, &error, "the reset journal of multicodex"))?;
        Ok(ResetLedger { redemptions: record.redemptions.into_iter().map(Redemption::from).collect() })
    }
}

impl ResetLane {
    pub fn load(&self, now: At) -> Result<ResetLedger, StorageError> {
        match self.journal.look() {
            Err(StorageError::Corrupt { .. }) => {
                let path = &self.journal.path;
                let mut aside = path.clone().into_os_string();
                aside.push(format!(".corrupt-{}", now.millis()));
                fs::rename(path, &aside).map_err(|error| StorageError::writing(path, error))?;
                tracing::error!(path = %path.display(), "the journal of reset credits does not parse; set aside");
                Ok(ResetLedger::default())
            }
            read => read,
        }
    }

    /// Durable when this returns.
    pub fn save(&self, ledger: &ResetLedger) -> Result<(), StorageError> {
        let path = &self.journal.path;
        let redemptions = ledger.redemptions.iter().map(RedemptionRecord::from).collect();
        let bytes = serde_json::to_vec(&LedgerRecord { redemptions })
            .map_err(|error| StorageError::writing(path, error.into()))?;
        write_atomically(path, &bytes, &self.lane).map(drop)
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LedgerRecord {
    redemptions: Vec<RedemptionRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedemptionRecord {
    request_id: String,
    account: String,
    credit_id: String,
    /// `person` or `when-dry`.
    decided_by: String,
    decided_at: i64,
    #[serde(default)]
    before: Vec<WindowRecord>,
    /// One of upstream's codes, `refused` or `abandoned`; absent while it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    helped: Option<bool>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WindowRecord {
    minutes: u32,
    used_percent: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resets_at: Option<i64>,
}

impl From<&Redemption> for RedemptionRecord {
    fn from(redemption: &Redemption) -> Self {
        let before = redemption.before.iter().filter(|window| window.used_percent.is_finite());
        RedemptionRecord {
            request_id: redemption.request_id.clone(),
            account: redemption.account.to_string(),
            credit_id: redemption.credit_id.clone(),
            decided_by: match redemption.decided_by {
                DecidedBy::Person => "person".to_owned(),
                DecidedBy::WhenDry => "when-dry".to_owned(),
            },
            decided_at: redemption.decided_at.millis(),
            before: before
                .map(|window| WindowRecord {
                    minutes: window.window_minutes,
                    used_percent: window.used_percent,
                    resets_at: window.resets_at.map(At::millis),
                })
                .collect(),
            outcome: redemption.outcome.map(|outcome| match outcome {
                RedeemOutcome::Answered(answer) => answer.name().to_owned(),
                RedeemOutcome::Refused => "refused".to_owned(),
                RedeemOutcome::Abandoned => "abandoned".to_owned(),
            }),
            helped: redemption.helped,
        }
    }
}

impl From<RedemptionRecord> for Redemption {
    fn from(record: RedemptionRecord) -> Self {
        let window = |window: WindowRecord| Window {
            window_minutes: window.minutes,
            used_percent: window.used_percent,
            resets_at: window.resets_at.map(At),
        };
        // An outcome that only a later version knows is an outcome, so it is not requested again.
        let outcome = |name: String| match name.as_str() {
            "refused" => RedeemOutcome::Refused,
            "abandoned" => RedeemOutcome::Abandoned,
            answer => RedeemAnswer::from_name(answer).map_or(RedeemOutcome::Refused, RedeemOutcome::Answered),
        };
        Redemption {
            request_id: record.request_id,
            account: AccountId::new(record.account),
            credit_id: record.credit_id,
            decided_by: if record.decided_by == "person" { DecidedBy::Person } else { DecidedBy::WhenDry },
            decided_at: At(record.decided_at),
            before: record.before.into_iter().map(window).collect(),
            outcome: record.outcome.map(outcome),
            helped: record.helped,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use strum::VariantArray;

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOW: At = At(1_800_000_000_000);

    fn redemption(request: &str, outcome: Option<RedeemOutcome>) -> Redemption {
        Redemption {
            request_id: request.into(),
            account: AccountId::new("acc_ada"),
            credit_id: "c1".into(),
            decided_by: DecidedBy::WhenDry,
            decided_at: NOW,
            before: vec![Window { window_minutes: 10_080, used_percent: 100.0, resets_at: Some(At(5)) }],
            outcome,
            helped: outcome.map(|_| true),
        }
    }

    #[test]
    fn what_is_saved_is_read_by_the_next_process() {
        let dir = tempfile::tempdir().unwrap();
        let journal = ResetJournal::new(&dir.path().join("guard"));
        assert_eq!(journal.look().unwrap(), ResetLedger::default());
        let answers = RedeemAnswer::VARIANTS.iter().copied().map(RedeemOutcome::Answered);
        let outcomes = answers.into_iter().chain([RedeemOutcome::Refused, RedeemOutcome::Abandoned]);
        let mut ledger = ResetLedger::default();
        ledger.decide(Redemption { decided_by: DecidedBy::Person, ..redemption("open", None) });
        for (index, outcome) in outcomes.enumerate() {
            ledger.decide(redemption(&index.to_string(), Some(outcome)));
        }
        let lane = journal.enter(Duration::ZERO).unwrap();
        lane.save(&ledger).unwrap();
        assert_eq!(lane.load(NOW).unwrap(), ledger);
        assert_eq!(journal.look().unwrap(), ledger);
        let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            ["guard", "guard/reset-credits.json", "guard/reset-credits.lock"].map(mode),
            [0o700, 0o600, 0o600]
        );
    }

    #[test]
    fn one_redemption_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let journal = ResetJournal::new(dir.path());
        let lane = journal.enter(Duration::ZERO).unwrap();
        assert!(matches!(journal.enter(Duration::ZERO), Err(StorageError::Locked { .. })));
        drop(lane);
        assert!(journal.enter(Duration::ZERO).is_ok());
    }

    #[test]
    fn what_does_not_parse_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let journal = ResetJournal::new(dir.path());
        fs::write(dir.path().join("reset-credits.json"), r#"{"redemptions":[{"#).unwrap();
        assert!(matches!(journal.look(), Err(StorageError::Corrupt { .. })));
        let lane = journal.enter(Duration::ZERO).unwrap();
        assert_eq!(lane.load(NOW).unwrap(), ResetLedger::default());
        assert!(dir.path().join("reset-credits.json.corrupt-1800000000000").exists());
    }
}
