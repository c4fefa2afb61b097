//! Finds out whether a file can be replaced, before an action whose result must be stored.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::atomic::{follow_links, set_mode_if_possible, sync_dir, sync_file};
use crate::store::StorageError;

/// Larger than any accounts file.
const PROBE_BYTES: usize = 64 << 10;

/// Replaces the file by a copy of itself, as a write would do: the directory takes a file and has room, and a rename
/// onto the target works. This fails for a file that is mounted or immutable. It does not create a missing file.
///
/// The caller holds the lock against other writers. If a writer without the lock replaces the file meanwhile, its
/// content stays.
///
/// # Errors
///
/// [`StorageError::Unreplaceable`] when the rename fails; otherwise the reason why the directory takes no file.
pub fn rehearse_replacement(path: &Path) -> Result<(), StorageError> {
    let failed = |error| StorageError::writing(path, error);
    let target = follow_links(path).map_err(failed)?;
    let dir = target.parent().unwrap_or(Path::new("/"));
    let mut room = tempfile::Builder::new().prefix(".multicodex-").tempfile_in(dir).map_err(failed)?;
    room.write_all(&[0; PROBE_BYTES]).map_err(failed)?;
    sync_file(room.as_file()).map_err(failed)?;
    drop(room);
    let (before, content) = match fs::metadata(&target).and_then(|found| Ok((found, fs::read(&target)?))) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(StorageError::Unreadable { path: path.to_owned(), source }),
    };
    let content = zeroize::Zeroizing::new(content);
    let mut copy = tempfile::Builder::new().prefix(".multicodex-").tempfile_in(dir).map_err(failed)?;
    copy.write_all(&content).map_err(failed)?;
    set_mode_if_possible(copy.as_file(), before.permissions()).map_err(failed)?;
    sync_file(copy.as_file()).map_err(failed)?;
    if !fs::metadata(&target).is_ok_and(|now| is_same(&before, &now)) {
        // Another program replaced it just now, so it can be replaced.
        return Ok(());
    }
    match copy.persist(&target) {
        Ok(_) => sync_dir(dir).map_err(failed),
        Err(error) => Err(unreplaceable(path, error.error)),
    }
}

fn is_same(a: &Metadata, b: &Metadata) -> bool {
    let stamp = |found: &Metadata| (found.ino(), found.size(), found.mtime(), found.mtime_nsec());
    stamp(a) == stamp(b)
}

/// The directory took a file, so it is the target that cannot be replaced.
pub(crate) fn unreplaceable(path: &Path, source: io::Error) -> StorageError {
    match source.kind() {
        ErrorKind::ResourceBusy | ErrorKind::PermissionDenied | ErrorKind::CrossesDevices => {
            StorageError::Unreplaceable { path: path.to_owned(), source }
        }
        _ => StorageError::writing(path, source),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_folder_that_takes_no_file_is_found_out_and_one_that_does_stays_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.json");
        fs::write(&path, "kept").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        rehearse_replacement(&path).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(fs::read(&path).unwrap(), b"kept");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_ne!(fs::metadata(&path).unwrap().ino(), inode, "it was replaced");
        assert!(rehearse_replacement(&dir.path().join("missing/f.json")).is_err());
        assert!(rehearse_replacement(&path.join("f.json")).is_err());
        rehearse_replacement(&dir.path().join("new.json")).unwrap();
        assert!(!dir.path().join("new.json").exists());
    }

    #[test]
    fn a_link_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (link, target) = (dir.path().join("link.json"), dir.path().join("real.json"));
        fs::write(&target, "kept").unwrap();
        symlink(&target, &link).unwrap();
        rehearse_replacement(&link).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"kept");
    }

    #[test]
    fn a_target_that_cannot_be_replaced_says_so() {
        let check = |kind: ErrorKind, expected: &str| {
            let error = unreplaceable(Path::new("/a/b.json"), kind.into()).to_string();
            assert!(error.contains("/a/b.json") && error.contains(expected), "{error}");
        };
        check(ErrorKind::ResourceBusy, "mount its directory instead of the file");
        check(ErrorKind::PermissionDenied, "mount its directory instead of the file");
        check(ErrorKind::StorageFull, "free some space");
    }
}
