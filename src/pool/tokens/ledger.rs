//! What all sidecars of a user know about refresh tokens that were sent: whether one may be sent (again), and when. It
//! holds hashes, never a token; the caller brings the hash.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::pool::{AccountId, At, FailureKind};

/// This many invalidations within [`INVALIDATIONS_WITHIN`] stop all refreshing on the host. Refreshing several accounts
/// in quick succession gets token families revoked, and going on would do that to the whole pool.
const INVALIDATIONS: usize = 3;
const INVALIDATIONS_WITHIN: Duration = Duration::from_secs(5 * 60);
const PAUSE: Duration = Duration::from_secs(10 * 60);
/// The codes with which upstream says that it revoked a family of tokens.
const INVALIDATION_CODES: [&str; 2] = ["refresh_token_invalidated", "token_invalidated"];
/// The code of upstream for a refresh token that was already used, by any program.
const REUSED: &str = "refresh_token_reused";

/// After a transient failure an account's token is not sent for this long, doubling up to [`LONGEST_REST`].
const FIRST_REST: Duration = Duration::from_secs(5);
const LONGEST_REST: Duration = Duration::from_secs(10 * 60);

/// After an answer of the token endpoint was lost, no other token is sent for this long: the same cause would lose the
/// next answer, and each loss leaves an account uncertain.
const PAUSE_AFTER_LOSS: Duration = Duration::from_secs(60);

/// How many hashes are kept; the oldest are dropped.
const MAX_TOKENS: usize = 2048;

/// Identifies a refresh token and cannot be used as one.
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
    /// When an answer was lost, unless one arrived since.
    pub lost_at: Option<At>,
    /// When the last refresh ended; the lane pauses after it.
    pub last_ended_at: Option<At>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TokenRecord {
    /// The account it belongs to.
    pub account: AccountId,
    pub at: At,
    pub fate: RefreshTokenStatus,
}

/// The state of a refresh token.
#[derive(Clone, Debug, PartialEq)]
pub enum RefreshTokenStatus {
    /// It was about to be sent, and no result is known, so it may be consumed. `again` when it was not the first time.
    Sent { again: bool },
    /// It was exchanged for another token.
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

/// An account whose token is not sent for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Rest {
    pub until: At,
    /// Transient failures in a row.
    pub failures: u32,
    pub message: String,
}

/// Who asks for a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefreshMode {
    /// The sidecar, because a token is needed.
    Needed,
    /// The user, with `force`: a token that was refused, lost or backed off may be tried once more.
    Forced,
}

/// Why a refresh token is not sent.
#[derive(Clone, Debug, PartialEq)]
pub enum WhyNotRefreshed {
    /// Sending it again could revoke all its successors.
    Consumed,
    Refused(Refusal),
    OutcomeUnknown {
        since: At,
    },
    /// All refreshing on the host is paused.
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
    /// The answer held none: the old one stays valid.
    Kept,
    Refused(Refusal),
    /// It was refused for now, and is not consumed.
    NotNow {
        message: String,
        retry_after: Option<Duration>,
    },
    /// No answer arrived.
    Lost,
}

impl RefreshLedger {
    /// Returns why this token of this account must not be sent now, if so.
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
        // A pause longer than any possible one comes from a clock that was set back.
        if let Some(until) = self.paused_until.filter(|until| *until > now && *until <= now + PAUSE) {
            return Some(WhyNotRefreshed::Paused { until });
        }
        let end_of_pause = self.lost_at.map(|lost| lost + PAUSE_AFTER_LOSS);
        if let Some(until) =
            end_of_pause.filter(|until| needed && *until > now && *until <= now + PAUSE_AFTER_LOSS)
        {
            let message = "an answer of the token endpoint was lost a moment ago".to_owned();
            return Some(WhyNotRefreshed::Resting { until, message });
        }
        let is_on = |rest: &&Rest| rest.until > now && rest.until <= now + LONGEST_REST;
        let rest = self.rests.get(account).filter(|rest| needed && is_on(rest))?;
        Some(WhyNotRefreshed::Resting { until: rest.until, message: rest.message.clone() })
    }

    pub fn is_consumed(&self, hash: &TokenHash) -> bool {
        matches!(self.tokens.get(hash), Some(TokenRecord { fate: RefreshTokenStatus::Consumed, .. }))
    }

    /// Returns since when the outcome of this token is unknown.
    pub fn unknown_since(&self, hash: &TokenHash) -> Option<At> {
        match self.tokens.get(hash) {
            Some(TokenRecord { fate: RefreshTokenStatus::Sent { .. }, at, .. }) => Some(*at),
            _ => None,
        }
    }

    /// Returns how long the lane still pauses after the last refresh.
    pub fn lane_rest(&self, spacing: Duration, now: At) -> Duration {
        let rest = self.last_ended_at.map_or(Duration::ZERO, |ended| (ended + spacing).since(now));
        // A clock that was set back must not stop the lane.
        rest.min(spacing)
    }

    /// Save this before the token is sent.
    pub fn intend(&mut self, account: &AccountId, hash: &TokenHash, now: At) {
        let again = self.tokens.contains_key(hash);
        self.record(account, hash, RefreshTokenStatus::Sent { again }, now);
    }

    /// Save this after the answer is stored. Returns the end of the pause that it began.
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
                // A refusal for now does not settle what an earlier attempt left open.
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

    /// Merges another journal. Of two entries for one token, the more cautious one stays.
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

    /// The account now has another token than some that were sent for it: those are consumed, whatever the outcome was.
    /// Returns whether there were any.
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
                f.write_str("the refresh token was already used and is not sent again")
            }
            WhyNotRefreshed::Refused(refusal) => {
                f.write_str("the refresh token was refused for good")?;
                match &refusal.code {
                    Some(code) => write!(f, ": {code}"),
                    None => Ok(()),
                }
            }
            WhyNotRefreshed::OutcomeUnknown { .. } => f.write_str(
                "the refresh token was sent and no answer arrived; it may be consumed and is not sent again automatically",
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
