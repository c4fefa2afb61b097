//! 401s that upstream did not explain: a proxy that removes the Authorization header makes every account look refused.
//! They cost no login, and after two accounts within a minute no token is refreshed for them for a while.

use std::time::Duration;

use crate::pool::{AccountId, At};

/// Two accounts within this time point to something between us and upstream, not to their tokens.
const TOGETHER: Duration = Duration::from_secs(60);
/// How long no token is refreshed for a 401, unless upstream answers before.
const PAUSE: Duration = Duration::from_secs(10 * 60);

#[derive(Clone, Debug, Default)]
pub(crate) struct Unexplained401s {
    last: Option<(AccountId, At)>,
    paused_until: Option<At>,
}

impl Unexplained401s {
    /// An account was refused without a code after its token had been refreshed.
    pub(crate) fn record(&mut self, account: &AccountId, now: At) {
        let another =
            self.last.as_ref().is_some_and(|(last, at)| last != account && now.since(*at) <= TOGETHER);
        if another && !self.pauses_refresh(now) {
            self.paused_until = Some(now + PAUSE);
        }
        self.last = Some((account.clone(), now));
    }

    /// Upstream itself answered: the obstacle is gone.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns whether a token should not be refreshed for a 401 now.
    pub(crate) fn pauses_refresh(&self, now: At) -> bool {
        self.paused_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> At {
        At(secs * 1000)
    }

    #[test]
    fn refreshes_pause_after_two_accounts_within_a_minute() {
        let check = |records: &[(&str, i64)], asked: i64, expected: bool| {
            let mut seen = Unexplained401s::default();
            for (account, secs) in records {
                seen.record(&AccountId::new(*account), at(*secs));
            }
            assert_eq!(seen.pauses_refresh(at(asked)), expected, "{records:?} {asked}");
        };
        check(&[("a", 0)], 0, false);
        check(&[("a", 0), ("a", 10)], 10, false);
        check(&[("a", 0), ("b", 60)], 60, true);
        check(&[("a", 0), ("b", 61)], 61, false);
        check(&[("a", 0), ("b", 1)], 600, true);
        check(&[("a", 0), ("b", 1)], 601, false);
        // Further 401s do not prolong the pause: after it one token is refreshed, so that revoked tokens are found.
        check(&[("a", 0), ("b", 1), ("b", 500)], 600, true);
        check(&[("a", 0), ("b", 1), ("b", 500)], 601, false);
        check(&[("a", 0), ("b", 1), ("b", 590), ("a", 605)], 1000, true);
    }

    #[test]
    fn an_answer_of_upstream_ends_the_pause() {
        let mut seen = Unexplained401s::default();
        seen.record(&AccountId::new("a"), at(0));
        seen.record(&AccountId::new("b"), at(1));
        seen.clear();
        assert!(!seen.pauses_refresh(at(2)));
    }
}
