//! What all sidecars of a user know about refresh tokens that were sent: whether one may be sent (again), and when. It
//! holds hashes, never a token; who asks brings the hash.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::pool::{AccountId, At, FailureKind};

/// So many invalidations within [`INVALIDATIONS_WITHIN`] stop all refreshing on the host: refreshing sibling accounts in
/// a burst is what gets token families revoked, and going on would failover through the whole pool.
const INVALIDATIONS: usize = 3;
const INVALIDATIONS_WITHIN: Duration = Duration::from_secs(5 * 60);
const PAUSE: Duration = Duration::from_secs(10 * 60);
/// The codes with which upstream says that it revoked a family of tokens.
const INVALIDATION_CODES: [&str; 2] = ["refresh_token_invalidated", "token_invalidated"];
/// The code with which upstream says that a refresh token was refreshed before, whoever did it.
const REUSED: &str = "refresh_token_reused";

/// After a transient failure an account's token is not sent again for this long, doubling to [`LONGEST_REST`].
const FIRST_REST: Duration = Duration::from_secs(5);
const LONGEST_REST: Duration = Duration::from_secs(10 * 60);

/// After an answer of the token endpoint was lost no other token is sent for this long: what loses one answer loses the
/// next, and each loss leaves an account in doubt.
const PAUSE_AFTER_LOSS: Duration = Duration::from_secs(60);

/// Hashes that are remembered; the oldest give way.
const MAX_TOKENS: usize = 2048;

/// Stands for a refresh token without being one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash(pub String);

/// What is known about refresh tokens, shared by all sidecars of the user.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RefreshLedger {
    pub tokens: BTreeMap<TokenHash, TokenRecord>,
    pub rests: BTreeMap<AccountId, Rest>,
    /// When upstream last revoked something, the latest last.
    pub invalidations: Vec<At>,
    pub paused_until: Option<At>,
    /// When an answer was lost, unless one has arrived since.
    pub lost_at: Option<At>,
    /// When the last refresh ended: the lane rests after it.
    pub last_ended_at: Option<At>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TokenRecord {
    /// Whose it was.
    pub account: AccountId,
    pub at: At,
    pub fate: RefreshTokenStatus,
}

/// What became of a refresh token.
#[derive(Clone, Debug, PartialEq)]
pub enum RefreshTokenStatus {
    /// It was about to be sent, and no result is known: it may be consumed. `again` when that was not the first time.
    Sent { again: bool },
    /// It was exchanged for another.
    Consumed,
    /// Upstream refused it for good.
    Refused(Refusal),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// `LoginRequired` or `Deactivated`.
    pub kind: FailureKind,
    pub status: Option<u16>,
    /// Upstream's own code.
    pub code: Option<String>,
}

/// An account whose token is left alone for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Rest {
    pub until: At,
    /// Transient failures in a row.
    pub failures: u32,
    pub message: String,
}

/// Who wants a token refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefreshMode {
    /// The sidecar, because one is needed.
    Needed,
    /// The user, by `force`: what was refused, lost or is resting may be tried once more.
    Forced,
}

/// Why a refresh token is not sent.
#[derive(Clone, Debug, PartialEq)]
pub enum WhyNotRefreshed {
    /// Sending it again could get the whole family revoked.
    Consumed,
    Refused(Refusal),
    OutcomeUnknown {
        since: At,
    },
    /// All refreshing on the host is stopped.
    Paused {
        until: At,
    },
    Resting {
        until: At,
        message: String,
    },
}

/// How sending a refresh token ended.
#[derive(Clone, Debug, PartialEq)]
pub enum RefreshOutcome {
    /// The answer held a new refresh token.
    Replaced,
    /// The answer held none: the old one is still good.
    Kept,
    Refused(Refusal),
    /// It was not accepted for now, and is not consumed.
    NotNow {
        message: String,
        retry_after: Option<Duration>,
    },
    /// No answer arrived.
    Lost,
}

