//! What stdout is: how wide, and whether colours are welcome.

use std::io::{IsTerminal, stdout};

use rustix::termios::tcgetwinsize;

use crate::render::Look;

/// Of a terminal that does not say how wide it is.
const USUAL_WIDTH: usize = 80;

/// A pipe gets every name in full, unless `COLUMNS` says how wide what reads it is.
pub(super) fn look() -> Look {
    let asked =
        std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).filter(|wide| *wide > 0);
    if !stdout().is_terminal() {
        return Look { width: asked, colour: false };
    }
    let told = tcgetwinsize(stdout()).ok().map(|size| usize::from(size.ws_col)).filter(|wide| *wide > 0);
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Look { width: told.or(asked).or(Some(USUAL_WIDTH)), colour: !no_colour }
}
