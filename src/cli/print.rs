//! What the command line says on stdout.

use std::io::{ErrorKind, Write, stderr, stdout};

/// Whoever reads may have seen enough, as `head` has: that is no failure, and what is under way is done all the same.
///
/// # Errors
///
/// When it cannot be written for another reason, e.g. on a full disk.
pub(super) fn print(text: &str) -> Result<(), String> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("stdout cannot be written to: {error}"))
        }
        _ => Ok(()),
    }
}

/// On stderr; that it cannot be said there could be told nowhere.
pub(super) fn complain(message: &str) {
    writeln!(stderr(), "{message}").ok();
}
