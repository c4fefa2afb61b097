//! What can still be done when no account can serve, in the order in which it is done: Luna Reserve, a reset credit, to
//! wait. Each step says whether the settings allow that it is done without a person.

use std::time::Duration;

use crate::pool::quota::reset_credit::ResetCredit;
use crate::pool::selection::eligibility::{lasting, why_not};
use crate::pool::time::Countdown;
use crate::pool::usage::window_name;
use crate::pool::{
    Account, AccountId, At, Certainty, Cooldown, Demand, FailureKind, Pool, RESERVE_LIMIT, RESERVE_MODEL,
    RESERVE_ORDINARY_MODEL, ReserveUse, ResetCreditUse, SPEND_CAP, SpendControl, WhyNotAutomatic, Window,
};

/// A reading that is older than this allows nothing.
pub const FRESH: Duration = Duration::from_secs(60);
/// A window that resets by itself before then is not worth a credit.
const WORTH_A_CREDIT: Duration = Duration::from_secs(60 * 60);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanStep {
    pub account: AccountId,
    pub step: Step,
    /// Whether the settings allow it without a person.
    pub allowed: bool,
    /// For people.
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Reserve,
    ResetCredit { expires_at: Option<At> },
    Wait { until: At },
}

/// What decides, beside the settings, about what is allowed.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlanRules {
    /// What the completion says; it outweighs the setting.
    pub allow_reserve: Option<bool>,
    /// Why no credit is redeemed without a person now.
    pub credits: Option<WhyNotAutomatic>,
}

/// An account that one reset credit would bring back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resettable {
    pub account: AccountId,
    /// None while upstream has only counted the credits.
    pub credit: Option<ResetCredit>,
    window_minutes: u32,
}

impl Pool {
    /// The steps that are left; none while an account can serve.
    pub fn plan(&self, demand: &Demand, rules: PlanRules, now: At) -> Vec<PlanStep> {
        if self.best_where(demand, now, |_| true).is_some() {
            return Vec::new();
        }
        let reserve = self.reserves(demand, None, now).into_iter().next().map(|account| {
            let allowed = self.allows_reserve(account, demand.model.as_deref(), rules.allow_reserve);
            let model = ordinary_model(account);
            let reason = match allowed {
                true => format!("Luna Reserve answers, with {model}"),
                false => format!(
                    "Luna Reserve could answer, with {model}; the setting `reserve` does not allow it"
                ),
            };
            PlanStep { account: account.id.clone(), step: Step::Reserve, allowed, reason }
        });
        let credit = self.resettable(demand, None, now).into_iter().next().map(|found| {
            let expires_at = found.credit.as_ref().and_then(|credit| credit.expires_at);
            let (allowed, why) = match (self.settings.reset_credits, rules.credits) {
                (ResetCreditUse::Never, _) => (false, "; redeem it with `accounts/resetCredit`".to_owned()),
                (ResetCreditUse::WhenDry, Some(why_not)) => (false, format!("; {}", why_not.words(now))),
                (ResetCreditUse::WhenDry, None) => (true, String::new()),
            };
            let expires = expires_at
                .map_or_else(String::new, |to| format!(", which expires in {}", Countdown { to, now }));
            let window = window_name(found.window_minutes);
            let reason = format!("a reset credit{expires}, resets its {window} window{why}");
            PlanStep { account: found.account, step: Step::ResetCredit { expires_at }, allowed, reason }
        });
        let wait = self.first_back(demand, now).map(|(until, account)| {
            let allowed = self.settings.wait_for_reset.is_some_and(|bound| until <= now + bound);
            let reason = format!("it is back in {}", Countdown { to: until, now });
            PlanStep { account, step: Step::Wait { until }, allowed, reason }
        });
        [reserve, credit, wait].into_iter().flatten().collect()
    }

    /// Accounts that are out by a usage limit and whose reserve upstream grants, the least used first. `max_age` is that of
    /// the reading that says so.
    pub fn reserves(&self, demand: &Demand, max_age: Option<Duration>, now: At) -> Vec<&Account> {
        let used = |account: &Account| {
            let usage = account.health.usage.as_ref();
            let windows = usage.map_or(&[][..], |usage| usage.windows_of(Some(RESERVE_LIMIT)));
            windows.iter().map(|window| window.used_at(now)).fold(0.0, f64::max)
        };
        let mut found: Vec<&Account> = (self.accounts.iter())
            .filter(|account| is_asked(demand, account) && is_out_by_usage(account, now))
            .filter(|account| account.health.cooldown_of(Some(RESERVE_LIMIT), now).is_none())
            .filter(|account| account.health.excluded_until(RESERVE_MODEL, now).is_none())
            .filter(|account| {
                let known = account.health.usage.as_ref().and_then(|usage| usage.reserve.as_ref());
                known.is_some_and(|known| {
                    known.value.granted && max_age.is_none_or(|age| now.since(known.seen.at) <= age)
                })
            })
            .collect();
        found.sort_by(|a, b| used(a).total_cmp(&used(b)));
        found
    }

