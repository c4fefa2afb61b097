//! A second, naive pool: it ranks accounts by filters applied one after another, and knows one window and one model.
//! Both pools run through days of generated events, and must agree on every choice.

use crate::pool::testing::id;
use crate::pool::*;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const SECOND: i64 = 1000;
const HOUR: i64 = 3600 * SECOND;

#[derive(Clone, Copy, Debug)]
enum Outcome {
    Success,
    UsageLimit { quoted: Option<i64> },
    RateLimit { retry_after: Option<u64> },
    Fails(FailureKind),
}

#[derive(Clone, Copy, Debug)]
struct Cooling {
    until: i64,
    certainty: Certainty,
    usage: bool,
    quoted: bool,
    since: i64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Naive {
    disabled: bool,
    shut: bool,
    cooling: Option<Cooling>,
    backoff: Option<(i64, u32)>,
    refused_model_until: i64,
    /// Used percent and reset of the week.
    week: Option<(f64, i64)>,
    last_used: Option<i64>,
    chosen: u64,
}

#[derive(Debug)]
struct Model {
    accounts: [Naive; 4],
    pin: Option<usize>,
    /// Who served the session last, and when.
    seat: Option<(usize, i64)>,
    choices: u64,
    logins: i64,
    settings: RotationSettings,
    now: i64,
}

impl Model {
    fn cooling(&self, who: usize) -> Option<Cooling> {
        self.accounts[who].cooling.filter(|cooling| cooling.until > self.now)
    }

    fn used(&self, who: usize) -> Option<f64> {
        self.accounts[who].week.map(|(used, reset)| if reset <= self.now { 0.0 } else { used })
    }

    fn available(&self, who: usize, model: bool) -> bool {
        let account = &self.accounts[who];
        let refused = model && account.refused_model_until > self.now;
        !account.disabled && !account.shut && self.cooling(who).is_none() && !refused
    }

    fn pick(&self, mut left: Vec<usize>, session: bool) -> Option<usize> {
        if let Some(pin) = self.pin.filter(|pin| left.contains(pin)) {
            return Some(pin);
        }
        let keep_if_any = |left: &mut Vec<usize>, good: &dyn Fn(usize) -> bool| {
            if left.iter().any(|&who| good(who)) {
                left.retain(|&who| good(who));
            }
        };
        let reserve = self.settings.reserve_percent;
        keep_if_any(&mut left, &|who| {
            self.used(who).is_none_or(|used| reserve == 0.0 || 100.0 - used >= reserve)
        });
        keep_if_any(&mut left, &|who| self.accounts[who].backoff.is_none_or(|(until, _)| until <= self.now));
        let sticks = session && self.settings.affinity == AffinityMode::Session;
        let seat = self.seat.filter(|(_, at)| sticks && self.now - at < 24 * HOUR);
        if let Some((seat, _)) = seat.filter(|(seat, _)| left.contains(seat)) {
            return Some(seat);
        }
        keep_if_any(&mut left, &|who| self.used(who).is_none_or(|used| used < 100.0));
        let by_reset = |who: usize| match (self.accounts[who].week, self.used(who)) {
            (None, _) | (_, None) => f64::INFINITY,
            (_, Some(0.0)) => f64::NEG_INFINITY,
            (Some((_, reset)), _) => reset as f64,
        };
        let score = |who: usize| match self.settings.strategy {
            Strategy::ResetFirst | Strategy::Priority => by_reset(who),
            Strategy::LeastUsed => self.used(who).unwrap_or(f64::INFINITY),
            Strategy::RoundRobin => self.accounts[who].chosen as f64,
        };
        if self.settings.strategy == Strategy::Priority {
            let priority = |who: usize| self.settings.priority.get(&id(NAMES[who])).copied().unwrap_or(0);
            let highest = left.iter().map(|&who| priority(who)).max()?;
            left.retain(|&who| priority(who) == highest);
        }
        let lowest = left.iter().map(|&who| score(who)).fold(f64::INFINITY, f64::min);
        left.retain(|&who| score(who) <= lowest);
        left.into_iter().min_by_key(|&who| (self.accounts[who].last_used, who))
    }

