//! For tests that need a program that is not installed everywhere.

use std::io::Write;

/// Reports a skipped test on the real stderr, which tests do not capture. Fails it where CI=true.
pub fn skip_unless(what: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{what} is needed where CI=true");
    // Nothing depends on this write.
    let _ = writeln!(std::io::stderr(), "SKIPPED for want of {what}");
}