impl RefreshLedger {
    /// What stands against sending this token of this account now.
    pub fn why_not(
        &self,
        account: &AccountId,
        hash: &TokenHash,
        urge: RefreshMode,
        now: At,
    ) -> Option<WhyNotRefreshed> {
        let needed = urge == RefreshMode::Needed;
        match self.tokens.get(hash) {
            Some(TokenRecord { fate: RefreshTokenStatus::Consumed, .. }) => {
                return Some(WhyNotRefreshed::Consumed);
            }
            Some(TokenRecord { fate: RefreshTokenStatus::Refused(refusal), .. }) if needed => {
                return Some(WhyNotRefreshed::Refused(refusal.clone()));
            }
            Some(TokenRecord { fate: RefreshTokenStatus::Sent { .. }, at, .. }) if needed => {
                return Some(WhyNotRefreshed::OutcomeUnknown { since: *at });
            }
            _ => {}
        }
        // One that seems longer than any can be comes of a clock that was set back.
        if let Some(until) = self.paused_until.filter(|until| *until > now && *until <= now + PAUSE) {
            return Some(WhyNotRefreshed::Paused { until });
        }
        let end_of_pause = self.lost_at.map(|lost| lost + PAUSE_AFTER_LOSS);
        if let Some(until) =
            end_of_pause.filter(|until| needed && *until > now && *until <= now + PAUSE_AFTER_LOSS)
        {
            let message = "the token endpoint lost an answer a moment ago".to_owned();
            return Some(WhyNotRefreshed::Resting { until, message });
        }
        let is_on = |rest: &&Rest| rest.until > now && rest.until <= now + LONGEST_REST;
        let rest = self.rests.get(account).filter(|rest| needed && is_on(rest))?;
        Some(WhyNotRefreshed::Resting { until: rest.until, message: rest.message.clone() })
    }

    pub fn is_consumed(&self, hash: &TokenHash) -> bool {
        matches!(self.tokens.get(hash), Some(TokenRecord { fate: RefreshTokenStatus::Consumed, .. }))
    }

    /// Since when it is not known what became of this token.
    pub fn unknown_since(&self, hash: &TokenHash) -> Option<At> {
        match self.tokens.get(hash) {
            Some(TokenRecord { fate: RefreshTokenStatus::Sent { .. }, at, .. }) => Some(*at),
            _ => None,
        }
    }

    /// How long the lane still rests after the last refresh.
    pub fn lane_rest(&self, spacing: Duration, now: At) -> Duration {
        let rest = self.last_ended_at.map_or(Duration::ZERO, |ended| (ended + spacing).since(now));
        // A clock that was set back must not stop the lane.
        rest.min(spacing)
    }

    /// To be saved before the token is sent.
    pub fn intend(&mut self, account: &AccountId, hash: &TokenHash, now: At) {
        let again = self.tokens.contains_key(hash);
        self.record(account, hash, RefreshTokenStatus::Sent { again }, now);
    }

    /// To be saved when the answer is stored. Returns the end of the pause that it began.
    pub fn settle(
        &mut self,
        account: &AccountId,
        hash: &TokenHash,
        outcome: &RefreshOutcome,
        now: At,
    ) -> Option<At> {
        self.last_ended_at = Some(now);
        self.lost_at = (*outcome == RefreshOutcome::Lost).then_some(now);
        match outcome {
            RefreshOutcome::Replaced => self.record(account, hash, RefreshTokenStatus::Consumed, now),
            RefreshOutcome::Kept => {
                self.tokens.remove(hash);
            }
            RefreshOutcome::Refused(refusal) if refusal.code.as_deref() == Some(REUSED) => {
                self.record(account, hash, RefreshTokenStatus::Consumed, now);
            }
            RefreshOutcome::Refused(refusal) => {
                self.record(account, hash, RefreshTokenStatus::Refused(refusal.clone()), now);
            }
            RefreshOutcome::NotNow { message, retry_after } => {
                // What an earlier try left open, a refusal for now does not close.
                let first = self
                    .tokens
                    .get(hash)
                    .is_none_or(|record| record.fate == RefreshTokenStatus::Sent { again: false });
                if first {
                    self.tokens.remove(hash);
                }
                self.rest(account, message, *retry_after, now);
                return None;
            }
            RefreshOutcome::Lost => return None,
        }
        self.rests.remove(account);
        match outcome {
            RefreshOutcome::Refused(refusal) => self.count_invalidation(refusal, now),
            _ => None,
        }
    }

