//! Progress on stderr while a person waits at a terminal. Without a terminal nothing is drawn.
//!
//! `indicatif` would do this too, but its estimates need the system's libm: 0.25 MiB resident and 0.3 ms at the start of
//! every sidecar (`schema/performance.md`).

use std::io::{IsTerminal, Write, stderr};

/// The columns of a bar.
const BAR: usize = 30;

/// One line with a text. It disappears when it is dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    text: &'static str,
    is_shown: bool,
}

impl Waiting {
    pub(super) fn text(text: &'static str) -> Self {
        let waiting = Waiting { text, is_shown: stderr().is_terminal() };
        waiting.draw(&format!("{text}…"));
        waiting
    }

    /// Becomes a bar when there is more than one step.
    pub(super) fn advance(&self, done: u32, total: u32) {
        if total > 1 {
            self.draw(&bar(self.text, done, total));
        }
    }

    fn draw(&self, line: &str) {
        if self.is_shown {
            write(line);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.draw("");
    }
}

fn bar(text: &str, done: u32, total: u32) -> String {
    let filled = BAR * done.min(total) as usize / total.max(1) as usize;
    format!("{text} {}{} {done}/{total}", "█".repeat(filled), "░".repeat(BAR - filled))
}

/// Replaces the current line. A terminal that is gone needs no progress.
fn write(line: &str) {
    let mut terminal = stderr().lock();
    let _ = write!(terminal, "\r\u{1b}[2K{line}").and_then(|()| terminal.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_what_is_done() {
        let check = |done: u32, filled: usize| {
            let expected = format!("r {}{} {done}/6", "█".repeat(filled), "░".repeat(30 - filled));
            assert_eq!(bar("r", done, 6), expected);
        };
        check(0, 0);
        check(1, 5);
        check(5, 25);
        check(6, 30);
    }
}
