//! Cooldowns and back-off: how long an account rests, on what evidence, and which evidence may change that.

use super::{At, Mark};

/// How sure we are of when a cooldown ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// `retry-after`: upstream told us when to come back.
    Directive,
    /// Derived from a quoted or known window reset; a fresh reading, a probe or the user may end it early.
    Prediction,
    /// Nothing quoted a time; any evidence replaces it.
    Guess,
}

/// The account (or one of its limits) rests until `until`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cooldown {
    pub until: At,
    pub certainty: Certainty,
    /// What upstream quoted, when it did.
    pub quoted_reset: Option<At>,
    pub why: Mark,
}

/// A short rest after transient failures: 30 s, doubling to 10 min. It ranks the account last, it does not exclude.
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    pub until: At,
    /// Failures in a row so far, at least 1.
    pub failures: u32,
    pub why: Mark,
}
