//! What several tests of the files need.

use std::path::Path;
use std::process::Command;

/// A pipe with a name, by the program of that purpose: macOS has the call, but no safe way to it.
pub(crate) fn make_pipe(path: &Path) {
    let made = Command::new("mkfifo").args(["-m", "600"]).arg(path).status();
    assert!(made.is_ok_and(|made| made.success()), "{}", path.display());
}
