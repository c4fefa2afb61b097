//! Whose usage is read when, by any of the user's sidecars. There is no randomness: from one record all of them compute
//! the same times, so the first one reads, and the others see that it did.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::pool::health::cooldown::USAGE_LAG;
use crate::pool::{Account, AccountId, At, Certainty, Cooldown, Failure, FailureKind, HealthStatus};

/// A sidecar that asked and has no answer by then has died; a request and its one repeat take less.
const LONGEST_ASK: Duration = Duration::from_secs(30);
/// `retry-after` is obeyed up to here. A longer pause comes from a clock that was set back.
const LONGEST_REST: Duration = Duration::from_secs(24 * 60 * 60);
/// So many failures in a row cause a warning.
const FAILURES_IN_EARNEST: u32 = 3;
/// About how often a long cooldown is probed.
const PROBES: u32 = 12;

/// How often usage is read. Everything is derived from one interval, so that a test can speed it all up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollSchedule {
    interval: Duration,
}

/// When each account's usage was last read, and with what result. Shared by all sidecars of the user.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PollLog(pub BTreeMap<AccountId, PollRecord>);

#[derive(Clone, Debug, PartialEq)]
pub struct PollRecord {
    pub at: At,
    /// No answer has come yet.
    pub open: bool,
    /// In a row.
    pub failures: u32,
    /// Why it failed the last time.
    pub failure: Option<FailureKind>,
    /// The pause after a failure; after it the next try is due.
    pub rest_until: Option<At>,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextPoll {
    PollRecord(AccountId),
    /// Nothing before then; never, if there is no account to read.
    Wait(Option<At>),
}

/// Usage that could not be read several times in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsageTrouble {
    /// Of all accounts, with one cause.
    Everywhere(FailureKind),
    /// Of these accounts; empty when all are well.
    With(Vec<(AccountId, FailureKind)>),
}

impl PollSchedule {
    pub const fn every(interval: Duration) -> Self {
        PollSchedule { interval }
    }

    /// After the start the client's own requests come first.
    pub fn before_the_first(self) -> Duration {
        self.interval / 150
    }

    /// The pause between the requests for two accounts.
    pub fn gap(self) -> Duration {
        self.interval / 300
    }

    /// While no person works, and for the parts that response headers do not hold.
    pub fn slow(self) -> Duration {
        self.interval * 6
    }

    fn longest_ask(self) -> Duration {
        LONGEST_ASK.min(self.interval)
    }

    /// A minute, doubling to an hour.
    fn rest_after(self, failures: u32) -> Duration {
        (self.interval / 5).saturating_mul(1 << failures.saturating_sub(1).min(10)).min(self.interval * 12)
    }

    /// Each account has its own period, up to a fifth longer, so that they do not coincide.
    fn period(self, id: &AccountId, attended: bool) -> Duration {
        let interval = if attended { self.interval } else { self.slow() };
        interval + interval / 5 * u32::from(spread(id)) / u32::from(u16::MAX)
    }

    /// About twelve probes in a cooldown, none sooner than any other reading.
    fn probe_period(self, remaining: Duration, attended: bool) -> Duration {
        let least = if attended { self.interval } else { self.slow() };
        (remaining / PROBES).clamp(least, self.slow())
    }
}

impl PollLog {
    /// Returns which account to read now. `attended_at` is when a person last read or worked here: the numbers are for
    /// people, so without people they may get old.
    pub fn next(&self, accounts: &[Account], tempo: PollSchedule, attended_at: At, now: At) -> NextPoll {
        let worked_at = accounts.iter().filter_map(|account| account.health.last_used_at).max();
        let attended = now.since(attended_at.max(worked_at.unwrap_or_default())) < tempo.slow();
        let due = accounts
            .iter()
            .filter_map(|account| Some((self.due_at(account, tempo, attended, now)?, &account.id)))
            .min();
        let Some((due, id)) = due else { return NextPoll::Wait(None) };
        let last = self.0.values().map(|ask| ask.at).filter(|at| !at.is_ahead_of(now)).max();
        let due = due.max(last.map_or(At(0), |last| last + tempo.gap()));
        if due <= now { NextPoll::PollRecord(id.clone()) } else { NextPoll::Wait(Some(due)) }
    }

    /// Returns whether this account is due whatever the others wait for: after a limit without a date.
    pub fn is_due(&self, account: &Account, tempo: PollSchedule, now: At) -> bool {
        self.due_at(account, tempo, true, now).is_some_and(|due| due <= now)
    }

    /// Save this before the request is sent.
    pub fn ask(&mut self, id: &AccountId, now: At) {
        let before = self.0.remove(id);
        let (failures, failure) = before.map_or((0, None), |ask| (ask.failures, ask.failure));
        self.0.insert(id.clone(), PollRecord { at: now, open: true, failures, failure, rest_until: None });
    }

