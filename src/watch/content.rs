//! What a file held at the last check: a hash, never the content, which may be a token.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};

/// A file that changes while it is read is read again.
const READINGS: usize = 5;
const PAUSE: Duration = Duration::from_millis(2);

#[derive(Debug)]
pub(super) struct Content {
    seen: Seen,
    signature: Option<Signature>,
    /// Two writes within one tick of the file system's clock have the same signature, so after a change the next check
    /// reads the file in any case.
    fresh: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Missing,
    Unreadable,
    Hash([u8; 32]),
}

/// The attributes that change when a file is written or replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature {
    length: u64,
    modified: Option<std::time::SystemTime>,
    inode: (u64, u64, i64, i64),
}

impl Content {
    pub(super) fn of(path: &Path) -> Content {
        let (seen, signature) = read(path);
        Content { seen, signature, fresh: true }
    }

    /// Returns whether the content differs from the last check. With `noticed` the file is read in any case, otherwise
    /// only when its signature changed.
    pub(super) fn changed(&mut self, path: &Path, noticed: bool) -> bool {
        if !noticed && !self.fresh && Signature::of(path) == self.signature {
            return false;
        }
        let (seen, signature) = read(path);
        let changed = seen != self.seen;
        let fresh = signature != self.signature;
        *self = Content { seen, signature, fresh };
        changed
    }
}

impl Signature {
    fn of(path: &Path) -> Option<Signature> {
        let metadata = fs::metadata(path).ok()?;
        Some(Signature {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            inode: (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// Reading a pipe would not end, and neither would a device.
fn hash_of(path: &Path) -> io::Result<[u8; 32]> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut hash = Sha256::new();
    io::copy(&mut fs::File::open(path)?, &mut hash)?;
    Ok(hash.finalize().into())
}

fn read(path: &Path) -> (Seen, Option<Signature>) {
    let mut before = Signature::of(path);
    for _ in 0..READINGS {
        let seen = match hash_of(path) {
            Ok(hash) => Seen::Hash(hash),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Seen::Missing,
            Err(_) => Seen::Unreadable,
        };
        let after = Signature::of(path);
        if after == before {
            return (seen, after);
        }
        before = after;
        std::thread::sleep(PAUSE);
    }
    // It is written all the time: the content differs from before, and the next check finds the rest.
    (Seen::Unreadable, None)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// The state after a second write within the same tick: the present signature, the content of before.
    fn overtaken(path: &Path, fresh: bool) -> Content {
        Content { seen: Seen::Hash([0; 32]), signature: Signature::of(path), fresh }
    }

    #[test]
    fn a_signature_is_trusted_only_once_it_has_been_the_same_twice() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.json");
        fs::write(&path, "x").unwrap();
        assert!(overtaken(&path, true).changed(&path, false));
        assert!(
            !overtaken(&path, false).changed(&path, false),
            "an unchanged file is not read again and again"
        );
        assert!(overtaken(&path, false).changed(&path, true), "a notice is reason enough to read");

        let mut content = Content::of(&path);
        assert!(content.fresh);
        assert!(!content.changed(&path, false));
        assert!(!content.fresh);
        fs::write(&path, "longer").unwrap();
        assert!(content.changed(&path, false));
        assert!(content.fresh, "a change is looked at once more");
    }
}