    /// Whether the reserve of this account may answer for `model`. `said` outweighs the setting.
    pub fn allows_reserve(&self, account: &Account, model: Option<&str>, said: Option<bool>) -> bool {
        let known = account.health.usage.as_ref().and_then(|usage| usage.reserve.as_ref());
        let answers_as = |model: &str| match known {
            Some(known) => known.value.answers_as(model),
            None => [RESERVE_ORDINARY_MODEL, RESERVE_MODEL].contains(&model),
        };
        match (said, self.settings.reserve) {
            (Some(said), _) => said,
            (None, ReserveUse::Any) => true,
            (None, ReserveUse::Never) => false,
            (None, ReserveUse::Luna) => model.is_some_and(answers_as),
        }
    }

    /// Accounts whose longest window alone is in the way and that have a reset credit, the one whose credit expires first
    /// first. `max_age` is that of the usage reading.
    pub fn resettable(&self, demand: &Demand, max_age: Option<Duration>, now: At) -> Vec<Resettable> {
        let mut found: Vec<Resettable> = (self.accounts.iter())
            .filter(|account| is_asked(demand, account))
            .filter_map(|account| resettable(account, max_age, now))
            .collect();
        let expiry = |found: &Resettable| {
            let expires_at = found.credit.as_ref().and_then(|credit| credit.expires_at);
            (expires_at.is_none(), expires_at)
        };
        found.sort_by_key(expiry);
        found
    }

    /// Accounts that are out by a usage limit and of which what is left is not known by a reading within `max_age`.
    pub fn unread_and_out(&self, demand: &Demand, max_age: Duration, now: At) -> Vec<AccountId> {
        let is_old = |account: &&Account| {
            account.health.usage.as_ref().is_none_or(|usage| {
                let is_refused_since =
                    account.health.cooldown.as_ref().is_some_and(|it| it.why.since >= usage.fetched_at);
                is_refused_since || now.since(usage.fetched_at) > max_age
            })
        };
        let out =
            self.accounts.iter().filter(|account| is_asked(demand, account) && is_out_by_usage(account, now));
        out.filter(is_old).map(|account| account.id.clone()).collect()
    }

    fn first_back(&self, demand: &Demand, now: At) -> Option<(At, AccountId)> {
        let need = self.need(demand);
        let asked = self.accounts.iter().filter(|account| is_asked(demand, account));
        let back =
            asked.filter_map(|account| Some((why_not(account, need, now)?.until()?, account.id.clone())));
        back.min()
    }
}

fn is_asked(demand: &Demand, account: &Account) -> bool {
    demand.account.as_ref().is_none_or(|named| *named == account.id)
}

fn ordinary_model(account: &Account) -> &str {
    let known = account.health.usage.as_ref().and_then(|usage| usage.reserve.as_ref());
    known.and_then(|known| known.value.ordinary_model.as_deref()).unwrap_or(RESERVE_ORDINARY_MODEL)
}

/// Whether a usage limit of the account itself, and nothing else, keeps it away: not one of its whole workspace, not an
/// order to wait, and nothing that a person has to mend.
fn is_out_by_usage(account: &Account, now: At) -> bool {
    let is_usage = |cooldown: &Cooldown| {
        cooldown.why.kind == FailureKind::UsageLimit
            && cooldown.certainty != Certainty::Directive
            && !cooldown.why.is_workspace_limit()
    };
    lasting(account).is_none() && account.health.cooldown_of(None, now).is_some_and(is_usage)
}

fn resettable(account: &Account, max_age: Option<Duration>, now: At) -> Option<Resettable> {
    let usage = account.health.usage.as_ref().filter(|_| is_out_by_usage(account, now))?;
    if max_age.is_some_and(|age| now.since(usage.fetched_at) > age) {
        return None;
    }
    let is_capped = usage.spend.as_ref().and_then(|spend| SpendControl::window(&spend.value));
    if is_capped.is_some_and(|cap| cap.is_exhausted(now)) {
        return None;
    }
    let windows = || usage.windows.iter().filter(|window| ![0, SPEND_CAP].contains(&window.window_minutes));
    let longest = windows().max_by_key(|window| window.window_minutes)?;
    let alone = windows().filter(|window| window.is_exhausted(now)).count() == 1 && longest.is_exhausted(now);
    let is_worth_it =
        |window: &Window| window.next_reset(now).is_none_or(|at| at.since(now) > WORTH_A_CREDIT);
    if !alone || !is_worth_it(longest) {
        return None;
    }
    let listed = usage.listed_reset_credits(now);
    let credit = listed.as_ref().and_then(|listed| listed.first()).map(|credit| (*credit).clone());
    let only_counted = listed.is_none() && usage.resets_left.as_ref().is_some_and(|count| count.value > 0);
    (credit.is_some() || only_counted).then(|| Resettable {
        account: account.id.clone(),
        credit,
        window_minutes: longest.window_minutes,
    })
}

impl WhyNotAutomatic {
    pub fn words(self, now: At) -> String {
        match self {
            WhyNotAutomatic::RestsUntil(to) => {
                format!(
                    "one was redeemed less than an hour ago, the next may be in {}",
                    Countdown { to, now }
                )
            }
            WhyNotAutomatic::OutcomeUnknown => "the outcome of an earlier one is not known yet".to_owned(),
            WhyNotAutomatic::DidNotHelp => {
                "the last one did not help, so a person has to redeem the next".to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests;
