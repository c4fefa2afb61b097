//! The failover of one completion over the accounts, until output begins (schema/protocol.md, "Which failure does
//! what"). It does not wait and sends nothing: the sidecar carries out its steps and reports the results.

use std::collections::VecDeque;

use super::failure_policy::{FailureAction, action_for};
use super::step::{AfterFailure, AfterOutput, Ending, EndingKind, Next};
use crate::pool::selection::eligibility::{lasting, why_not, why_not_named};
use crate::pool::{
    AccountId, At, Demand, Failure, FailureKind, Pool, RESERVE_LIMIT, RESERVE_MODEL, WhyNotEligible,
};

/// How many requests a completion may cost besides those of `maxAttempts`.
const MAX_EXTRA_REQUESTS: u32 = 4;

/// One completion's way over the accounts. Ask `next`, do what it says, report the result, ask again.
#[derive(Clone, Debug)]
pub struct Failover {
    demand: Demand,
    attempts: u32,
    /// The result of each account tried, in the order of the first attempts.
    tried: Vec<(AccountId, Outcome)>,
    current: Option<AccountId>,
    /// When the attempt began.
    asked_at: At,
    /// Accounts that have had their one repeat after a 401.
    replayed: Vec<AccountId>,
    /// The one further attempt after transient failures was made.
    tried_once_more: bool,
    /// Requests besides the first one of each account.
    extra_requests: u32,
    wait: Waiting,
    pin_cleared: Option<AccountId>,
    /// Accounts whose reserve is asked next, in this order.
    reserve: VecDeque<AccountId>,
    /// The current attempt asks the reserve of its account.
    on_reserve: bool,
    /// Output began, or no other account can help.
    over: bool,
    /// The session was another account's until this one served it.
    switched_session: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// In progress, or not to be tried again in this completion.
    Spent,
    /// May get the one further attempt.
    Transient,
    /// May be tried again after a wait.
    Cooled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    NotYet,
    /// Waits for an account, at most until then.
    Until(At),
    /// The one attempt after a wait was made.
    Over,
}

impl Failover {
    pub fn new(demand: Demand) -> Self {
        Failover {
            demand,
            attempts: 0,
            tried: Vec::new(),
            current: None,
            asked_at: At(0),
            replayed: Vec::new(),
            tried_once_more: false,
            extra_requests: 0,
            wait: Waiting::NotYet,
            pin_cleared: None,
            reserve: VecDeque::new(),
            on_reserve: false,
            over: false,
            switched_session: false,
        }
    }

    /// The only account to use, when the client named one.
    pub fn named(&self) -> Option<&AccountId> {
        self.demand.account.as_ref()
    }

    /// Whether another account than before serves the session.
    pub fn switched_session(&self) -> bool {
        self.switched_session
    }

    pub fn session(&self) -> Option<&str> {
        self.demand.session.as_deref()
    }

    /// The model that the current attempt asks for.
    pub fn model(&self) -> Option<&str> {
        if self.on_reserve { Some(RESERVE_MODEL) } else { self.demand.model.as_deref() }
    }

    /// What the client wants.
    pub fn demand(&self) -> &Demand {
        &self.demand
    }

    /// Whether the current attempt asks the reserve of its account.
    pub fn is_on_reserve(&self) -> bool {
        self.on_reserve
    }

    /// No account can serve: `next` hands out these, whose reserve may be used, before it looks for any other.
    pub fn use_reserve(&mut self, granted: Vec<AccountId>) {
        self.reserve = granted.into();
    }

    /// The account was brought back, so that it may be tried again although it failed before.
    pub fn readmit(&mut self, account: &AccountId) {
        if self.extra_requests < MAX_EXTRA_REQUESTS {
            let before = self.tried.len();
            self.tried.retain(|(tried, _)| tried != account);
            self.extra_requests += u32::from(self.tried.len() < before);
        }
    }

    /// Returns how many attempts began. A repeat after a 401 is part of its attempt.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns, once, the pin that `next` found unusable and cleared.
    pub fn pin_cleared(&mut self) -> Option<AccountId> {
        self.pin_cleared.take()
    }

