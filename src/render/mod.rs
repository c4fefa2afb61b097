//! Shows answers of the protocol as text for people, in tables that fit their terminal. It sends no request, prints
//! nothing and reads no clock.

mod accounts;
mod cell;
mod history;
mod rotation;
mod spark;
mod stats;
mod table;
mod verify;
mod when;

pub use accounts::{account, accounts};
pub use cell::clean;
pub use history::history;
pub use rotation::rotation;
pub use stats::stats;
pub use verify::verify;
pub use when::duration;

use crate::pool;
use crate::protocol::UsageMode;

/// How text is laid out.
#[derive(Clone, Copy, Debug)]
pub struct TextStyle {
    /// The width in columns; `None` where nothing is cut, e.g. in a pipe.
    pub width: Option<usize>,
    pub colour: bool,
    /// Whether percentages show what is left or what is used: the footer's setting, so that all agree.
    pub usage: UsageMode,
}

impl TextStyle {
    /// No colours, for a terminal of the usual width.
    pub fn plain(usage: UsageMode) -> Self {
        TextStyle { width: Some(80), colour: false, usage }
    }
}

/// `75% left`, or `25% used`.
fn usage_text(used_percent: f64, mode: UsageMode) -> String {
    let (percent, word) = percent(used_percent, mode);
    format!("{percent:.0}% {word}")
}

fn percent(used_percent: f64, mode: UsageMode) -> (f64, &'static str) {
    let mode = match mode {
        UsageMode::Left => pool::UsageMode::Left,
        UsageMode::Used => pool::UsageMode::Used,
    };
    (mode.percent(used_percent), mode.name())
}
