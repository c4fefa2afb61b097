//! Whether a file could be replaced now, found out before something is done whose result must be stored.

use std::io::Write;
use std::path::Path;

use super::atomic::{follow_links, sync_file};
use crate::store::StorageError;

/// More than the accounts file of anyone.
const PROBE_BYTES: usize = 64 << 10;

/// Writes and syncs a file of some size beside `path`, and takes it away again: the folder is writable and has room.
pub fn probe_writable(path: &Path) -> Result<(), StorageError> {
    let failed = |error| StorageError::writing(path, error);
    let target = follow_links(path).map_err(failed)?;
    let dir = target.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new().prefix(".multicodex-").tempfile_in(dir).map_err(failed)?;
    file.write_all(&[0; PROBE_BYTES]).map_err(failed)?;
    sync_file(file.as_file()).map_err(failed)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_takes_no_file_is_found_out_and_one_that_does_stays_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.json");
        std::fs::write(&path, "kept").unwrap();
        probe_writable(&path).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(std::fs::read(&path).unwrap(), b"kept");
        assert!(probe_writable(&dir.path().join("missing/f.json")).is_err());
        assert!(probe_writable(&path.join("f.json")).is_err());
    }
}
