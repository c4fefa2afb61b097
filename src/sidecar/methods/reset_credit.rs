//! `accounts/resetCredit`: shows or redeems a reset credit for a person.

use std::sync::Arc;
use std::time::Duration;

use super::reset_credit_words as words;
use crate::pool::{
    self, AccountId, At, DecidedBy, Failure, RedeemAnswer, RedeemOutcome, ResetCredit, Window,
};
use crate::protocol::{ErrorKind, ResetCreditAnswer, ResetCreditOutcome, ResetCreditParams, RpcError};
use crate::sidecar::reset_credits::{NotRedeemed, Redeemed, choose};
use crate::sidecar::{Sidecar, error, view};

/// Another sidecar may be redeeming, which takes as long as upstream does.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn reset_credit(
    sidecar: Arc<Sidecar>,
    params: ResetCreditParams,
) -> Result<ResetCreditAnswer, RpcError> {
    let id = sidecar.find(&params.account)?;
    let credit_id = params.credit_id.filter(|credit| !credit.is_empty());
    if params.dry_run == Some(true) {
        return sidecar.look_at_reset(&id, credit_id.as_deref()).await;
    }
    // It goes on when the client cancels or ends, because a decision is carried out.
    let redeeming = {
        let (sidecar, id) = (sidecar.clone(), id.clone());
        tokio::spawn(async move { sidecar.redeem_for_a_person(&id, credit_id.as_deref()).await })
    };
    match redeeming.await {
        Ok(redeemed) => redeemed,
        Err(broke_off) => Err(RpcError::new(ErrorKind::Internal, broke_off.to_string())),
    }
}

impl Sidecar {
    async fn look_at_reset(
        self: &Arc<Self>,
        id: &AccountId,
        credit_id: Option<&str>,
    ) -> Result<ResetCreditAnswer, RpcError> {
        let service = &self.reset_credits;
        let list =
            service.list(id).await.map_err(|failure| error::token(id, &failure, self.registry.now()))?;
        service.read_usage(id).await.map_err(|failure| error::token(id, &failure, self.registry.now()))?;
        let now = self.registry.now();
        let credit = choose(&list.credits, credit_id, now);
        let windows = self.windows_of(id);
        let is_open = service.is_open(id);
        let available = list.credits.iter().filter(|credit| credit.is_available(now)).count();
        Ok(ResetCreditAnswer {
            account: self.account_view(id)?,
            dry_run: true,
            credit: credit.map(view::reset_credit),
            request_id: None,
            outcome: None,
            resumed: false,
            verified: None,
            before: view::windows(&windows, now),
            notes: words::before(available, credit, &windows, is_open, now),
        })
    }

    async fn redeem_for_a_person(
        self: &Arc<Self>,
        id: &AccountId,
        credit_id: Option<&str>,
    ) -> Result<ResetCreditAnswer, RpcError> {
        let mut turn =
            self.reset_credits.enter(LOCK_PATIENCE).await.map_err(|error| error::storage(id, error))?;
        let open = turn.ledger.open_of(id).cloned();
        let resumed = open.is_some();
        let done = match open {
            // One decision at a time: the earlier one may have spent its credit already.
            Some(open) => self.reset_credits.resume(&mut turn, open).await,
            None => self.reset_credits.redeem(&mut turn, id, credit_id, DecidedBy::Person).await,
        };
        drop(turn);
        match done {
            Ok(done) => self.redeemed_answer(id, &done, resumed),
            Err(error) => Err(not_redeemed(id, credit_id, error, self.registry.now())),
        }
    }

    fn windows_of(&self, id: &AccountId) -> Vec<Window> {
        self.registry.decide(|pool, _| {
            let usage = pool.get(id).and_then(|account| account.health.usage.as_ref());
            usage.map(|usage| usage.windows.clone()).unwrap_or_default()
        })
    }

    fn redeemed_answer(
        &self,
        id: &AccountId,
        done: &Redeemed,
        resumed: bool,
    ) -> Result<ResetCreditAnswer, RpcError> {
        let now = self.registry.now();
        let redemption = &done.redemption;
        let after = self.windows_of(id);
        let listed = self.registry.decide(|pool, _| {
            let usage = pool.get(id).and_then(|account| account.health.usage.as_ref());
            let known = usage.and_then(|usage| usage.reset_credits.as_ref());
            known.and_then(|known| {
                known.value.iter().find(|credit| credit.id == redemption.credit_id).cloned()
            })
        });
        let credit = listed.unwrap_or_else(|| ResetCredit {
            id: redemption.credit_id.clone(),
            expires_at: None,
            status: None,
        });
        Ok(ResetCreditAnswer {
            account: self.account_view(id)?,
            dry_run: false,
            credit: Some(view::reset_credit(&credit)),
            request_id: Some(redemption.request_id.clone()),
            outcome: Some(outcome(done.outcome)),
            resumed,
            verified: done.helped,
            before: view::windows(&redemption.before, redemption.decided_at),
            notes: words::after(done, resumed, &after, now),
        })
    }
}

fn outcome(outcome: RedeemOutcome) -> ResetCreditOutcome {
    match outcome {
        RedeemOutcome::Answered(RedeemAnswer::Reset) => ResetCreditOutcome::Reset,
        RedeemOutcome::Answered(RedeemAnswer::NothingToReset) => ResetCreditOutcome::NothingToReset,
        RedeemOutcome::Answered(RedeemAnswer::NoCredit) => ResetCreditOutcome::NoCredit,
        RedeemOutcome::Answered(RedeemAnswer::AlreadyRedeemed) => ResetCreditOutcome::AlreadyRedeemed,
        RedeemOutcome::Refused => ResetCreditOutcome::Refused,
        RedeemOutcome::Abandoned => ResetCreditOutcome::Abandoned,
    }
}

fn not_redeemed(id: &AccountId, credit_id: Option<&str>, error: NotRedeemed, now: At) -> RpcError {
    match error {
        NotRedeemed::Storage(error) => error::storage(id, error),
        NotRedeemed::Refused(failure) => nothing_was_spent(id, &failure, now),
        NotRedeemed::Unknown(failure) => {
            let mut rpc = error::token(id, &failure, now);
            rpc.message = format!("it is not known whether the credit was spent: {}", rpc.message);
            rpc.data.retryable = true;
            rpc.data.cause = Some(pool::FailureKind::OutcomeUnknown.name().to_owned());
            rpc.hinted("ask again: the same request is repeated, which spends no second credit")
        }
        NotRedeemed::NoCredit => {
            let message = match credit_id {
                Some(_) => "the account has no such reset credit, or it was redeemed or has expired",
                None => "the account has no reset credit",
            };
            let mut rpc = RpcError::new(ErrorKind::NoResetCredit, message);
            rpc.data.account = Some(id.to_string());
            rpc.hinted("`accounts` lists the reset credits of every account")
        }
    }
}

fn nothing_was_spent(id: &AccountId, failure: &Failure, now: At) -> RpcError {
    let mut rpc = error::token(id, failure, now);
    rpc.message = format!("no credit was spent: {}", rpc.message);
    rpc
}
