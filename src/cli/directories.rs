//! The directories that a sidecar works in.

use std::io::ErrorKind;
use std::path::Path;

use crate::store::{Paths, make_private_dir};

/// Creates the state directory. The agent directory is created later, when a file is stored in it.
///
/// # Errors
///
/// One of the two is not a directory or cannot be used; the text names the flag that chooses another.
pub(super) fn have_directories(paths: &Paths) -> Result<(), String> {
    refuse_no_directory(&paths.agent_dir, "--agent-dir")?;
    refuse_no_directory(&paths.state_dir, "--state-dir")?;
    make_private_dir(&paths.state_dir).map_err(|error| error.to_string())
}

fn refuse_no_directory(dir: &Path, flag: &str) -> Result<(), String> {
    match dir.metadata() {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(format!("{} is not a directory; {flag} names another", dir.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("{} cannot be used: {error}; {flag} names another", dir.display())),
    }
}
