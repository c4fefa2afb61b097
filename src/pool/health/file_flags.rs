//! An account's health in `codex-accounts.json`: the two members that the pi-multicodex extension also reads and
//! writes. What was learned here is more certain, but a change of a flag by another program has a meaning.

use crate::pool::{
    Account, AccountId, At, Certainty, Cooldown, Failure, FailureKind, Health, HealthEvidence, HealthStatus,
    Pool, Source, is_workspace_limit,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileFlags {
    pub needs_login: bool,
    pub exhausted_until: Option<At>,
}

impl FileFlags {
    /// The flags that belong in the file.
    pub fn of(account: &Account, now: At) -> FileFlags {
        let limit =
            |cooldown: &&Cooldown| cooldown.until > now && cooldown.why.kind == FailureKind::UsageLimit;
        FileFlags {
            needs_login: matches!(account.health.standing, HealthStatus::NeedsLogin(_)),
            exhausted_until: account.health.cooldown.as_ref().filter(limit).map(|cooldown| cooldown.until),
        }
    }
}

impl HealthEvidence {
    pub fn of(failure: &Failure, now: At) -> HealthEvidence {
        HealthEvidence {
            kind: failure.kind,
            code: failure.code.clone(),
            message: failure.message.clone(),
            since: now,
            source: failure.source,
        }
    }

    /// Whether every account of the workspace meets the limit.
    pub fn is_workspace_limit(&self) -> bool {
        self.code.as_deref().is_some_and(is_workspace_limit)
    }

    /// Evidence that is only a member of the accounts file.
    pub fn in_file(kind: FailureKind, now: At) -> HealthEvidence {
        let message = "marked in codex-accounts.json".to_owned();
        HealthEvidence { kind, code: None, message, since: now, source: Source::File }
    }
}

impl Pool {
    /// Another program has changed the flags of an account from `before` to `found`.
    pub fn take_marks(&mut self, id: &AccountId, before: FileFlags, found: FileFlags, now: At) {
        self.update(id, |account| {
            let login = before.needs_login != found.needs_login
                && account.health.take_need_of_login(found.needs_login, now);
            let limit = before.exhausted_until != found.exhausted_until
                && account.health.take_exhaustion(found.exhausted_until, now);
            login || limit
        });
    }
}

impl Health {
    fn take_need_of_login(&mut self, needed: bool, now: At) -> bool {
        match (needed, &self.standing) {
            (true, HealthStatus::Good) => {
                self.needs_login(HealthEvidence::in_file(FailureKind::LoginRequired, now));
                true
            }
            // A program that cleared the flag believes that the login is good; the next use will show it.
            (false, HealthStatus::NeedsLogin(_)) => self.reinstate(),
            _ => false,
        }
    }

    fn take_exhaustion(&mut self, until: Option<At>, now: At) -> bool {
        let held = self.cooldown_of(None, now);
        match until.filter(|until| *until > now) {
            Some(until) if held.is_none_or(|held| held.until < until) => {
                let why = HealthEvidence::in_file(FailureKind::UsageLimit, now);
                let cooldown = Cooldown { until, certainty: Certainty::Prediction, quoted_reset: None, why };
                self.cool(None, cooldown, now);
                true
            }
            // The cooldown from the file is removed with it. It stays as one that has ended, for the other sidecars.
            None if held.is_some_and(|held| held.why.source == Source::File) => {
                if let Some(held) = &mut self.cooldown {
                    held.until = now;
                    held.why.since = held.why.since.max(now);
                }
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::pool::State;
    use crate::pool::testing::{id, pool_of};

    const NOW: At = At(1_000_000);
    const LATER: At = At(2_000_000);

    fn marks(needs_login: bool, exhausted_until: Option<At>) -> FileFlags {
        FileFlags { needs_login, exhausted_until }
    }

    #[test]
    fn what_someone_else_marks_holds_until_someone_takes_it_away() {
        let mut pool = pool_of(&["a"]);
        let mut file = FileFlags::default();
        let mut check = |pool: &mut Pool, found: FileFlags, state: State| {
            pool.take_marks(&id("a"), file, found, NOW);
            let account = pool.get(&id("a")).expect("it is there");
            assert_eq!(account.state(NOW), state, "{file:?} -> {found:?}");
            assert_eq!(FileFlags::of(account, NOW), found, "nothing is left to be written");
            file = found;
        };
        check(&mut pool, marks(true, None), State::NeedsLogin);
        check(&mut pool, marks(false, None), State::Ready);
        check(&mut pool, marks(false, Some(LATER)), State::Cooling);
        check(&mut pool, marks(false, Some(At(3_000_000))), State::Cooling);
        check(&mut pool, marks(false, None), State::Ready);
        check(&mut pool, marks(true, Some(LATER)), State::NeedsLogin);
        check(&mut pool, marks(false, None), State::Ready);
    }

    #[test]
    fn what_was_learned_here_is_not_replaced_by_less() {
        let mut pool = pool_of(&["a"]);
        let why = HealthEvidence {
            source: Source::StreamEvent,
            ..HealthEvidence::in_file(FailureKind::UsageLimit, NOW)
        };
        let learned =
            Cooldown { until: LATER, certainty: Certainty::Directive, quoted_reset: Some(LATER), why };
        pool.update(&id("a"), |account| {
            account.health.cool(None, learned.clone(), NOW);
            true
        });
        let revision = pool.revision();
        let same = marks(false, Some(LATER));
        pool.take_marks(&id("a"), FileFlags::default(), same, NOW);
        pool.take_marks(&id("a"), same, marks(false, Some(At(1_500_000))), NOW);
        pool.take_marks(&id("a"), same, FileFlags::default(), NOW);
        let account = pool.get(&id("a")).expect("it is there");
        assert_eq!((account.health.cooldown.as_ref(), pool.revision()), (Some(&learned), revision));
    }

    #[test]
    fn a_mark_that_is_over_says_nothing() {
        let mut pool = pool_of(&["a"]);
        let revision = pool.revision();
        pool.take_marks(&id("a"), FileFlags::default(), marks(false, Some(NOW)), NOW);
        assert_eq!(pool.revision(), revision);
    }
}
