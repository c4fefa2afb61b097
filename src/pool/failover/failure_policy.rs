//! What a failed attempt means for its account (schema/protocol.md, "Which failure does what"). It does not choose the
//! next account.

use std::time::Duration;

use crate::pool::selection::eligibility::lasting;
use crate::pool::usage::latest_exhausted_reset;
use crate::pool::{
    Account, AccountId, At, Certainty, Cooldown, Failure, FailureKind, HealthEvidence, Pool, Source,
};

/// The action of a row of that table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureAction {
    /// Cools until the limit resets.
    Cool,
    /// Cools for as long as upstream says, from seconds to minutes.
    Pause,
    /// One repeat with a new token. A second refusal means that it needs a login.
    ReplayOnce,
    NeedLogin,
    Deactivate,
    /// Not used for this completion.
    PassOver,
    /// Ranks last for a while.
    BackOff,
    /// Not used for this model for a while.
    ExcludeModel,
    /// The fault is not the account's: another account would not help.
    Surface,
}

impl FailureAction {
    /// Returns whether this ends a pin to the account.
    pub(crate) fn ends_pin(self) -> bool {
        matches!(self, FailureAction::Cool | FailureAction::NeedLogin | FailureAction::Deactivate)
    }
}

pub(crate) fn action_for(kind: FailureKind) -> FailureAction {
    match kind {
        FailureKind::UsageLimit | FailureKind::Credits => FailureAction::Cool,
        FailureKind::RateLimit => FailureAction::Pause,
        FailureKind::Unauthorized => FailureAction::ReplayOnce,
        FailureKind::LoginRequired => FailureAction::NeedLogin,
        FailureKind::Deactivated => FailureAction::Deactivate,
        FailureKind::WorkspaceDenied
        | FailureKind::TokenUnavailable
        | FailureKind::Storage
        | FailureKind::OutcomeUnknown => FailureAction::PassOver,
        FailureKind::Overloaded
        | FailureKind::ServerError
        | FailureKind::Network
        | FailureKind::Challenge
        | FailureKind::StreamInterrupted
        | FailureKind::IdleTimeout
        | FailureKind::UpstreamProtocol => FailureAction::BackOff,
        FailureKind::ModelUnsupported => FailureAction::ExcludeModel,
        FailureKind::RequestRejected | FailureKind::ContextLengthExceeded => FailureAction::Surface,
    }
}

impl Pool {
    /// Applies the action to the account. Returns when it ends.
    pub(crate) fn penalize(
        &mut self,
        id: &AccountId,
        action: FailureAction,
        failure: &Failure,
        model: Option<&str>,
        now: At,
    ) -> Option<At> {
        self.observe_clock(now);
        let own_limit = own_limit(failure).filter(|_| action == FailureAction::Cool);
        if let (Some(model), Some(limit)) = (model, own_limit) {
            self.learn_limit(model, limit);
        }
        let fallback = self.settings.fallback_cooldown;
        if failure.whole_workspace && action == FailureAction::Cool {
            return self.cool_workspace(id, failure, now);
        }
        let mut until = None;
        self.update(id, |account| {
            match action {
                FailureAction::Cool => {
                    let cooldown = usage_cooldown(failure, account, fallback, now);
                    until = Some(account.health.cool(own_limit, cooldown, now));
                }
                FailureAction::Pause => {
                    until = Some(account.health.cool(None, rate_cooldown(failure, now), now))
                }
                FailureAction::BackOff => {
                    until = Some(account.health.back_off(HealthEvidence::of(failure, now), now))
                }
                FailureAction::ExcludeModel => {
                    until = model.map(|model| account.health.exclude_model(model, now))
                }
                FailureAction::NeedLogin => account.health.needs_login(HealthEvidence::of(failure, now)),
                FailureAction::Deactivate => account.health.deactivate(HealthEvidence::of(failure, now)),
                FailureAction::ReplayOnce | FailureAction::PassOver | FailureAction::Surface => return false,
            }
            true
        });
        until
    }

