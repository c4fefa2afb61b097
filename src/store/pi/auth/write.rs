//! Writes a new credential into pi's `auth.json`, under pi's own lock. Other entries and unknown members keep their
//! bytes, and the file keeps its mode.
//!
//! pi writes in place, so its readers may see half a file. Here the file is replaced by a rename: a reader sees the old
//! content or the new one. pi compares inode, size and times before each request, so it notices a replaced file, too.

use super::{AuthFile, ENTRY};
use crate::pool::Credential;
use crate::store::file::atomic::replace_under_lock;
use crate::store::file::read::read_text;
use crate::store::pi::members::{Members, WithMember};
use crate::store::{LockDirectory, StorageError};

impl AuthFile {
    /// Replaces the tokens of the entry; `held` is pi's lock on this file. A missing file or entry is not created: pi
    /// was logged out, and only pi changes that.
    ///
    /// # Errors
    ///
    /// [`StorageError::Locked`] when another process took the lock: nothing was written, and the file has to be read
    /// again.
    pub fn set_credential(&self, credential: &Credential, held: &LockDirectory) -> Result<(), StorageError> {
        let Some(text) = read_text(&self.path)? else { return Ok(()) };
        let corrupt = |error: serde_json::Error| StorageError::parsing(&self.path, &error, "an object");
        let file: Members = serde_json::from_str(&text).map_err(corrupt)?;
        let Some(content) = with_credential(&file, credential) else { return Ok(()) };
        let content = zeroize::Zeroizing::new(content.map_err(corrupt)?);
        replace_under_lock(&self.path, &content, held)
    }
}

/// Returns the file's new content; `None` when it has no such entry.
pub(crate) fn with_credential(
    file: &Members,
    credential: &Credential,
) -> Option<serde_json::Result<Vec<u8>>> {
    let mut entry: Members = match serde_json::from_str(file.raw(ENTRY)?.get()) {
        Ok(entry) => entry,
        Err(error) => return Some(Err(error)),
    };
    entry.set("access", credential.access.expose());
    entry.set("refresh", credential.refresh.expose());
    entry.set("expires", credential.expires_at.millis());
    Some(serde_json::to_vec_pretty(&WithMember { object: file, name: ENTRY, value: &entry }))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::pool::At;
    use crate::secret::Secret;

    fn credential() -> Credential {
        Credential {
            access: Secret::new("access-2"),
            refresh: Secret::new("refresh-2"),
            expires_at: At(1_800_000_000_000),
        }
    }

    fn after(path: &Path) -> String {
        let held = LockDirectory::acquire(path, Duration::ZERO).unwrap();
        AuthFile::new(path).set_credential(&credential(), &held).unwrap();
        fs::read_to_string(path).unwrap_or_default()
    }

    #[test]
    fn only_the_tokens_change() {
        let before = r#"{
  "anthropic": {
    "type": "api_key",
    "key": "k\u00fc",
    "n": 1.50
  },
  "openai-codex": {
    "type": "oauth",
    "access": "access-1",
    "refresh": "refresh-1",
    "expires": 1700000000000,
    "accountId": "w-1",
    "new": [1, {"a": 2.0}]
  },
  "last": null
}"#;
        let expected = before.replace("access-1", "access-2").replace("refresh-1", "refresh-2");
        let expected = expected.replace("1700000000000", "1800000000000");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("auth.json");
        for bom in ["", "\u{feff}"] {
            fs::write(&path, format!("{bom}{before}")).unwrap();
            assert_eq!(after(&path), expected);
            assert_eq!(AuthFile::new(&path).read().unwrap().unwrap().credential(), credential());
        }
    }

    #[test]
    fn the_mode_stays_and_a_link_stays_a_link() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (link, target) = (dir.path().join("auth.json"), elsewhere.path().join("real.json"));
        fs::write(&target, r#"{"openai-codex":{}}"#).unwrap();
        symlink(&target, &link).unwrap();
        for mode in [0o600, 0o640] {
            fs::set_permissions(&target, Permissions::from_mode(mode)).unwrap();
            assert!(after(&link).contains("access-2"));
            assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o7777, mode);
            assert_eq!(fs::read_link(&link).unwrap(), target);
        }
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_login_that_is_gone_is_not_made_anew_and_what_does_not_parse_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("auth.json");
        assert_eq!(after(&path), "");
        assert!(!path.exists());
        fs::write(&path, r#"{"anthropic":{}}"#).unwrap();
        assert_eq!(after(&path), r#"{"anthropic":{}}"#);
        for content in ["", r#"{"openai-codex":{"type":"#, "[]", r#"{"openai-codex":7}"#] {
            fs::write(&path, content).unwrap();
            let held = LockDirectory::acquire(&path, Duration::ZERO).unwrap();
            let refused = AuthFile::new(&path).set_credential(&credential(), &held).unwrap_err();
            assert!(matches!(refused, StorageError::Corrupt { .. }), "{content}: {refused}");
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn without_the_lock_nothing_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("auth.json");
        fs::write(&path, r#"{"openai-codex":{}}"#).unwrap();
        let held = LockDirectory::acquire(&path, Duration::ZERO).unwrap();
        fs::remove_dir(fs::canonicalize(dir.path()).unwrap().join("auth.json.lock")).unwrap();
        let refused = AuthFile::new(&path).set_credential(&credential(), &held).unwrap_err();
        assert!(matches!(refused, StorageError::Locked { .. }), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), r#"{"openai-codex":{}}"#);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
