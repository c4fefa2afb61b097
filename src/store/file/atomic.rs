//! Replaces a file in one step: a reader, and the next boot, find the old content or the new one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::NamedTempFile;

use super::probe::unreplaceable;
use crate::store::{LockDirectory, LockGuard, PermissionFinding, StorageError, examine, make_private_dir};

/// Writing takes milliseconds, so a temporary file of this age was left behind.
const LEFT_BEHIND: Duration = Duration::from_secs(60);

/// More links than this are a loop.
const MOST_LINKS: usize = 40;

/// Replaces the content of `path`, which becomes 0600. Returns who could read it before. A link stays a link, and its
/// target is replaced. The guard proves that no other writer is active; the caller decides which lock it is.
pub fn write_atomically(
    path: &Path,
    content: &[u8],
    _held: &LockGuard,
) -> Result<PermissionFinding, StorageError> {
    let target = follow_links(path).map_err(|error| StorageError::writing(path, error))?;
    let before = examine(&target)?;
    let dir = target.parent().unwrap_or(Path::new("/"));
    if !dir.exists() {
        make_private_dir(dir)?;
    }
    let temporary =
        written_beside(&target, dir, content, None).map_err(|error| StorageError::writing(path, error))?;
    temporary.persist(&target).map_err(|error| unreplaceable(path, error.error))?;
    sync_dir(dir).map_err(|error| StorageError::writing(path, error))?;
    Ok(before)
}

/// Replaces the content of one of pi's files, which keeps its mode; a new file gets 0600. `held` is pi's lock on it:
/// nothing is written once another process has taken it.
pub(crate) fn replace_under_lock(
    path: &Path,
    content: &[u8],
    held: &LockDirectory,
) -> Result<(), StorageError> {
    let write = || -> io::Result<Result<(), StorageError>> {
        let target = follow_links(path)?;
        let dir = target.parent().unwrap_or(Path::new("/"));
        let mode = fs::metadata(&target).ok().map(|found| found.permissions());
        let temporary = written_beside(&target, dir, content, mode)?;
        // As late as possible: nothing waits between this check and the rename.
        if !held.is_still_ours() {
            return Ok(Err(StorageError::Locked { path: target }));
        }
        if let Err(error) = temporary.persist(&target) {
            return Ok(Err(unreplaceable(path, error.error)));
        }
        sync_dir(dir).map(Ok)
    };
    write().map_err(|error| StorageError::writing(path, error))?
}

/// 0600 unless another mode is asked for.
fn written_beside(
    target: &Path,
    dir: &Path,
    content: &[u8],
    mode: Option<fs::Permissions>,
) -> io::Result<NamedTempFile> {
    let mut temporary = temporary_beside(target, dir)?;
    temporary.write_all(content)?;
    if let Some(mode) = mode {
        set_mode_if_possible(temporary.as_file(), mode)?;
    }
    sync_file(temporary.as_file())?;
    Ok(temporary)
}

/// Some file systems have no modes, e.g. Windows drives under WSL. There the file keeps the default.
pub(crate) fn set_mode_if_possible(file: &File, mode: fs::Permissions) -> io::Result<()> {
    match file.set_permissions(mode) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied || is_not_to_be_had(&error) => {
            tracing::debug!(%error, "the mode of a file cannot be set here");
            Ok(())
        }
        set => set,
    }
}

/// Creates the temporary file, 0600. Removes one that a killed process left behind, unless it holds a refresh token that
/// the target does not: that token may be the only one that still works. A younger one may belong to a holder of another
/// lock.
fn temporary_beside(target: &Path, dir: &Path) -> io::Result<NamedTempFile> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!(".multicodex-{name}-");
    for entry in fs::read_dir(dir)?.flatten() {
        let left_behind = entry.file_name().to_string_lossy().starts_with(&prefix)
            && entry
                .metadata()
                .and_then(|found| found.modified())
                .is_ok_and(|written| written.elapsed().is_ok_and(|age| age > LEFT_BEHIND));
        if left_behind && !holds_other_logins(&entry.path(), target) {
            // Another process may be removing it as well.
            fs::remove_file(entry.path()).ok();
        }
    }
    tempfile::Builder::new().prefix(&prefix).suffix(".tmp").tempfile_in(dir)
}

/// Whether `left_behind` may hold a refresh token that `target` lacks. Of a file that cannot be read this is not known.
fn holds_other_logins(left_behind: &Path, target: &Path) -> bool {
    let Ok(content) = fs::read(left_behind).map(zeroize::Zeroizing::new) else { return true };
    match serde_json::from_slice::<Value>(&content) {
        Ok(document) => {
            let kept = zeroize::Zeroizing::new(fs::read_to_string(target).unwrap_or_default());
            has_refresh_token(&document, &|token| !kept.contains(token))
        }
        Err(_) => memchr::memmem::find(&content, b"\"refresh").is_some(),
    }
}

fn has_refresh_token(value: &Value, wanted: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| match value {
            Value::String(token) => name.starts_with("refresh") && !token.is_empty() && wanted(token),
            _ => has_refresh_token(value, wanted),
        }),
        Value::Array(values) => values.iter().any(|value| has_refresh_token(value, wanted)),
        _ => false,
    }
}

