//! One week with one policy: the pool decides by what it knows, and the true state answers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use multicodex::pool::{
    Account, AccountId, At, Certainty, Cooldown, Credential, Demand, Failover, Failure, FailureKind,
    Identity, Next, Pool, RotationSettings, UsageSource,
};
use multicodex::secret::Secret;

use super::rng::{DAY, MINUTE, Rng, SECOND};
use super::sessions::{Session, twenty};
use super::upstream::{Truth, fleet};

/// Midnight before a Monday; any one will do.
const MONDAY: i64 = 20_000 * DAY;
/// How old a usage reading may get before the account is asked.
const STALE: i64 = 5 * MINUTE;

#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub served: u64,
    /// No account could have served.
    pub nothing_left: u64,
    /// An account could have served and was not tried.
    pub left_out: u64,
    /// Only an account could have served whose state could not be known: the user had reset it early since the last
    /// reading, or less than a minute ago an answer told it to wait without a time.
    pub unforeseen: u64,
    /// Attempts that failed, whatever the completion's end.
    pub failed_attempts: u64,
    /// Turns that another account served than the turn before.
    pub switches: u64,
    pub context: i64,
    pub cache_lost: i64,
    /// Items of reasoning that turns replayed, and those of them that another account had produced.
    pub reasoning: i64,
    pub reasoning_removed: i64,
    /// At full price.
    pub spent: i64,
}

impl Tally {
    pub fn add(&mut self, week: &Tally) {
        self.served += week.served;
        self.nothing_left += week.nothing_left;
        self.left_out += week.left_out;
        self.unforeseen += week.unforeseen;
        self.failed_attempts += week.failed_attempts;
        self.switches += week.switches;
        self.context += week.context;
        self.cache_lost += week.cache_lost;
        self.reasoning += week.reasoning;
        self.reasoning_removed += week.reasoning_removed;
        self.spent += week.spent;
    }
}

struct Week {
    pool: Pool,
    fleet: Vec<Truth>,
    sessions: Vec<Session>,
    queue: BinaryHeap<Reverse<(i64, u64, Event)>>,
    queued: u64,
    /// Completions in progress; their positions stay.
    answering: Vec<Option<Answering>>,
    dice: Rng,
    tally: Tally,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Turn { session: usize },
    Answered { completion: usize },
    AskForUsage,
    Login { account: usize },
    EarlyReset { account: usize },
}

struct Answering {
    session: usize,
    account: AccountId,
    walk: Failover,
    sent_at: i64,
    cost: i64,
}

/// `share` is the percentage of an ample quota that the accounts have.
pub fn week(settings: RotationSettings, share: i64, seed: u64) -> Tally {
    let mut dice = Rng(seed);
    let (fleet, sessions) = (fleet(share, &mut dice), twenty(&mut dice));
    let mut pool = Pool::new(settings);
    pool.sync(fleet.iter().map(account).collect(), At(MONDAY));
    let queue = BinaryHeap::new();
    let mut week = Week {
        pool,
        fleet,
        sessions,
        queue,
        queued: 0,
        answering: Vec::new(),
        dice,
        tally: Tally::default(),
    };
    week.at(0, Event::AskForUsage);
    for session in 0..week.sessions.len() {
        week.next_turn(session, 0);
    }
    for account in 0..week.fleet.len() {
        if let Some((_, back_at)) = week.fleet[account].logged_out {
            week.at(back_at, Event::Login { account });
        }
        if let Some(at) = week.fleet[account].early_reset {
            week.at(at, Event::EarlyReset { account });
        }
    }
    while let Some(Reverse((now, _, event))) = week.queue.pop().filter(|Reverse((at, ..))| *at < 7 * DAY) {
        week.happens(event, now);
    }
    week.tally
}

impl Week {
    fn happens(&mut self, event: Event, now: i64) {
        match event {
            Event::Turn { session } => self.turn(session, now),
            Event::Answered { completion } => self.answered(completion, now),
            Event::AskForUsage => self.ask_for_usage(now),
            Event::Login { account } => {
                self.pool.set_credential(&self.fleet[account].id, credential(&self.fleet[account].id, now));
            }
            Event::EarlyReset { account } => self.fleet[account].start_anew(),
        }
    }

    fn turn(&mut self, session: usize, now: i64) {
        let demand = Demand { session: Some(self.sessions[session].name.clone()), ..Demand::default() };
        let mut walk = Failover::new(demand);
        loop {
            let next = walk.next(&mut self.pool, at(now));
            let Next::Attempt { account, .. } = next else {
                *self.why_it_failed(now) += 1;
                return self.next_turn(session, now + 5 * MINUTE);
            };
            let place = self.place(&account);
            let Some(failure) = self.fleet[place].refusal(now, &mut self.dice) else {
                walk.accepted(&mut self.pool, at(now));
                return self.answer(session, account, walk, now);
            };
            self.tally.failed_attempts += 1;
            self.read_headers_of(place, &failure, now);
            walk.failed(&mut self.pool, &dated(failure), at(now));
        }
    }

