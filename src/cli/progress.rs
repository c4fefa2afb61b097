//! Progress on stderr while a person waits at a terminal. Without a terminal nothing is drawn.
//!
//! `indicatif` would do this too, but its estimates need the system's libm: 0.25 MiB resident and 0.3 ms at the start of
//! every sidecar (`schema/performance.md`).

use std::cell::Cell;
use std::io::{IsTerminal, Write, stderr};

/// The columns of a bar.
const BAR: usize = 30;

/// One line with a text. It disappears when it is dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    text: &'static str,
    done: Cell<usize>,
    /// Of a bar; none where nothing can be counted.
    total: Option<usize>,
    is_shown: bool,
}

impl Waiting {
    pub(super) fn text(text: &'static str) -> Self {
        Self::start(text, None)
    }

    pub(super) fn bar(text: &'static str, total: usize) -> Self {
        Self::start(text, Some(total))
    }

    pub(super) fn advance(&self) {
        self.done.set(self.done.get() + 1);
        self.draw();
    }

    fn start(text: &'static str, total: Option<usize>) -> Self {
        let waiting = Waiting { text, done: Cell::new(0), total, is_shown: stderr().is_terminal() };
        waiting.draw();
        waiting
    }

    fn draw(&self) {
        if self.is_shown {
            write(&line(self.text, self.done.get(), self.total));
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.is_shown {
            write("");
        }
    }
}

fn line(text: &str, done: usize, total: Option<usize>) -> String {
    let Some(total) = total.filter(|total| *total > 0) else { return format!("{text}…") };
    let filled = BAR * done.min(total) / total;
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
        assert_eq!(line("asking upstream", 0, None), "asking upstream…");
        assert_eq!(line("refreshing", 0, Some(0)), "refreshing…");
        let check = |done: usize, filled: usize| {
            let expected = format!("r {}{} {done}/6", "█".repeat(filled), "░".repeat(30 - filled));
            assert_eq!(line("r", done, Some(6)), expected);
        };
        check(0, 0);
        check(1, 5);
        check(5, 25);
        check(6, 30);
    }
}