/// Returns the file at the end of a chain of links. It need not exist yet.
pub(crate) fn follow_links(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&target) {
            Ok(next) => target = target.parent().unwrap_or(Path::new("")).join(next),
            // Not a link, or nothing there: the end of the chain.
            Err(_) => return Ok(target),
        }
    }
    Err(io::Error::other("too many levels of symbolic links"))
}

/// On macOS this also empties the cache of the disk, which network drives cannot do: there it is synced as elsewhere.
pub(crate) fn sync_file(file: &File) -> io::Result<()> {
    match file.sync_all() {
        Err(error) if is_not_to_be_had(&error) => rustix::fs::fsync(file).map_err(io::Error::from),
        synced => synced,
    }
}

/// A rename is on disk only after its directory is synced. File systems that cannot sync directories, mostly in
/// networks, give no such guarantee.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    match File::open(dir)?.sync_all() {
        Err(error) if is_not_to_be_had(&error) => Ok(()),
        synced => synced,
    }
}

fn is_not_to_be_had(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn held(dir: &Path) -> LockGuard {
        LockGuard::acquire(&dir.join("state/test.lock"), Duration::ZERO).unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_new_file_and_its_directory_are_private_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent/sub/f.json");
        let before = write_atomically(&path, b"one", &held(dir.path())).unwrap();
        assert_eq!(before, PermissionFinding::Missing);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(names(path.parent().unwrap()), ["f.json"]);
    }

    #[test]
    fn what_a_killed_writer_left_behind_is_removed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let make = |name: &str, age: Duration| {
            let file = File::create(dir.path().join(name)).unwrap();
            let modified = file.metadata().unwrap().modified().unwrap() - age;
            file.set_modified(modified).unwrap();
        };
        let old = LEFT_BEHIND + Duration::from_secs(5);
        make(".multicodex-f.json-old.tmp", old);
        make(".multicodex-f.json-young.tmp", Duration::ZERO);
        make(".multicodex-g.json-old.tmp", old);
        make("f.json-old.tmp", old);
        write_atomically(&dir.path().join("f.json"), b"new", &held(dir.path())).unwrap();
        assert_eq!(
            names(dir.path()),
            [
                ".multicodex-f.json-young.tmp",
                ".multicodex-g.json-old.tmp",
                "f.json",
                "f.json-old.tmp",
                "state"
            ]
        );
    }

    #[test]
    fn a_file_left_behind_with_a_token_that_the_target_lacks_stays() {
        let check = |left_behind: &str, stays: bool| {
            let dir = tempfile::tempdir().unwrap();
            let (path, other) = (dir.path().join("f.json"), dir.path().join(".multicodex-f.json-old.tmp"));
            fs::write(&path, r#"{"accounts":[{"refreshToken":"kept"}]}"#).unwrap();
            fs::write(&other, left_behind).unwrap();
            let written = fs::metadata(&other).unwrap().modified().unwrap();
            let old = written - LEFT_BEHIND - Duration::from_secs(5);
            File::options().write(true).open(&other).unwrap().set_modified(old).unwrap();
            write_atomically(&path, b"{}", &held(dir.path())).unwrap();
            assert_eq!(other.exists(), stays, "{left_behind}");
        };
        check(r#"{"accounts":[{"refreshToken":"living"}]}"#, true);
        check(r#"{"openai-codex":{"type":"oauth","refresh":"living"}}"#, true);
        check(r#"{"accounts":[{"refreshToken":"liv"#, true);
        check(r#"{"accounts":[{"refreshToken":"kept"}]}"#, false);
        check(r#"{"accounts":[{"refreshToken":""}]}"#, false);
        check(r#"{"accounts":["#, false);
    }

    #[test]
    fn wide_permissions_are_narrowed_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.json");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        let before = write_atomically(&path, b"new", &held(dir.path())).unwrap();
        assert_eq!(before, PermissionFinding::Wide { mode: 0o664 });
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"new".to_vec(), 0o600));
    }

    #[test]
    fn a_link_stays_a_link_whether_or_not_its_target_exists() {
        fn check(target: &str, exists: bool) {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("elsewhere")).unwrap();
            let absolute = dir.path().join(target);
            if exists {
                fs::write(&absolute, "old").unwrap();
            }
            let (link, second) = (dir.path().join("f.json"), dir.path().join("second.json"));
            symlink(target, &second).unwrap();
            symlink(&second, &link).unwrap();
            write_atomically(&link, b"new", &held(dir.path())).unwrap();
            assert_eq!(fs::read_link(&link).unwrap(), second);
            assert_eq!(fs::read_link(&second).unwrap(), Path::new(target));
            assert_eq!(fs::read(&absolute).unwrap(), b"new");
        }
        check("elsewhere/real.json", true);
        check("elsewhere/real.json", false);
    }

    #[test]
    fn a_loop_of_links_and_a_file_in_place_of_a_directory_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let looped = dir.path().join("loop.json");
        symlink(&looped, &looped).unwrap();
        let error = write_atomically(&looped, b"x", &held(dir.path())).unwrap_err();
        assert!(matches!(error, StorageError::Io { .. }), "{error}");

        fs::write(dir.path().join("file"), "kept").unwrap();
        let error = write_atomically(&dir.path().join("file/f.json"), b"x", &held(dir.path())).unwrap_err();
        assert!(matches!(error, StorageError::Unreadable { .. } | StorageError::Io { .. }), "{error}");
        assert_eq!(fs::read(dir.path().join("file")).unwrap(), b"kept");
    }
}
