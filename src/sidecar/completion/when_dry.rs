//! What a completion does by itself when no account can serve, as far as the settings and its params allow it: it asks
//! Luna Reserve, and has a reset credit redeemed. To wait is the failover's.

use std::time::Duration;

use futures_util::StreamExt;

use super::run::Completion;
use crate::pool::{
    AccountId, Demand, Ending, EndingKind, FRESH, PlanRules, PlanStep, RESERVE_MODEL, ReserveUse,
    ResetCreditUse, State, Step,
};
use crate::sidecar::Sidecar;
use crate::upstream::ResponsesRequest;

/// Accounts that are read at the same time.
const AT_ONCE: usize = 4;

/// What a completion may do, and what it has done.
#[derive(Default)]
pub(crate) struct DrySteps {
    /// `complete.allowReserve`.
    allow_reserve: Option<bool>,
    reserve_tried: bool,
    credit_tried: bool,
    /// The request as it was before the reserve was asked.
    ordinary: Option<ResponsesRequest>,
}

impl DrySteps {
    pub(super) fn new(allow_reserve: Option<bool>) -> Self {
        DrySteps { allow_reserve, ..DrySteps::default() }
    }
}

impl Completion {
    /// No account can serve. Returns whether something was done about it, so that the failover is to be asked again.
    pub(super) async fn use_what_is_left(&mut self) -> bool {
        if self.ask_the_reserve().await {
            return true;
        }
        if let Some(ordinary) = self.dry.ordinary.take() {
            self.request = ordinary;
        }
        self.have_a_credit_redeemed().await
    }

    /// Whether usage limits are why it ends, so that the reserve or a credit could help.
    pub(super) fn is_dry(&self, ending: &Ending) -> bool {
        let is_cooling = |id: &AccountId| {
            self.sidecar
                .registry
                .decide(|pool, now| pool.get(id).is_some_and(|account| account.state(now) == State::Cooling))
        };
        ending.kind == EndingKind::NoAvailableAccount || self.failover.named().is_some_and(is_cooling)
    }

    async fn ask_the_reserve(&mut self) -> bool {
        let demand = self.failover.demand().clone();
        if self.dry.reserve_tried || !self.sidecar.may_use_reserve(&demand, self.dry.allow_reserve) {
            return false;
        }
        self.dry.reserve_tried = true;
        self.sidecar.read_what_is_left(&demand).await;
        let said = self.dry.allow_reserve;
        let granted: Vec<AccountId> = self.sidecar.registry.decide(|pool, now| {
            let granted = pool.reserves(&demand, Some(FRESH), now).into_iter();
            let allowed =
                granted.filter(|account| pool.allows_reserve(account, demand.model.as_deref(), said));
            allowed.map(|account| account.id.clone()).collect()
        });
        if granted.is_empty() {
            return false;
        }
        let Some(request) = self.request.with_model(RESERVE_MODEL) else { return false };
        tracing::info!(accounts = granted.len(), "no account can serve; Luna Reserve is asked");
        self.dry.ordinary = Some(std::mem::replace(&mut self.request, request));
        self.failover.use_reserve(granted);
        true
    }

    async fn have_a_credit_redeemed(&mut self) -> bool {
        // For one account that was named others might serve.
        if self.dry.credit_tried || self.failover.named().is_some() {
            return false;
        }
        self.dry.credit_tried = true;
        let demand = self.failover.demand();
        let allowed = self.sidecar.registry.decide(|pool, _| pool.settings().reset_credits);
        if allowed != ResetCreditUse::WhenDry {
            return false;
        }
        self.sidecar.read_what_is_left(demand).await;
        match self.sidecar.reset_credits.redeem_when_dry(demand).await {
            Some(account) => {
                self.failover.readmit(&account);
                true
            }
            None => false,
        }
    }

    /// What is left to do, for the error.
    pub(super) fn plan(&self) -> Vec<PlanStep> {
        self.sidecar.plan(self.failover.demand(), self.dry.allow_reserve)
    }
}

impl Completion {
    /// The steps beside waiting, for people.
    pub(super) fn plan_in_words(&self) -> Vec<String> {
        let plan = self.plan();
        let steps = plan.iter().filter(|step| !matches!(step.step, Step::Wait { .. }));
        steps
            .map(|step| format!("{}: {}", self.sidecar.registry.label_of(&step.account), step.reason))
            .collect()
    }
}

impl Sidecar {
    /// The steps that are left when no account can serve; none while one can.
    pub(crate) fn plan(&self, demand: &Demand, allow_reserve: Option<bool>) -> Vec<PlanStep> {
        let credits = self.reset_credits.why_not_automatic();
        let rules = PlanRules { allow_reserve, credits };
        self.registry.decide(|pool, now| pool.plan(demand, rules, now))
    }

    /// Whether it is worth to find out which reserves there are.
    fn may_use_reserve(&self, demand: &Demand, said: Option<bool>) -> bool {
        let model = demand.model.as_deref();
        self.registry.decide(|pool, _| {
            said.unwrap_or_else(|| match pool.settings().reserve {
                ReserveUse::Never => false,
                ReserveUse::Any => true,
                ReserveUse::Luna => {
                    pool.accounts().iter().any(|account| pool.allows_reserve(account, model, None))
                }
            })
        })
    }

    /// Reads the usage of accounts that are out, where no fresh reading says what is left of them.
    async fn read_what_is_left(&self, demand: &Demand) {
        let stale = self.registry.decide(|pool, now| pool.unread_and_out(demand, FRESH, now));
        let read = futures_util::stream::iter(stale).for_each_concurrent(AT_ONCE, |id| async move {
            // What cannot be read grants nothing.
            self.reset_credits.read_usage(&id).await.ok();
        });
        // Each reading has its own bound; many accounts share this one.
        let _ = tokio::time::timeout(Duration::from_secs(20), read).await;
    }
}