    /// When every account has refused the model, it is tried again sooner, because one of them may get it any time.
    /// Returns when it is tried with `id` again.
    pub(crate) fn shorten_exclusions_by_all(&mut self, id: &AccountId, model: &str, now: At) -> Option<At> {
        let is_out = |account: &Account| {
            lasting(account).is_some() || account.health.excluded_until(model, now).is_some()
        };
        if !self.accounts.iter().all(is_out) {
            return None;
        }
        let ids: Vec<AccountId> = self.accounts.iter().map(|account| account.id.clone()).collect();
        let mut until = None;
        for other in ids {
            self.update(&other, |account| {
                let end = account.health.shorten_exclusion(model, now);
                if other == *id {
                    until = end;
                }
                end.is_some()
            });
        }
        until
    }

    /// A limit of the organization or project: the same counter refuses every account of that workspace, so all of them
    /// cool. Returns when the refused one is available.
    fn cool_workspace(&mut self, id: &AccountId, failure: &Failure, now: At) -> Option<At> {
        let workspace = self.get(id)?.identity.workspace_id.clone();
        let is_of_it = |account: &Account| {
            account.id == *id || (workspace.is_some() && account.identity.workspace_id == workspace)
        };
        let members: Vec<AccountId> = self
            .accounts
            .iter()
            .filter(|account| is_of_it(account))
            .map(|account| account.id.clone())
            .collect();
        let fallback = self.settings.fallback_cooldown;
        let mut until = None;
        for member in members {
            self.update(&member, |account| {
                let cooldown = workspace_cooldown(failure, fallback, now);
                let end = account.health.cool(None, cooldown, now);
                if member == *id {
                    until = Some(end);
                }
                true
            });
        }
        until
    }
}

/// The windows of an account say nothing about a limit of its organization.
fn workspace_cooldown(failure: &Failure, fallback: Duration, now: At) -> Cooldown {
    let quoted_reset = failure.resets_at.filter(|reset| *reset > now);
    let mut why = HealthEvidence::of(failure, now);
    let (until, certainty) = match quoted_reset {
        Some(reset) => (reset, Certainty::Prediction),
        None => {
            why.source = Source::Fallback;
            (now + fallback, Certainty::Guess)
        }
    };
    Cooldown { until, certainty, quoted_reset, why }
}

/// Cools until the quoted reset, or the reset of the last exhausted window if that is later: an answer may quote the
/// five hours although the week is used up, too. If nothing is known, for as long as the settings say.
fn usage_cooldown(failure: &Failure, account: &Account, fallback: Duration, now: At) -> Cooldown {
    // A reset in the past, e.g. of clocks that differ, does not say when the limit ends.
    let quoted_reset = failure.resets_at.filter(|reset| *reset > now);
    let windows = account.health.usage.iter().flat_map(|usage| usage.all_windows(own_limit(failure)));
    let known = quoted_reset.max(latest_exhausted_reset(windows, now));
    let quoted_reset = quoted_reset.filter(|_| quoted_reset == known);
    let mut why = HealthEvidence::of(failure, now);
    match known {
        // It moves with the clock once that is corrected, and any reading replaces it.
        Some(until) if failure.is_by_our_clock && quoted_reset == known => {
            Cooldown { until, certainty: Certainty::Guess, quoted_reset: None, why }
        }
        Some(until) => Cooldown { until, certainty: Certainty::Prediction, quoted_reset, why },
        None => {
            why.source = Source::Fallback;
            Cooldown { until: now + fallback, certainty: Certainty::Guess, quoted_reset, why }
        }
    }
}

