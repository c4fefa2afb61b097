//! Text that others wrote, for a terminal: a label or a message may come from a token or from upstream, and what a
//! terminal would obey must not reach it.

pub(super) fn plain(text: &str) -> String {
    text.replace(|c: char| c.is_control(), "\u{fffd}")
}
