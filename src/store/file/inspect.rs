//! Inspects files, folders and locks without a trace: creates nothing, locks nothing for long, and moves nothing.

use std::fs::{self, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, StatVfsMountFlags, accessat, statvfs};

use super::atomic::follow_links;
use crate::store::StorageError;

/// Less free space than this counts as none: one write of many accounts needs it.
const ROOM: u64 = 1 << 20;

/// Returns whether `path` could be replaced or created now: its folder exists or can be created, is writable, and has
/// room.
pub fn inspect_writable(path: &Path) -> Result<(), StorageError> {
    let failed = |error| StorageError::writing(path, error);
    let target = follow_links(path).map_err(failed)?;
    let dir = target.ancestors().skip(1).find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    if target.is_dir() || !dir.is_dir() {
        let kind = if target.is_dir() { io::ErrorKind::IsADirectory } else { io::ErrorKind::NotADirectory };
        return Err(failed(kind.into()));
    }
    // Checks the effective rights; a read-only file system shows up here, too.
    accessat(CWD, dir, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
        .map_err(|error| failed(error.into()))?;
    inspect_target(path, &target)?;
    let Ok(system) = statvfs(dir) else { return Ok(()) };
    if system.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Err(failed(io::ErrorKind::ReadOnlyFilesystem.into()));
    }
    // A file system without blocks does not count them.
    if system.f_blocks > 0 && system.f_bavail.saturating_mul(system.f_frsize) < ROOM {
        return Err(failed(io::ErrorKind::StorageFull.into()));
    }
    Ok(())
}

/// Returns whether a rename onto the file can work: it is not a mount (containers mount single files) and not
/// immutable. Only Linux can tell.
fn inspect_target(path: &Path, target: &Path) -> Result<(), StorageError> {
    let refused =
        |kind: io::ErrorKind| StorageError::Unreplaceable { path: path.to_owned(), source: kind.into() };
    if is_mount_point(target) {
        return Err(refused(io::ErrorKind::ResourceBusy));
    }
    if is_immutable(target) {
        return Err(refused(io::ErrorKind::PermissionDenied));
    }
    Ok(())
}

fn is_mount_point(target: &Path) -> bool {
    let Ok(real) = fs::canonicalize(target) else { return false };
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let real = real.to_string_lossy().replace(' ', "\\040");
    mounts.lines().any(|mount| mount.split(' ').nth(4) == Some(&*real))
}

#[cfg(target_os = "linux")]
fn is_immutable(target: &Path) -> bool {
    use rustix::fs::{IFlags, ioctl_getflags};
    let flags = fs::File::open(target).ok().and_then(|file| ioctl_getflags(&file).ok());
    flags.is_some_and(|flags| flags.intersects(IFlags::IMMUTABLE | IFlags::APPEND))
}

#[cfg(not(target_os = "linux"))]
fn is_immutable(_: &Path) -> bool {
    false
}

/// Returns whether another process holds the kernel's lock on this file now. A missing file is not locked.
pub fn inspect_lock(lock_file: &Path) -> Result<bool, StorageError> {
    let unreadable = |source| StorageError::Unreadable { path: lock_file.to_owned(), source };
    let file = match OpenOptions::new().read(true).open(lock_file) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(unreadable(error)),
    };
    // Closing the file, right after this, frees the lock.
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(StorageError::locking(lock_file, error)),
    }
}

/// Returns the files with this ending in one of our folders, sorted by name.
pub fn files_ending_in(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    files.sort();
    files
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::LockGuard;

    fn names(dir: &Path) -> Vec<String> {
        files_ending_in(dir, "")
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn what_could_be_written_is_found_out_without_writing() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "kept").unwrap();
        inspect_writable(&dir.path().join("file")).unwrap();
        inspect_writable(&dir.path().join("not/there/yet.json")).unwrap();
        assert!(inspect_writable(&dir.path().join("file/below.json")).is_err());
        assert!(inspect_writable(dir.path()).is_err());
        assert_eq!(names(dir.path()), ["file"]);
    }

    #[test]
    fn a_held_lock_is_seen_and_none_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let lock = dir.path().join("x.lock");
        assert!(!inspect_lock(&lock).unwrap());
        assert!(names(dir.path()).is_empty());
        let held = LockGuard::acquire(&lock, Duration::ZERO).unwrap();
        assert!(inspect_lock(&lock).unwrap());
        drop(held);
        assert!(!inspect_lock(&lock).unwrap());
        drop(LockGuard::acquire(&lock, Duration::ZERO).unwrap());
    }
}
