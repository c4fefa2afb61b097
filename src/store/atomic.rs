//! Replacing a file as a whole: a reader sees the old content or the new, whatever happens in between.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::StorageError;
use super::lock::LockGuard;

/// Writes `bytes` in place of the file: a new file beside it with mode 0600, synced, then renamed over it. A symbolic
/// link is followed and stays a link. The guard is the witness that no other sidecar writes at the same time.
pub fn replace(path: &Path, bytes: &[u8], _held: &LockGuard) -> Result<(), StorageError> {
    let target = target(path);
    let dir = target.parent().unwrap_or(Path::new("/"));
    let failed = |error| StorageError::io(&target)(error);
    let mut file = tempfile::Builder::new().prefix(".multicodex-").tempfile_in(dir).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(&target).map_err(|error| failed(error.error))?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)
}

/// Makes the folder, with mode 0700, when it is missing.
pub fn make_private_dir(path: &Path) -> Result<(), StorageError> {
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(StorageError::io(path)(error)),
    }
}

/// Narrows the permissions of a file that others may read or write, and says what they were.
pub fn narrow(path: &Path) -> Result<Option<u32>, StorageError> {
    let mode = match fs::metadata(path) {
        Ok(found) => found.permissions().mode() & 0o777,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StorageError::io(path)(error)),
    };
    if mode & 0o077 == 0 {
        return Ok(None);
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o700)).map_err(StorageError::io(path))?;
    Ok(Some(mode))
}

/// Opens a log file to append to, readable for its owner only.
pub fn open_log(path: &Path) -> Result<File, StorageError> {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(StorageError::io(path))?;
    file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(StorageError::io(path))?;
    Ok(file)
}

/// What a link points to in the end, also when that does not exist yet.
pub(super) fn target(path: &Path) -> PathBuf {
    if let Ok(target) = fs::canonicalize(path) {
        return target;
    }
    match fs::read_link(path) {
        Ok(link) => path.parent().unwrap_or(Path::new("/")).join(link),
        Err(_) => path.to_owned(),
    }
}
