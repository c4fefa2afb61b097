//! Progress on stderr while a person waits at a terminal. Without a terminal nothing is drawn.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const TICK: Duration = Duration::from_millis(100);

/// A spinner with a text; it disappears when it is dropped.
#[derive(Debug)]
pub(super) struct Waiting(ProgressBar);

impl Waiting {
    pub(super) fn spinner(text: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(None, target());
        bar.set_message(text);
        bar.enable_steady_tick(TICK);
        Waiting(bar)
    }

    pub(super) fn bar(text: &'static str, length: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(length as u64), target());
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}") {
            bar.set_style(style);
        }
        bar.set_message(text);
        bar.tick();
        Waiting(bar)
    }

    pub(super) fn advance(&self) {
        self.0.inc(1);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn target() -> ProgressDrawTarget {
    if stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}