    pub fn next(&mut self, pool: &mut Pool, now: At) -> Next {
        if self.over {
            return stop(EndingKind::LastFailure, None);
        }
        self.on_reserve = false;
        if let Some(account) = self.next_of_reserve(pool) {
            self.attempts = self.attempts.saturating_add(1);
            self.extra_requests += 1;
            self.on_reserve = true;
            self.current = Some(account.clone());
            self.asked_at = now;
            return Next::Attempt { account, attempt: self.attempts };
        }
        let Some(account) = self.choose(pool, now) else { return self.wait_or_stop(pool, now) };
        self.attempts = self.attempts.saturating_add(1);
        if self.outcome(&account).is_none() {
            self.tried.push((account.clone(), Outcome::Spent));
        }
        self.note(&account, Outcome::Spent);
        self.current = Some(account.clone());
        self.asked_at = now;
        pool.note_choice(&account);
        Next::Attempt { account, attempt: self.attempts }
    }

    /// Returns whether an account that was not tried yet would take over now.
    pub fn has_another(&self, pool: &Pool, now: At) -> bool {
        self.demand.account.is_none()
            && self.tried.len() < accounts_allowed(pool)
            && pool.best_where(&self.demand, now, |id| self.outcome(id).is_none()).is_some()
    }

    /// Applies the failure policy to the account of the current attempt.
    pub fn failed(&mut self, pool: &mut Pool, failure: &Failure, now: At) -> AfterFailure {
        let Some(account) = self.current.clone() else { return AfterFailure::Surface };
        if failure.is_from_upstream() {
            pool.unexplained_401s.clear();
        }
        let action = match action_for(failure.kind) {
            // Its model may refuse what the other one takes, so that says nothing about the request.
            FailureAction::Surface if self.on_reserve => FailureAction::PassOver,
            // A pause would be one of the whole account.
            FailureAction::Pause if self.on_reserve => FailureAction::Cool,
            FailureAction::Surface => {
                self.over = true;
                return AfterFailure::Surface;
            }
            FailureAction::ReplayOnce if self.may_replay(&account, failure, pool, now) => {
                self.extra_requests += 1;
                self.replayed.push(account);
                return AfterFailure::Replay;
            }
            FailureAction::ReplayOnce if failure.is_from_upstream() => FailureAction::NeedLogin,
            // A new token was refused as well, and nothing shows that upstream refused it.
            FailureAction::ReplayOnce => {
                pool.unexplained_401s.record(&account, now);
                FailureAction::BackOff
            }
            other => other,
        };
        self.current = None;
        if self.on_reserve {
            let until = pool.penalize(&account, action, &of_reserve(failure), Some(RESERVE_MODEL), now);
            return AfterFailure::Moved { until, pin_cleared: false };
        }
        let model = self.demand.model.as_deref();
        let is_unexplained = failure.kind == FailureKind::Unauthorized && action == FailureAction::BackOff;
        let trouble = is_unexplained.then(|| failure.as_trouble_on_the_way());
        let mut until = pool.penalize(&account, action, trouble.as_ref().unwrap_or(failure), model, now);
        if let (FailureAction::ExcludeModel, Some(model)) = (action, model) {
            until = pool.shorten_exclusions_by_all(&account, model, now).or(until);
        }
        self.note(
            &account,
            match action {
                FailureAction::BackOff => Outcome::Transient,
                FailureAction::Cool | FailureAction::Pause => Outcome::Cooled,
                _ => Outcome::Spent,
            },
        );
        AfterFailure::Moved { until, pin_cleared: action.ends_pin() && clear_pin(pool, &account) }
    }

    /// One repeat with a new token for each account, unless 401s come from something between us and upstream.
    fn may_replay(&self, account: &AccountId, failure: &Failure, pool: &Pool, now: At) -> bool {
        let paused = !failure.is_from_upstream() && pool.unexplained_401s.pauses_refresh(now);
        !paused && !self.replayed.contains(account) && self.extra_requests < MAX_EXTRA_REQUESTS
    }

    /// Returns whether the current attempt may be sent once more in another form. Each call uses up one.
    pub fn may_resend(&mut self) -> bool {
        let may = self.current.is_some() && self.extra_requests < MAX_EXTRA_REQUESTS;
        self.extra_requests += u32::from(may);
        may
    }

    /// Output began: from now on no other account takes over.
    pub fn accepted(&mut self, pool: &mut Pool, now: At) {
        self.over = true;
        pool.unexplained_401s.clear();
        self.keep_session(pool, now);
    }

