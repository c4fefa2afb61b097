//! Cooldowns and back-off: how long an account is not used, on what evidence, and which evidence may change that.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::pool::{At, HealthEvidence};

/// A reading may end a cooldown only when it was requested this long after the refusal, because upstream's count is
/// late.
pub const USAGE_LAG: Duration = Duration::from_secs(10);

/// How certain the end of a cooldown is, the least certain first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Nothing quoted a time. Any evidence replaces it.
    Guess,
    /// Derived from a quoted or known window reset. A new reading, a successful request or the user may end it early.
    Prediction,
    /// `retry-after`: upstream's order.
    Directive,
}

/// The account (or one of its limits) is not used until `until`.
#[derive(Clone, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cooldown {
    pub until: At,
    pub certainty: Certainty,
    /// The time that upstream quoted, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoted_reset: Option<At>,
    pub why: HealthEvidence,
}

/// A short pause after transient failures: 30 s, doubling to 10 min. The account ranks last, but can be used.
#[derive(Clone, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Backoff {
    pub until: At,
    /// Failures in a row so far, at least 1.
    pub failures: u32,
    pub why: HealthEvidence,
}

impl Cooldown {
    /// Merges a newer report about the same limit. Anything replaces a guess, and a guess never replaces better
    /// evidence. Of two with the same certainty the longer holds, so that a later report never shortens it.
    pub(crate) fn report(&mut self, new: Cooldown, now: At) {
        let seen = self.why.since.max(new.why.since);
        let replaces = match (self.certainty, new.certainty) {
            _ if self.until <= now => true,
            (Certainty::Guess, Certainty::Guess) => new.until >= self.until,
            (Certainty::Guess, _) => true,
            (_, Certainty::Guess) => false,
            _ => new.until >= self.until,
        };
        if replaces {
            *self = new;
        }
        // Even a report that changes nothing is a new refusal, so older readings prove nothing.
        self.why.since = seen;
    }

    /// Corrects the end by a reading of this limit's windows: `exhausted_until` is the latest reset of the exhausted
    /// ones, `below_limit` says that none is exhausted. Returns the effect.
    pub(crate) fn correct(
        &mut self,
        exhausted_until: Option<At>,
        below_limit: bool,
        requested_at: At,
        now: At,
    ) -> Correction {
        let fresh = requested_at >= self.why.since + USAGE_LAG;
        match exhausted_until {
            Some(until) if self.certainty == Certainty::Guess || until > self.until => {
                self.until = until;
                self.certainty = Certainty::Prediction;
                Correction::Moved(until)
            }
            Some(until) if self.quoted_reset.is_none() && fresh && until < self.until => {
                self.until = until;
                self.why.since = requested_at;
                Correction::Moved(until)
            }
            None if below_limit && fresh => {
                self.end(requested_at, now);
                Correction::Ended
            }
            _ => Correction::None,
        }
    }

    /// It stays as a cooldown that has ended, with a later time than the refusal: this outweighs the running one in the
    /// memory of other sidecars.
    pub(crate) fn end(&mut self, seen_at: At, now: At) {
        self.until = self.until.min(now);
        self.why.since = seen_at;
    }

    /// See [`crate::pool::Health::clamp_future`]. The reset of a window is upstream's own date and stays.
    pub(crate) fn clamp_future(&mut self, now: At) {
        if self.certainty != Certainty::Prediction {
            self.until = self.until - self.why.since.since(now);
        }
        self.why.since = self.why.since.min(now);
    }

    /// Returns which of two reports about one limit wins when sidecars merge what they know: the later one; of the same
    /// refusal the more certain, then the longer one.
    pub(crate) fn precedence(&self) -> (At, Certainty, At) {
        (self.why.since, self.certainty, self.until)
    }
}

/// What a reading did to a cooldown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Correction {
    None,
    Moved(At),
    Ended,
}

