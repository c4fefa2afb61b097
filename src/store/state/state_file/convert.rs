//! Converts between the JSON of `state.json` and the pool's values. Evidence of an unknown kind is dropped, and only
//! that.

use super::saved_usage::SavedUsage;
use super::shape::{Account, Evidence, Exclusion, LimitRest, Pause, Rest, Session, State};
use super::{SavedAccount, SavedSession, SavedState};
use crate::pool::{
    AccountId, At, Backoff, Certainty, Cooldown, FailureKind, Health, HealthEvidence, HealthStatus,
    ModelExclusion, Source,
};

pub(crate) fn from_json(text: &str) -> Result<SavedState, serde_json::Error> {
    serde_json::from_str::<State>(text).map(SavedState::from)
}

pub(crate) fn to_json(state: &SavedState) -> String {
    #[expect(clippy::expect_used, reason = "string keys and derived types: nothing in it can fail")]
    serde_json::to_string(&State::from(state)).expect("the state can be written")
}

impl From<State> for SavedState {
    fn from(state: State) -> Self {
        let session = |saved: Session| SavedSession {
            session: saved.session,
            account: AccountId::new(saved.account),
            last_used_at: At(saved.last_used_at),
        };
        SavedState {
            accounts: state
                .accounts
                .into_iter()
                .map(|account| (AccountId::new(&account.id), account.into()))
                .collect(),
            pinned: state.pinned.map(AccountId::new),
            pin_changed_at: At(state.pin_changed_at),
            sessions: state.sessions.into_iter().map(session).collect(),
        }
    }
}

impl From<&SavedState> for State {
    fn from(state: &SavedState) -> Self {
        let session = |saved: &SavedSession| Session {
            session: saved.session.clone(),
            account: saved.account.to_string(),
            last_used_at: saved.last_used_at.millis(),
        };
        State {
            accounts: state.accounts.iter().map(|(id, account)| Account::new(id, account)).collect(),
            pinned: state.pinned.as_ref().map(AccountId::to_string),
            pin_changed_at: state.pin_changed_at.millis(),
            sessions: state.sessions.iter().map(session).collect(),
        }
    }
}

impl Account {
    fn new(id: &AccountId, account: &SavedAccount) -> Self {
        let health = &account.health;
        let (needs_login, deactivated) = match &health.standing {
            HealthStatus::Good => (None, None),
            HealthStatus::NeedsLogin(mark) => (Some(mark.into()), None),
            HealthStatus::Deactivated(mark) => (None, Some(mark.into())),
        };
        Account {
            id: id.to_string(),
            disabled: account.disabled,
            disabled_changed_at: account.disabled_changed_at.millis(),
            plan: account.plan.clone(),
            needs_login,
            deactivated,
            cooldown: health.cooldown.as_ref().map(Rest::from),
            limit_cooldowns: health
                .limit_cooldowns
                .iter()
                .map(|(limit_id, cooldown)| LimitRest { limit_id: limit_id.clone(), rest: cooldown.into() })
                .collect(),
            backoff: health.backoff.as_ref().map(|backoff| Pause {
                until: backoff.until.millis(),
                failures: backoff.failures,
                why: (&backoff.why).into(),
            }),
            model_exclusions: health
                .model_exclusions
                .iter()
                .map(|exclusion| Exclusion {
                    model: exclusion.model.clone(),
                    until: exclusion.until.millis(),
                    since: exclusion.since.millis(),
                })
                .collect(),
            usage: health.usage.as_ref().map(SavedUsage::from),
            last_used_at: health.last_used_at.map(At::millis),
            withdrawn_at: health.withdrawn_at.map(At::millis),
            reinstated_at: health.reinstated_at.map(At::millis),
        }
    }
}

impl From<Account> for SavedAccount {
    fn from(account: Account) -> Self {
        let standing = match (
            account.deactivated.and_then(Evidence::mark),
            account.needs_login.and_then(Evidence::mark),
        ) {
            (Some(mark), _) => HealthStatus::Deactivated(mark),
            (None, Some(mark)) => HealthStatus::NeedsLogin(mark),
            (None, None) => HealthStatus::Good,
        };
        let limit = |saved: LimitRest| saved.rest.cooldown().map(|cooldown| (saved.limit_id, cooldown));
        let backoff = |saved: Pause| {
            let (until, failures) = (At(saved.until), saved.failures);
            saved.why.mark().map(|why| Backoff { until, failures, why })
        };
        SavedAccount {
            health: Health {
                standing,
                cooldown: account.cooldown.and_then(Rest::cooldown),
                limit_cooldowns: account.limit_cooldowns.into_iter().filter_map(limit).collect(),
                backoff: account.backoff.and_then(backoff),
                model_exclusions: account
                    .model_exclusions
                    .into_iter()
                    .map(|saved| ModelExclusion {
                        model: saved.model,
                        until: At(saved.until),
                        since: At(saved.since),
                    })
                    .collect(),
                usage: account.usage.and_then(SavedUsage::usage),
                last_used_at: account.last_used_at.map(At),
                withdrawn_at: account.withdrawn_at.map(At),
                reinstated_at: account.reinstated_at.map(At),
            },
            disabled: account.disabled,
            disabled_changed_at: At(account.disabled_changed_at),
            plan: account.plan,
        }
    }
}

impl From<&HealthEvidence> for Evidence {
    fn from(mark: &HealthEvidence) -> Self {
        Evidence {
            kind: mark.kind.name().to_owned(),
            code: mark.code.clone(),
            message: mark.message.clone(),
            since: mark.since.millis(),
            source: mark.source.name().to_owned(),
        }
    }
}

impl Evidence {
    fn mark(self) -> Option<HealthEvidence> {
        Some(HealthEvidence {
            kind: FailureKind::from_name(&self.kind)?,
            code: self.code,
            message: self.message,
            since: At(self.since),
            source: Source::from_name(&self.source)?,
        })
    }
}

impl From<&Cooldown> for Rest {
    fn from(cooldown: &Cooldown) -> Self {
        Rest {
            until: cooldown.until.millis(),
            certainty: certainty_name(cooldown.certainty).to_owned(),
            quoted_reset: cooldown.quoted_reset.map(At::millis),
            why: (&cooldown.why).into(),
        }
    }
}

impl Rest {
    fn cooldown(self) -> Option<Cooldown> {
        let certainty = [Certainty::Directive, Certainty::Prediction, Certainty::Guess]
            .into_iter()
            .find(|&certainty| certainty_name(certainty) == self.certainty)?;
        Some(Cooldown {
            until: At(self.until),
            certainty,
            quoted_reset: self.quoted_reset.map(At),
            why: self.why.mark()?,
        })
    }
}

fn certainty_name(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Directive => "directive",
        Certainty::Prediction => "prediction",
        Certainty::Guess => "guess",
    }
}
