//! Helpers for tests of several files.

use std::path::Path;
use std::process::Command;

/// Creates a named pipe with the program for it, because Rust has no safe call for it on macOS.
pub(crate) fn make_pipe(path: &Path) {
    let made = Command::new("mkfifo").args(["-m", "600"]).arg(path).status();
    assert!(made.is_ok_and(|made| made.success()), "{}", path.display());
}