    pub fn answered(&mut self, id: &AccountId, answer: Result<(), &Failure>, tempo: PollSchedule, now: At) {
        let Some(ask) = self.0.get_mut(id) else { return };
        ask.open = false;
        match answer {
            Ok(()) => (ask.failures, ask.failure, ask.rest_until) = (0, None, None),
            Err(failure) => {
                ask.failures = ask.failures.saturating_add(1);
                ask.failure = Some(failure.kind);
                let told = failure.retry_after.unwrap_or_default().min(LONGEST_REST);
                ask.rest_until = Some(now + tempo.rest_after(ask.failures).max(told));
            }
        }
    }

    /// Accounts that were removed are forgotten once their record has no effect any more.
    pub fn forget_old(&mut self, now: At) {
        self.0.retain(|_, ask| now.since(ask.at) < LONGEST_REST * 2);
    }

    /// The last answer was a 401, also with a new token, so another token would not help.
    pub fn was_unauthorized(&self, id: &AccountId) -> bool {
        self.0.get(id).is_some_and(|ask| ask.failure == Some(FailureKind::Unauthorized))
    }

    pub fn trouble(&self, accounts: &[Account]) -> UsageTrouble {
        let asked = || accounts.iter().filter_map(|account| Some((account, self.0.get(&account.id)?)));
        let failing: Vec<(AccountId, FailureKind)> = asked()
            .filter(|(account, ask)| may_be_asked(account) && ask.failures >= FAILURES_IN_EARNEST)
            .filter_map(|(account, ask)| Some((account.id.clone(), ask.failure?)))
            .collect();
        let any_works = asked().any(|(account, ask)| may_be_asked(account) && ask.failures == 0);
        match failing.first() {
            Some((_, kind)) if failing.len() > 1 && !any_works => UsageTrouble::Everywhere(*kind),
            _ => UsageTrouble::With(failing),
        }
    }

    /// `None` for an account whose usage is not read.
    fn due_at(&self, account: &Account, tempo: PollSchedule, attended: bool, now: At) -> Option<At> {
        // Tokens are refreshed for completions and by the upkeep, not for usage.
        if !may_be_asked(account) || account.credential.expires_at <= now {
            return None;
        }
        let ask = self.0.get(&account.id);
        // A time in the future comes from a clock that was set back, and says nothing.
        let asked_at = ask.map(|ask| ask.at).filter(|at| !at.is_ahead_of(now));
        if let (Some(asked_at), true) = (asked_at, ask.is_some_and(|ask| ask.open)) {
            return Some(asked_at + tempo.longest_ask());
        }
        if let Some(until) = ask.and_then(|ask| ask.rest_until).filter(|until| *until <= now + LONGEST_REST) {
            return Some(until);
        }
        let health = &account.health;
        let held = |(_, cooldown): &&(String, Cooldown)| cooldown.until > now;
        let limits = health.limit_cooldowns.iter().filter(held).map(|(_, cooldown)| cooldown);
        let main = health.cooldown_of(None, now);
        let probed = limits.chain(main).filter(|cooldown| may_end_early(cooldown));
        let probe = probed.map(|cooldown| probe_at(cooldown, asked_at, tempo, attended, now)).min();
        // The next choice does not depend on the numbers of an account that waits for its reset.
        let slowly = main.is_some_and(may_end_early);
        let period = tempo.period(&account.id, attended);
        let read = health.usage.as_ref().filter(|usage| !usage.windows.is_empty());
        let read_at = read.map(|usage| usage.fetched_at).filter(|at| !at.is_ahead_of(now));
        let aged = asked_at.max(read_at).map_or(At(0), |known| known + period);
        let whole = asked_at.map_or(At(0), |asked| asked + tempo.slow().max(period));
        let regular = (!slowly).then_some(aged.min(whole));
        probe.into_iter().chain(regular).min()
    }
}

fn may_be_asked(account: &Account) -> bool {
    !account.disabled && account.health.standing == HealthStatus::Good
}

/// Returns a cooldown that a usage reading may end.
fn may_end_early(cooldown: &Cooldown) -> bool {
    cooldown.certainty != Certainty::Directive
        && matches!(cooldown.why.kind, FailureKind::UsageLimit | FailureKind::Credits)
}

/// At once when it has no date; when a reading counts for the first time; then again and again.
fn probe_at(cooldown: &Cooldown, asked_at: Option<At>, tempo: PollSchedule, attended: bool, now: At) -> At {
    let since = cooldown.why.since.not_ahead_of(now);
    let counts_from = since + USAGE_LAG;
    match asked_at {
        Some(asked) if asked >= counts_from => {
            asked + tempo.probe_period(cooldown.until.since(asked), attended)
        }
        Some(asked) if asked >= since => counts_from,
        _ if cooldown.certainty == Certainty::Guess => since,
        _ => counts_from,
    }
}

/// Returns a number that is derived from the account id and evenly distributed (FNV-1a).
fn spread(id: &AccountId) -> u16 {
    let hash = id.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // Ids that differ in their last byte differ only in the lowest bits before this.
    ((hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as u16
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