    /// A limit in the middle of an answer cools the account as before output, and an overloaded upstream backs it off.
    /// Other failures say nothing about the account, which was answering.
    pub fn failed_after_output(&mut self, pool: &mut Pool, failure: &Failure, now: At) -> AfterOutput {
        self.over = true;
        let action = action_for(failure.kind);
        let is_overloaded = matches!(failure.kind, FailureKind::Overloaded | FailureKind::ServerError);
        let counts = is_overloaded
            || matches!(action, FailureAction::Cool | FailureAction::Pause | FailureAction::Deactivate);
        let Some(account) = self.current.take().filter(|_| counts) else {
            return AfterOutput { until: None, pin_cleared: false };
        };
        if self.on_reserve {
            let until = pool.penalize(&account, action, &of_reserve(failure), Some(RESERVE_MODEL), now);
            return AfterOutput { until, pin_cleared: false };
        }
        let until = pool.penalize(&account, action, failure, self.demand.model.as_deref(), now);
        AfterOutput { until, pin_cleared: action.ends_pin() && clear_pin(pool, &account) }
    }

    /// The answer ended, completed or incomplete.
    pub fn succeeded(&mut self, pool: &mut Pool, now: At) {
        self.over = true;
        self.keep_session(pool, now);
        if let Some(account) = self.current.take() {
            let model = self.model().map(str::to_owned);
            let limit = match self.on_reserve {
                true => Some(RESERVE_LIMIT.to_owned()),
                false => model.as_deref().and_then(|model| pool.limit_of(model)).map(str::to_owned),
            };
            pool.update(&account, |account| {
                account.health.succeed(now);
                account.health.refute(limit.as_deref(), self.asked_at, now);
                if let Some(model) = &model {
                    account.health.allow_model(model, now);
                }
                true
            });
        }
    }

    /// Returns the account of the next attempt, and records which exception it used up, if any.
    fn choose(&mut self, pool: &mut Pool, now: At) -> Option<AccountId> {
        if let Some(named) = &self.demand.account {
            return self.choose_named(pool, named.clone(), now);
        }
        self.clear_unusable_pin(pool, now);
        let best = |admits: &dyn Fn(Option<Outcome>) -> bool| {
            pool.best_where(&self.demand, now, |id| admits(self.outcome(id)))
        };
        if let Waiting::Until(_) = self.wait {
            let found = pool.best_where(&self.demand, now, |id| self.is_worth_waiting_for(pool, id));
            if let Some(found) = &found {
                self.wait = Waiting::Over;
                self.extra_requests += u32::from(self.outcome(found).is_some());
            }
            return found;
        }
        if let Some(fresh) = best(&|outcome| outcome.is_none()) {
            return (self.tried.len() < accounts_allowed(pool)).then_some(fresh);
        }
        // All accounts that are left refused this model before. They are tried one after the other: one of them may
        // have it now, and otherwise upstream's own error says so.
        let refused = pool.best_refused(&self.demand, now, |id| self.outcome(id).is_none());
        if refused.is_some() && self.tried.len() < accounts_allowed(pool) {
            return refused;
        }
        if !self.tried_once_more && self.extra_requests < MAX_EXTRA_REQUESTS {
            let again = best(&|outcome| outcome == Some(Outcome::Transient));
            self.tried_once_more = again.is_some();
            self.extra_requests += u32::from(again.is_some());
            return again;
        }
        None
    }

    fn choose_named(&mut self, pool: &Pool, named: AccountId, now: At) -> Option<AccountId> {
        let account = pool.get(&named)?;
        if self.attempts == 0 {
            return why_not_named(account, pool.need(&self.demand), now).is_none().then_some(named);
        }
        let again = !self.tried_once_more && self.outcome(&named) == Some(Outcome::Transient);
        self.tried_once_more |= again;
        (again && lasting(account).is_none()).then_some(named)
    }

    fn wait_or_stop(&mut self, pool: &Pool, now: At) -> Next {
        if let Some(named) = &self.demand.account {
            let why_not = pool.get(named).and_then(|account| why_not(account, pool.need(&self.demand), now));
            let kind =
                if self.attempts == 0 { EndingKind::AccountUnavailable } else { EndingKind::LastFailure };
            return stop(kind, why_not.and_then(WhyNotEligible::until));
        }
        let need = pool.need(&self.demand);
        let (mut ready, mut lasting, mut needs_login) = (false, true, false);
        let (mut earliest, mut worth_waiting) = (None::<At>, None::<(At, &AccountId)>);
        for account in &pool.accounts {
            let why_not = why_not(account, need, now);
            ready |= matches!(why_not, None | Some(WhyNotEligible::ModelExcluded { .. }));
            lasting &= why_not.is_some_and(WhyNotEligible::is_lasting);
            needs_login |= why_not == Some(WhyNotEligible::NeedsLogin);
            let Some(until) = why_not.and_then(WhyNotEligible::until) else { continue };
            earliest = Some(earliest.map_or(until, |at| at.min(until)));
            if self.is_worth_waiting_for(pool, &account.id) {
                let this = (until, &account.id);
                worth_waiting = Some(worth_waiting.map_or(this, |first| first.min(this)));
            }
        }
        let untried_remain =
            ready && pool.best_where(&self.demand, now, |id| self.outcome(id).is_none()).is_some();
        if let (Some((until, account)), false) = (worth_waiting, untried_remain)
            && self.may_wait(pool, until, now)
        {
            return Next::Wait { account: account.clone(), until };
        }
        if ready {
            stop(EndingKind::LastFailure, None)
        } else if needs_login && lasting {
            stop(EndingKind::LoginRequired, None)
        } else {
            stop(EndingKind::NoAvailableAccount, earliest)
        }
    }

