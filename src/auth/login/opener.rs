//! Opens an address in the user's browser. It may fail, e.g. without a browser or a display; the login does not depend
//! on it.

use std::io;
use std::time::Duration;

/// How long a launcher may take to report a failure. If it still runs then, it counts as started.
const LAUNCHED_WITHIN: Duration = Duration::from_secs(1);

/// Blocks for up to a second. The browser gets none of our standard streams and outlives this process.
///
/// # Errors
///
/// When no launcher was found, or each one failed.
pub fn open_in_browser(url: &str) -> io::Result<()> {
    open::that_detached_with_timeout(url, LAUNCHED_WITHIN)
}
