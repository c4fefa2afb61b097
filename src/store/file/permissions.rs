//! Finds out who besides the owner may read our files, and narrows the permissions. Files are 0600, directories 0700.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::store::StorageError;

/// Always `Private` on platforms without modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PermissionFinding {
    Missing,
    Private,
    /// Other users have rights: the nine mode bits, e.g. 0o644.
    Wide {
        mode: u32,
    },
}

/// Follows links, because the file with the content counts.
pub fn examine(path: &Path) -> Result<PermissionFinding, StorageError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(finding(&metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(PermissionFinding::Missing),
        Err(source) => Err(StorageError::Unreadable { path: path.to_owned(), source }),
    }
}

/// Removes all rights of other users. Returns what it found before.
pub fn narrow(path: &Path) -> Result<PermissionFinding, StorageError> {
    let found = examine(path)?;
    if let PermissionFinding::Wide { mode } = found {
        match set_mode(path, mode & 0o700) {
            // Without modes nothing is private, and nothing can be done about it here.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                tracing::debug!(path = %path.display(), %error, "rights cannot be narrowed here");
            }
            set => set.map_err(|error| StorageError::writing(path, error))?,
        }
    }
    Ok(found)
}

/// Opens a log for appending, readable only by its owner.
pub fn open_log(path: &Path) -> Result<File, StorageError> {
    let failed = |error| StorageError::writing(path, error);
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(failed)?;
    // A device, like /dev/null, is for everybody.
    if file.metadata().map_err(failed)?.is_file() {
        narrow(path)?;
    }
    Ok(file)
}

/// Creates a directory of ours, and its missing ancestors, with 0700. Leaves an existing one as it is.
pub fn make_private_dir(dir: &Path) -> Result<(), StorageError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| StorageError::writing(dir, error))
}

fn finding(metadata: &fs::Metadata) -> PermissionFinding {
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { PermissionFinding::Private } else { PermissionFinding::Wide { mode } }
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::store::testing::make_pipe;

    #[test]
    fn rights_of_others_are_found_and_taken() {
        fn check(mode: u32, expected: PermissionFinding, after: u32) {
            use std::os::unix::fs::PermissionsExt;
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("f");
            fs::write(&path, "x").unwrap();
            set_mode(&path, mode).unwrap();
            assert_eq!(narrow(&path).unwrap(), expected, "{mode:o}");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, after, "{mode:o}");
        }
        check(0o600, PermissionFinding::Private, 0o600);
        check(0o644, PermissionFinding::Wide { mode: 0o644 }, 0o600);
        check(0o660, PermissionFinding::Wide { mode: 0o660 }, 0o600);
        check(0o755, PermissionFinding::Wide { mode: 0o755 }, 0o700);
    }

    #[test]
    fn a_log_is_for_its_owner_only_and_what_is_no_file_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, "x").unwrap();
        set_mode(&path, 0o644).unwrap();
        open_log(&path).unwrap();
        assert_eq!(examine(&path).unwrap(), PermissionFinding::Private);
        let pipe = dir.path().join("pipe");
        make_pipe(&pipe);
        set_mode(&pipe, 0o666).unwrap();
        let _reader = OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
        open_log(&pipe).unwrap();
        assert_eq!(examine(&pipe).unwrap(), PermissionFinding::Wide { mode: 0o666 });
    }

    #[test]
    fn a_made_directory_is_ours_alone_and_an_existing_one_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let made = dir.path().join("a/b");
        make_private_dir(&made).unwrap();
        assert_eq!(examine(&made).unwrap(), PermissionFinding::Private);
        assert_eq!(examine(&dir.path().join("a")).unwrap(), PermissionFinding::Private);
        set_mode(&made, 0o755).unwrap();
        make_private_dir(&made).unwrap();
        assert_eq!(examine(&made).unwrap(), PermissionFinding::Wide { mode: 0o755 });
        assert_eq!(examine(&dir.path().join("c")).unwrap(), PermissionFinding::Missing);
    }
}