impl Backoff {
    /// Returns the pause after the n-th failure in a row.
    pub(crate) fn rest_after(failures: u32) -> Duration {
        const FIRST: Duration = Duration::from_secs(30);
        const LONGEST: Duration = Duration::from_secs(10 * 60);
        FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::{FailureKind, Source};

    const NOW: At = At(1_000_000);
    const MINUTE: i64 = 60_000;

    fn cooldown(certainty: Certainty, minutes: i64) -> Cooldown {
        let why = HealthEvidence {
            kind: FailureKind::UsageLimit,
            code: None,
            message: String::new(),
            since: At(NOW.0 - MINUTE),
            source: Source::ResponseBody,
        };
        Cooldown { until: At(NOW.0 + minutes * MINUTE), certainty, quoted_reset: None, why }
    }

    #[test]
    fn a_later_report_never_shortens_a_longer_one_of_the_same_kind() {
        use Certainty::*;
        let check = |held: (Certainty, i64), new: (Certainty, i64), expected: (Certainty, i64)| {
            let mut cool = cooldown(held.0, held.1);
            let mut report = cooldown(new.0, new.1);
            report.why.since = NOW;
            cool.report(report, NOW);
            assert_eq!((cool.certainty, (cool.until.0 - NOW.0) / MINUTE), expected, "{held:?} then {new:?}");
            assert_eq!(cool.why.since, NOW);
        };
        check((Prediction, 300), (Prediction, 60), (Prediction, 300));
        check((Prediction, 60), (Prediction, 300), (Prediction, 300));
        check((Prediction, -1), (Prediction, 60), (Prediction, 60));
        check((Prediction, 300), (Guess, 600), (Prediction, 300));
        check((Prediction, -1), (Guess, 60), (Guess, 60));
        check((Guess, 60), (Guess, 30), (Guess, 60));
        check((Guess, 60), (Prediction, 5), (Prediction, 5));
        check((Guess, 60), (Directive, 1), (Directive, 1));
        check((Prediction, 300), (Directive, 1), (Prediction, 300));
        check((Directive, 2), (Prediction, 300), (Prediction, 300));
    }

    #[test]
    fn a_reading_corrects_guesses_freely_and_quoted_resets_only_upwards() {
        use Certainty::*;
        let check = |held: Cooldown, exhausted: Option<i64>, requested: i64, expected: (Correction, i64)| {
            let mut cool = held;
            let exhausted = exhausted.map(|minutes| At(NOW.0 + minutes * MINUTE));
            let done = cool.correct(exhausted, exhausted.is_none(), At(NOW.0 + requested), NOW);
            assert_eq!((done, (cool.until.0 - NOW.0) / MINUTE), expected, "{exhausted:?} {requested}");
        };
        let moved = |minutes: i64| (Correction::Moved(At(NOW.0 + minutes * MINUTE)), minutes);
        let quoted = |minutes| {
            let mut cool = cooldown(Prediction, minutes);
            cool.quoted_reset = Some(cool.until);
            cool
        };
        check(cooldown(Guess, 60), Some(300), -MINUTE - 1, moved(300));
        check(cooldown(Guess, 60), Some(5), 0, moved(5));
        check(cooldown(Prediction, 60), Some(5), 0, moved(5));
        check(cooldown(Prediction, 60), Some(5), -MINUTE, (Correction::None, 60));
        check(quoted(60), Some(300), 0, moved(300));
        check(quoted(60), Some(5), 0, (Correction::None, 60));
        check(quoted(60), None, 0, (Correction::Ended, 0));
        check(quoted(60), None, -MINUTE + 10_000, (Correction::Ended, 0));
        check(quoted(60), None, -MINUTE + 9_999, (Correction::None, 60));
    }

    #[test]
    fn back_off_doubles_from_half_a_minute_to_ten() {
        let seconds: Vec<u64> =
            [1, 2, 3, 4, 5, 6, 40, u32::MAX].map(|n| Backoff::rest_after(n).as_secs()).into();
        assert_eq!(seconds, [30, 60, 120, 240, 480, 600, 600, 600]);
    }
}
