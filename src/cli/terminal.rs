//! The width of stdout, and whether it shows colours.

use std::io::{IsTerminal, stdout};

use anstream::{AutoStream, ColorChoice};
use rustix::termios::tcgetwinsize;

use crate::protocol::UsageMode;
use crate::render::TextStyle;

/// The columns of a terminal that does not report its width.
const USUAL_WIDTH: usize = 80;

/// Nothing is cut for a pipe, unless `COLUMNS` gives the width of its reader. Colours follow `NO_COLOR`, `CLICOLOR`,
/// `CLICOLOR_FORCE` and `TERM`.
pub(super) fn text_style(usage: UsageMode) -> TextStyle {
    let from_variable =
        std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).filter(|wide| *wide > 0);
    let colour = shows_colours();
    if !stdout().is_terminal() {
        return TextStyle { width: from_variable, colour, usage };
    }
    let columns = tcgetwinsize(stdout()).ok().map(|size| usize::from(size.ws_col)).filter(|wide| *wide > 0);
    TextStyle { width: columns.or(from_variable).or(Some(USUAL_WIDTH)), colour, usage }
}

pub(super) fn shows_colours() -> bool {
    AutoStream::choice(&stdout()) != ColorChoice::Never
}