/// Returns `retry-after` within limits; a minute when it is absent.
fn rate_cooldown(failure: &Failure, now: At) -> Cooldown {
    const SHORTEST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(5 * 60);
    const ASSUMED: Duration = Duration::from_secs(60);
    let quoted_reset = failure.resets_at.filter(|reset| *reset > now);
    let told = failure.retry_after.or_else(|| quoted_reset.map(|reset| reset.since(now)));
    let certainty = if told.is_some() { Certainty::Directive } else { Certainty::Guess };
    let until = now + told.unwrap_or(ASSUMED).clamp(SHORTEST, LONGEST);
    Cooldown { until, certainty, quoted_reset, why: HealthEvidence::of(failure, now) }
}

/// Returns the separate limit that was met, when it was not the main one.
fn own_limit(failure: &Failure) -> Option<&str> {
    failure.limit_id.as_deref().filter(|limit| *limit != "codex")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::testing::{account, limited, reading, window};
    use crate::pool::{FIVE_HOURS, WEEK};

    const NOW: At = At(1_000_000);

    fn in_secs(secs: i64) -> At {
        At(NOW.0 + secs * 1000)
    }

    #[test]
    fn a_usage_limit_lasts_until_the_best_known_reset() {
        let windows = [
            window(FIVE_HOURS, 100.0, Some(in_secs(600))),
            window(WEEK, 100.0, Some(in_secs(9000))),
            window(43_200, 50.0, Some(in_secs(99_000))),
        ];
        let check = |quoted: Option<i64>, windows: &[crate::pool::Window], secs: i64, certainty, source| {
            let mut account = account("a");
            account.health.usage = Some(reading(windows, NOW).into());
            let failure = Failure { resets_at: quoted.map(in_secs), ..limited() };
            let cooldown = usage_cooldown(&failure, &account, Duration::from_secs(3600), NOW);
            assert_eq!(
                (cooldown.until, cooldown.certainty, cooldown.why.source),
                (in_secs(secs), certainty, source)
            );
        };
        let body = Source::ResponseBody;
        check(Some(42), &windows, 9000, Certainty::Prediction, body);
        check(Some(9999), &windows, 9999, Certainty::Prediction, body);
        check(Some(42), &windows[2..], 42, Certainty::Prediction, body);
        check(None, &windows, 9000, Certainty::Prediction, body);
        check(Some(0), &windows[..1], 600, Certainty::Prediction, body);
        check(None, &windows[2..], 3600, Certainty::Guess, Source::Fallback);
        check(Some(-5), &[], 3600, Certainty::Guess, Source::Fallback);

        let by_our_clock = Failure { resets_at: Some(in_secs(60)), is_by_our_clock: true, ..limited() };
        let mut cooldown = usage_cooldown(&by_our_clock, &account("a"), Duration::from_secs(3600), NOW);
        assert_eq!((cooldown.until, cooldown.certainty), (in_secs(60), Certainty::Guess));
        // The clock was ten minutes ahead.
        cooldown.clamp_future(in_secs(-600));
        assert_eq!(cooldown.until, in_secs(-540));
    }

    #[test]
    fn a_rate_limit_lasts_as_long_as_told_from_a_second_to_five_minutes() {
        let check = |retry_after: Option<u64>, resets: Option<i64>, expected: u64, certainty| {
            let failure = Failure {
                retry_after: retry_after.map(Duration::from_millis),
                resets_at: resets.map(in_secs),
                ..Failure::new(FailureKind::RateLimit, Source::ResponseHeaders, "slow down")
            };
            let cooldown = rate_cooldown(&failure, NOW);
            let rest = cooldown.until.since(NOW);
            assert_eq!((rest, cooldown.certainty), (Duration::from_millis(expected), certainty));
        };
        check(Some(1500), None, 1500, Certainty::Directive);
        check(Some(0), None, 1000, Certainty::Directive);
        check(Some(3_600_000), None, 300_000, Certainty::Directive);
        check(None, Some(20), 20_000, Certainty::Directive);
        check(None, None, 60_000, Certainty::Guess);
    }
}