    fn cool(&mut self, who: usize, new: Cooling) {
        let held = self.cooling(who);
        let kept = held.filter(|held| match (held.certainty, new.certainty) {
            (Certainty::Guess, Certainty::Guess) => held.until > new.until,
            (Certainty::Guess, _) => false,
            (_, Certainty::Guess) => true,
            _ => held.until > new.until,
        });
        self.accounts[who].cooling = Some(Cooling { since: self.now, ..kept.unwrap_or(new) });
    }

    fn fail(&mut self, who: usize, outcome: Outcome) {
        let (now, usage) = (self.now, matches!(outcome, Outcome::UsageLimit { .. }));
        let cooling = |until, certainty, quoted| Cooling { until, certainty, usage, quoted, since: now };
        match outcome {
            Outcome::Success => {
                self.accounts[who].backoff = None;
                self.accounts[who].last_used = Some(now);
            }
            Outcome::UsageLimit { quoted } => {
                let quoted = quoted.map(|ms| now + ms);
                let exhausted =
                    self.accounts[who].week.filter(|(used, reset)| *used >= 100.0 && *reset > now);
                let until = quoted.into_iter().chain(exhausted.map(|(_, reset)| reset)).max();
                self.cool(
                    who,
                    match until {
                        Some(until) => cooling(until, Certainty::Prediction, quoted == Some(until)),
                        None => cooling(now + HOUR, Certainty::Guess, false),
                    },
                );
            }
            Outcome::RateLimit { retry_after: Some(secs) } => {
                let rest = i64::try_from(secs).unwrap_or(300).clamp(1, 300) * SECOND;
                self.cool(who, cooling(now + rest, Certainty::Directive, false));
            }
            Outcome::RateLimit { retry_after: None } => {
                self.cool(who, cooling(now + 60 * SECOND, Certainty::Guess, false));
            }
            Outcome::Fails(FailureKind::ServerError) => {
                let failures = self.accounts[who].backoff.map_or(1, |(_, failures)| failures + 1);
                let rest = (30 * SECOND * (1 << failures.saturating_sub(1).min(8))).min(600 * SECOND);
                self.accounts[who].backoff = Some((now + rest, failures));
            }
            Outcome::Fails(FailureKind::ModelUnsupported) => {
                self.accounts[who].refused_model_until = now + HOUR;
                let is_out =
                    |account: &Naive| account.disabled || account.shut || account.refused_model_until > now;
                if self.accounts.iter().all(is_out) {
                    for account in &mut self.accounts {
                        account.refused_model_until = account.refused_model_until.min(now + HOUR / 6);
                    }
                }
            }
            Outcome::Fails(FailureKind::WorkspaceDenied) => {}
            Outcome::Fails(_) => self.accounts[who].shut = true,
        }
        let drained =
            usage || matches!(outcome, Outcome::Fails(FailureKind::LoginRequired | FailureKind::Deactivated));
        if drained && self.pin == Some(who) {
            self.pin = None;
        }
    }

    fn read(&mut self, who: usize, used: f64, reset: i64, requested: i64) {
        let now = self.now;
        self.accounts[who].week = Some((used, reset));
        let Some(mut cooling) = self.cooling(who).filter(|cooling| cooling.usage) else { return };
        let fresh = requested >= cooling.since + 10 * SECOND;
        if used < 100.0 && fresh {
            cooling.until = now;
        } else if used >= 100.0 && (cooling.certainty == Certainty::Guess || reset > cooling.until) {
            (cooling.until, cooling.certainty) = (reset, Certainty::Prediction);
        } else if used >= 100.0 && !cooling.quoted && fresh && reset < cooling.until {
            (cooling.until, cooling.since) = (reset, requested);
        }
        self.accounts[who].cooling = Some(cooling);
    }
}

#[cfg(test)]
mod explained;
mod from_bytes;
#[cfg(test)]
mod generated;
mod lives;
#[cfg(test)]
mod promises;

pub use from_bytes::rotation;
