//! `imports.json` in the state directory: which logins of other programs were merged or removed before, as
//! fingerprints, for each file they come from. You may delete it at any time; then a login is merged once more, which
//! changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::pool::{At, SeenLogins};
use crate::store::file::read::read_settled;
use crate::store::{LOCK_DEADLINE, LockGuard, StorageError, write_atomically};

#[derive(Clone, Debug)]
pub struct ImportsFile {
    path: PathBuf,
    lock_file: PathBuf,
    /// The file that the logins come from.
    source: PathBuf,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
struct Record {
    #[serde(default)]
    files: BTreeMap<PathBuf, Seen>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
struct Seen {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    removed: Option<String>,
}

impl ImportsFile {
    pub fn new(state_dir: &Path, source: impl Into<PathBuf>) -> Self {
        ImportsFile {
            path: state_dir.join("imports.json"),
            lock_file: state_dir.join("imports.json.lock"),
            source: source.into(),
        }
    }

    /// A file that does not parse counts as empty.
    pub fn load(&self) -> Result<SeenLogins, StorageError> {
        match self.read() {
            Ok(record) => Ok(self.seen(&record)),
            Err(StorageError::Corrupt { .. }) => Ok(SeenLogins::default()),
            Err(error) => Err(error),
        }
    }

    /// Checks whether the file parses.
    pub fn look(&self) -> Result<(), StorageError> {
        self.read().map(drop)
    }

    /// Locks, reads again, calls `edit`, writes if that changed anything, unlocks. A file that did not parse is kept as
    /// `imports.json.corrupt-<millis of now>`.
    pub fn change<T>(&self, now: At, edit: impl FnOnce(&mut SeenLogins) -> T) -> Result<T, StorageError> {
        let held = LockGuard::acquire(&self.lock_file, LOCK_DEADLINE)?;
        let before = match self.read() {
            Err(error @ StorageError::Corrupt { .. }) => {
                let aside = self.path.with_file_name(format!("imports.json.corrupt-{}", now.millis()));
                fs::rename(&self.path, &aside).map_err(|error| StorageError::writing(&self.path, error))?;
                tracing::warn!(%error, set_aside = %aside.display(), "a new record of imports begins");
                Record::default()
            }
            read => read?,
        };
        let mut seen = self.seen(&before);
        let outcome = edit(&mut seen);
        let mut after = before.clone();
        after.files.insert(self.source.clone(), Seen { last: seen.last, removed: seen.removed });
        after.files.retain(|_, seen| *seen != Seen::default());
        if after != before {
            let json = serde_json::to_vec(&after)
                .map_err(|error| StorageError::writing(&self.path, error.into()))?;
            write_atomically(&self.path, &json, &held)?;
        }
        Ok(outcome)
    }

    fn read(&self) -> Result<Record, StorageError> {
        let parse = |text: &str| {
            serde_json::from_str(text)
                .map_err(|error| StorageError::parsing(&self.path, &error, "the record of imports"))
        };
        read_settled(&self.path, parse).map(Option::unwrap_or_default)
    }

    fn seen(&self, record: &Record) -> SeenLogins {
        let seen = record.files.get(&self.source).cloned().unwrap_or_default();
        SeenLogins { last: seen.last, removed: seen.removed }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn seen(last: Option<&str>, removed: Option<&str>) -> SeenLogins {
        SeenLogins { last: last.map(str::to_owned), removed: removed.map(str::to_owned) }
    }

    #[test]
    fn each_source_has_its_own_record() {
        let dir = tempfile::tempdir().unwrap();
        let [one, two] =
            ["/one/auth.json", "/two/auth.json"].map(|source| ImportsFile::new(dir.path(), source));
        assert_eq!(one.load().unwrap(), SeenLogins::default());
        one.change(At(1), |seen| seen.last = Some("a".into())).unwrap();
        two.change(At(1), |seen| seen.removed = Some("b".into())).unwrap();
        assert_eq!(
            (one.load().unwrap(), two.load().unwrap()),
            (seen(Some("a"), None), seen(None, Some("b")))
        );
        one.change(At(1), |seen| seen.last = None).unwrap();
        assert_eq!((one.load().unwrap(), two.load().unwrap()), (seen(None, None), seen(None, Some("b"))));
    }

    #[test]
    fn nothing_is_written_when_nothing_changes_and_what_does_not_parse_is_kept_aside() {
        let dir = tempfile::tempdir().unwrap();
        let file = ImportsFile::new(dir.path(), "/one/auth.json");
        file.change(At(1), |_| ()).unwrap();
        assert!(!dir.path().join("imports.json").exists());
        fs::write(dir.path().join("imports.json"), "{").unwrap();
        assert_eq!(file.load().unwrap(), SeenLogins::default());
        file.change(At(7), |seen| seen.last = Some("a".into())).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("imports.json.corrupt-7")).unwrap(), "{");
        assert_eq!(file.load().unwrap(), seen(Some("a"), None));
    }
}