    /// Takes over what another journal knows. Of what both know, the more careful stands.
    pub fn join(&mut self, other: RefreshLedger) {
        for (hash, theirs) in other.tokens {
            let is_known = self.tokens.get(&hash).is_some_and(|mine| {
                mine.fate == RefreshTokenStatus::Consumed || theirs.fate != RefreshTokenStatus::Consumed
            });
            if !is_known {
                self.tokens.insert(hash, theirs);
            }
        }
        for (account, theirs) in other.rests {
            let mine = self.rests.entry(account).or_insert_with(|| theirs.clone());
            if theirs.until > mine.until {
                *mine = theirs;
            }
        }
        self.invalidations.extend(other.invalidations);
        self.invalidations.sort();
        self.invalidations.dedup();
        self.paused_until = self.paused_until.max(other.paused_until);
        self.lost_at = self.lost_at.max(other.lost_at);
        self.last_ended_at = self.last_ended_at.max(other.last_ended_at);
    }

    /// The account holds another token now than some that were sent for it: those are consumed, whatever happened.
    /// Says whether any was left.
    pub fn supersede(&mut self, account: &AccountId, held: &TokenHash) -> bool {
        let mut any = false;
        for (hash, record) in &mut self.tokens {
            if record.account == *account
                && hash != held
                && matches!(record.fate, RefreshTokenStatus::Sent { .. })
            {
                record.fate = RefreshTokenStatus::Consumed;
                any = true;
            }
        }
        any
    }

    fn record(&mut self, account: &AccountId, hash: &TokenHash, fate: RefreshTokenStatus, now: At) {
        self.tokens.insert(hash.clone(), TokenRecord { account: account.clone(), at: now, fate });
        while self.tokens.len() > MAX_TOKENS {
            let oldest = self.tokens.iter().min_by_key(|(_, record)| record.at).map(|(hash, _)| hash.clone());
            let Some(oldest) = oldest else { break };
            self.tokens.remove(&oldest);
        }
    }

    fn rest(&mut self, account: &AccountId, message: &str, retry_after: Option<Duration>, now: At) {
        let failures = self.rests.get(account).map_or(0, |rest| rest.failures).saturating_add(1);
        let doubled = FIRST_REST.saturating_mul(1 << (failures - 1).min(16));
        let rest = doubled.max(retry_after.unwrap_or_default()).min(LONGEST_REST);
        self.rests.insert(account.clone(), Rest { until: now + rest, failures, message: message.to_owned() });
    }

    fn count_invalidation(&mut self, refusal: &Refusal, now: At) -> Option<At> {
        if !refusal.code.as_deref().is_some_and(|code| INVALIDATION_CODES.contains(&code)) {
            return None;
        }
        self.invalidations.push(now);
        self.invalidations.retain(|at| now.since(*at) < INVALIDATIONS_WITHIN);
        if self.invalidations.len() < INVALIDATIONS {
            return None;
        }
        self.invalidations.clear();
        self.paused_until = Some(now + PAUSE);
        self.paused_until
    }
}

impl fmt::Display for WhyNotRefreshed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WhyNotRefreshed::Consumed => {
                f.write_str("the refresh token was refreshed before and is not sent again")
            }
            WhyNotRefreshed::Refused(refusal) => {
                f.write_str("the refresh token was refused for good")?;
                match &refusal.code {
                    Some(code) => write!(f, ": {code}"),
                    None => Ok(()),
                }
            }
            WhyNotRefreshed::OutcomeUnknown { .. } => f.write_str(
                "the refresh token was sent and no answer arrived; it may be consumed and is not sent again by itself",
            ),
            WhyNotRefreshed::Paused { until } => {
                write!(f, "upstream revoked several logins, so no token is refreshed until {until}")
            }
            WhyNotRefreshed::Resting { message, .. } => write!(f, "{message}; it is tried again soon"),
        }
    }
}

#[cfg(test)]
mod tests;