    fn why_it_failed(&mut self, now: i64) -> &mut u64 {
        let mut could_have: Vec<&mut Truth> = self.fleet.iter_mut().collect();
        could_have.retain_mut(|truth| truth.can_serve(now));
        let was_known = |truth: &&mut Truth| {
            let health = self.pool.get(&truth.id).map(|account| &account.health).expect("in the pool");
            let heard_of = health.usage.as_ref().map(|usage| usage.fetched_at.0 - MONDAY);
            let is_guess = |cooldown: &&Cooldown| {
                cooldown.certainty == Certainty::Guess && cooldown.why.kind == FailureKind::RateLimit
            };
            let guessed = health.cooldown_of(None, at(now)).filter(is_guess);
            guessed.is_none() && !truth.was_reset_since(heard_of, now)
        };
        if could_have.is_empty() {
            &mut self.tally.nothing_left
        } else if could_have.iter().any(was_known) {
            &mut self.tally.left_out
        } else {
            &mut self.tally.unforeseen
        }
    }

    fn answer(&mut self, session: usize, account: AccountId, walk: Failover, now: i64) {
        let bill = self.sessions[session].bill(&account, now);
        self.tally.context += bill.context;
        self.tally.cache_lost += bill.cache_lost;
        self.tally.reasoning += bill.reasoning;
        self.tally.reasoning_removed += bill.reasoning_removed;
        self.tally.spent += bill.cost;
        self.tally.switches +=
            u64::from(self.sessions[session].last.as_ref().is_some_and(|last| *last != account));
        let completion = self.answering.len();
        self.answering.push(Some(Answering { session, account, walk, sent_at: now, cost: bill.cost }));
        let takes = self.sessions[session].dice.between(5 * SECOND, 45 * SECOND);
        self.at(now + takes, Event::Answered { completion });
    }

    fn answered(&mut self, completion: usize, now: i64) {
        let mut ended = self.answering[completion].take().expect("answered once");
        let place = self.place(&ended.account);
        self.fleet[place].spend(ended.cost, now);
        let reading = self.fleet[place].reading(ended.sent_at, now, UsageSource::StreamEvent);
        self.tell(place, reading, now);
        ended.walk.succeeded(&mut self.pool, at(now));
        self.tally.served += 1;
        self.sessions[ended.session].goes_on(&ended.account, now);
        let thinks = self.sessions[ended.session].dice.between(10 * SECOND, 60 * SECOND);
        self.next_turn(ended.session, now + thinks);
    }

    /// Most refusals for usage have the windows.
    fn read_headers_of(&mut self, place: usize, failure: &Failure, now: i64) {
        if failure.kind == FailureKind::UsageLimit && self.dice.percent(70) {
            let reading = self.fleet[place].reading(now, now, UsageSource::ResponseHeaders);
            self.tell(place, reading, now);
        }
    }

    fn ask_for_usage(&mut self, now: i64) {
        for place in 0..self.fleet.len() {
            let known =
                self.pool.get(&self.fleet[place].id).and_then(|account| account.health.usage.as_ref());
            let is_stale = known.is_none_or(|usage| at(now).0 - usage.fetched_at.0 >= STALE);
            if is_stale && self.fleet[place].answers_about_usage(now) {
                let reading = self.fleet[place].reading(now, now, UsageSource::UsageEndpoint);
                self.tell(place, reading, now);
            }
        }
        self.at(now + MINUTE, Event::AskForUsage);
    }

    fn tell(&mut self, place: usize, mut reading: multicodex::pool::UsageReading, now: i64) {
        for window in &mut reading.windows {
            window.resets_at = window.resets_at.map(|resets_at| at(resets_at.0));
        }
        (reading.requested_at, reading.fetched_at) = (at(reading.requested_at.0), at(reading.fetched_at.0));
        self.pool.apply_usage(&self.fleet[place].id.clone(), reading, at(now));
    }

    fn next_turn(&mut self, session: usize, after: i64) {
        if let Some(from) = self.sessions[session].works_from(after) {
            self.at(from, Event::Turn { session });
        }
    }

    fn at(&mut self, time: i64, event: Event) {
        self.queued += 1;
        self.queue.push(Reverse((time, self.queued, event)));
    }

    fn place(&self, account: &AccountId) -> usize {
        self.fleet.iter().position(|truth| truth.id == *account).expect("one of the fleet")
    }
}

/// The week counts from its Monday, the pool from 1970.
fn at(time: i64) -> At {
    At(MONDAY + time)
}

fn dated(failure: Failure) -> Failure {
    Failure { resets_at: failure.resets_at.map(|resets_at| at(resets_at.0)), ..failure }
}

fn account(truth: &Truth) -> Account {
    Account::new(truth.id.clone(), Identity::default(), truth.id.to_string(), credential(&truth.id, 0))
}

fn credential(id: &AccountId, issued: i64) -> Credential {
    Credential {
        access: Secret::new(format!("access-{id}-{issued}")),
        refresh: Secret::new(format!("refresh-{id}-{issued}")),
        expires_at: at(30 * DAY),
    }
}