    /// Returns whether an account may be tried after a wait: one that was not tried, or one that only cooled.
    fn is_worth_waiting_for(&self, pool: &Pool, id: &AccountId) -> bool {
        match self.outcome(id) {
            None => self.tried.len() < accounts_allowed(pool),
            Some(Outcome::Cooled) => self.extra_requests < MAX_EXTRA_REQUESTS,
            Some(Outcome::Spent | Outcome::Transient) => false,
        }
    }

    /// The whole wait of a completion stays within the limit, even if an account becomes available later than it said.
    fn may_wait(&mut self, pool: &Pool, until: At, now: At) -> bool {
        let deadline = match self.wait {
            Waiting::NotYet => pool.settings.wait_for_reset.map(|bound| now + bound),
            Waiting::Until(deadline) => Some(deadline),
            Waiting::Over => None,
        };
        let Some(deadline) = deadline.filter(|deadline| until <= *deadline) else { return false };
        self.wait = Waiting::Until(deadline);
        true
    }

    /// Clears and reports a pin to an account that is used up or needs a person. A short pause, or a model that it does
    /// not have, leaves it pinned.
    fn clear_unusable_pin(&mut self, pool: &mut Pool, now: At) {
        let Some(account) = pool.pinned().and_then(|pin| pool.get(pin)) else { return };
        let drained = match why_not(account, pool.need(&self.demand), now) {
            Some(WhyNotEligible::Cooling { kind, .. }) => action_for(kind).ends_pin(),
            Some(why_not) => why_not.is_lasting(),
            None => false,
        };
        if drained {
            self.pin_cleared = Some(account.id.clone());
            pool.unpin();
        }
    }

    /// The reserve answers for once: the session stays with the account that has its cache.
    fn keep_session(&mut self, pool: &mut Pool, now: At) {
        if self.on_reserve {
            return;
        }
        if let (Some(session), Some(account)) = (&self.demand.session, &self.current) {
            self.switched_session |= pool.affinity.get(session, now).is_some_and(|last| last != account);
            pool.affinity.set(session, account.clone(), now);
        }
    }

    fn next_of_reserve(&mut self, pool: &Pool) -> Option<AccountId> {
        while let Some(account) = self.reserve.pop_front() {
            let is_usable = pool.get(&account).is_some_and(|account| lasting(account).is_none());
            if is_usable && self.extra_requests < MAX_EXTRA_REQUESTS {
                return Some(account);
            }
        }
        None
    }

    fn outcome(&self, id: &AccountId) -> Option<Outcome> {
        self.tried.iter().find(|(tried, _)| tried == id).map(|(_, outcome)| *outcome)
    }

    fn note(&mut self, id: &AccountId, outcome: Outcome) {
        if let Some((_, slot)) = self.tried.iter_mut().find(|(tried, _)| tried == id) {
            *slot = outcome;
        }
    }
}

/// What the reserve refuses is its own limit, and no other.
fn of_reserve(failure: &Failure) -> Failure {
    Failure { limit_id: Some(RESERVE_LIMIT.to_owned()), whole_workspace: false, ..failure.clone() }
}

/// How many accounts one completion may try.
fn accounts_allowed(pool: &Pool) -> usize {
    usize::try_from(pool.settings.max_attempts.max(1)).unwrap_or(usize::MAX)
}

fn stop(kind: EndingKind, retry_at: Option<At>) -> Next {
    Next::Stop(Ending { kind, retry_at })
}

fn clear_pin(pool: &mut Pool, account: &AccountId) -> bool {
    pool.pinned() == Some(account) && pool.unpin()
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests;
