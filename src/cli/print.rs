//! Prints to stdout.

use std::io::{ErrorKind, Write, stderr, stdout};

/// A reader that closes the pipe early, as `head` does, is not a failure.
///
/// # Errors
///
/// When stdout cannot be written for another reason, e.g. on a full disk.
pub(super) fn print(text: &str) -> Result<(), String> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("stdout cannot be written to: {error}"))
        }
        _ => Ok(()),
    }
}

/// Writes to stderr. If that fails, there is no other place to report it.
pub(super) fn print_error(message: &str) {
    writeln!(stderr(), "{message}").ok();
}
