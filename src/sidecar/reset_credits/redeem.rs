//! Sends one decision until its outcome is known, and checks by a reading whether it helped.

use std::time::Duration;

use super::ResetCredits;
use super::turn::Turn;
use crate::pool::{
    AccountId, At, DecidedBy, Failure, FailureKind, RedeemAnswer, RedeemOutcome, Redemption, ResetCredit,
    Resumption, first_to_expire,
};
use crate::protocol::{ChangeReason, Warning, WarningKind};
use crate::sidecar::credentials::token::Need;
use crate::store::StorageError;
use crate::upstream::RedeemError;

/// The pauses before each repeat of the same request.
const RETRIES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
/// The pauses before each reading afterwards, because upstream's count may be late.
const READINGS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)];

/// The outcome of a decision.
#[derive(Clone, Debug)]
pub(crate) struct Redeemed {
    pub(crate) redemption: Redemption,
    pub(crate) outcome: RedeemOutcome,
    /// Whether a reading shows the reset; `None` when nothing was spent, or usage could not be read.
    pub(crate) helped: Option<bool>,
}

/// Why no outcome is known, or nothing was decided.
#[derive(Debug)]
pub(crate) enum NotRedeemed {
    Storage(StorageError),
    /// Upstream refused; no credit was spent.
    Refused(Failure),
    /// The credit may be spent. The decision stays open.
    Unknown(Failure),
    /// There is no credit, or not the named one.
    NoCredit,
}

impl From<StorageError> for NotRedeemed {
    fn from(error: StorageError) -> Self {
        NotRedeemed::Storage(error)
    }
}

impl ResetCredits {
    /// Decides to redeem a credit of `account`, by default the one that expires first, and does it. The list is read
    /// first, because the known one may be out of date.
    pub(crate) async fn redeem(
        &self,
        turn: &mut Turn,
        account: &AccountId,
        credit_id: Option<&str>,
        decided_by: DecidedBy,
    ) -> Result<Redeemed, NotRedeemed> {
        let list = self.list(account).await.map_err(NotRedeemed::Refused)?;
        let credit = choose(&list.credits, credit_id, self.registry.now()).ok_or(NotRedeemed::NoCredit)?;
        // Without a reading before, it would be unknown whether it helped.
        let reading = self.read_usage(account).await.map_err(NotRedeemed::Refused)?;
        let redemption = Redemption {
            request_id: request_id(),
            account: account.clone(),
            credit_id: credit.id.clone(),
            decided_by,
            decided_at: self.registry.now(),
            before: reading.windows,
            outcome: None,
            helped: None,
        };
        turn.decide(redemption.clone()).await?;
        tracing::info!(
            account = %account, request_id = redemption.request_id, credit = redemption.credit_id, ?decided_by,
            "redeeming a reset credit"
        );
        self.carry_out(turn, redemption, false).await
    }

    /// Continues an interrupted decision.
    pub(crate) async fn resume(
        &self,
        turn: &mut Turn,
        redemption: Redemption,
    ) -> Result<Redeemed, NotRedeemed> {
        if let Some(outcome) = redemption.outcome {
            let helped = self.verify(turn, &redemption).await;
            return Ok(Redeemed { redemption, outcome, helped });
        }
        self.carry_out(turn, redemption, true).await
    }

    /// `may_be_sent`: the request may have reached upstream before.
    async fn carry_out(
        &self,
        turn: &mut Turn,
        redemption: Redemption,
        mut may_be_sent: bool,
    ) -> Result<Redeemed, NotRedeemed> {
        let mut retries = RETRIES.iter();
        let outcome = loop {
            let mut is_there = true;
            if may_be_sent {
                // Before every repeat, so that no credit is spent that is not wanted any more.
                let list = self.list(&redemption.account).await.map_err(NotRedeemed::Unknown)?;
                is_there = choose(&list.credits, Some(&redemption.credit_id), self.registry.now()).is_some();
                if redemption.resumption(&list.credits, self.registry.now()) == Resumption::Abandon {
                    break RedeemOutcome::Abandoned;
                }
            }
            let failure = match self.send(&redemption).await {
                Ok(answer) => break RedeemOutcome::Answered(answer),
                Err(RedeemError::Refused(failure)) if !may_be_sent => {
                    turn.settle(&redemption.request_id, RedeemOutcome::Refused).await;
                    return Err(NotRedeemed::Refused(failure));
                }
                // The first request may have been carried out; its credit shows that.
                Err(RedeemError::Refused(failure)) if is_about_the_request(&failure) => {
                    break match is_there {
                        true => RedeemOutcome::Refused,
                        false => RedeemOutcome::Answered(RedeemAnswer::AlreadyRedeemed),
                    };
                }
                Err(RedeemError::Refused(failure) | RedeemError::Unknown(failure)) => failure,
            };
            may_be_sent = true;
            tracing::warn!(
                account = %redemption.account, request_id = redemption.request_id, kind = failure.kind.name(),
                status = failure.status, "it is not known whether a reset credit was redeemed"
            );
            let Some(rest) = retries.next() else { return Err(NotRedeemed::Unknown(failure)) };
            tokio::time::sleep(*rest).await;
        };
        turn.settle(&redemption.request_id, outcome).await;
        tracing::info!(account = %redemption.account, request_id = redemption.request_id, ?outcome, "settled");
        let redemption = Redemption { outcome: Some(outcome), ..redemption };
        let helped = self.verify(turn, &redemption).await;
        Ok(Redeemed { redemption, outcome, helped })
    }

    /// A 401 causes one refresh and the same request once more.
    async fn send(&self, redemption: &Redemption) -> Result<RedeemAnswer, RedeemError> {
        let id = &redemption.account;
        let token = self.refresher.token(id, Need::USABLE).await.map_err(RedeemError::Refused)?;
        let post =
            async |bearer| self.endpoint.redeem(bearer, &redemption.request_id, &redemption.credit_id).await;
        let answered = post(token.bearer()).await;
        if !answered.as_ref().is_err_and(|error| error.failure().kind == FailureKind::Unauthorized) {
            return answered;
        }
        match self.refresher.token(id, Need::NewerThan(token.access.clone())).await {
            Ok(renewed) => post(renewed.bearer()).await,
            Err(_) => answered,
        }
    }

    /// Reads usage a few times until it shows the reset. A status of 200 alone is not trusted.
    async fn verify(&self, turn: &mut Turn, redemption: &Redemption) -> Option<bool> {
        let id = &redemption.account;
        if !redemption.is_spent() {
            self.read_usage(id).await.ok();
            return None;
        }
        let mut helped = None;
        for rest in READINGS {
            tokio::time::sleep(rest).await;
            let Ok(reading) = self.read_usage(id).await else { continue };
            let is_visible =
                reading.reached.is_none() && redemption.is_visible_in(&reading.windows, self.registry.now());
            helped = Some(is_visible);
            if is_visible {
                break;
            }
        }
        if let Some(helped) = helped {
            turn.verified(&redemption.request_id, helped).await;
        }
        match helped {
            Some(true) => self.take_reset(id),
            _ => self.report(id, "a reset credit was redeemed, but usage does not show a reset"),
        }
        self.list(id).await.ok();
        helped
    }

    /// A reading showed that the windows of this account were reset, here or by another sidecar.
    pub(crate) fn take_reset(&self, id: &AccountId) {
        self.registry.decide(|pool, now| pool.end_usage_limit(id, now));
        self.registry.changed(ChangeReason::Usage);
    }

    pub(super) fn report(&self, id: &AccountId, what: &str) {
        let label = self.registry.label_of(id);
        self.notifier.report(Warning {
            kind: WarningKind::ResetCredit,
            message: format!("{label}: {what}"),
            account: Some(id.to_string()),
            hint: Some("`accounts` shows what usage says now".to_owned()),
        });
    }
}

/// Returns whether upstream refused the request itself, and not just this moment or this token.
fn is_about_the_request(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::RequestRejected)
}

pub(crate) fn choose<'a>(
    credits: &'a [ResetCredit],
    wanted: Option<&str>,
    now: At,
) -> Option<&'a ResetCredit> {
    match wanted {
        Some(wanted) => credits.iter().find(|credit| credit.id == wanted && credit.is_available(now)),
        None => first_to_expire(credits, now),
    }
}

/// A version 4 UUID, as the Codex CLI sends it.
fn request_id() -> String {
    let mut bytes = [0; 16];
    #[expect(clippy::expect_used, reason = "the operating system has randomness, or nothing here works")]
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_version_4_uuids_and_differ() {
        let (one, other) = (request_id(), request_id());
        assert_ne!(one, other);
        let groups: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12]);
        assert_eq!((one.as_bytes()[14], one.len()), (b'4', 36));
        assert!(b"89ab".contains(&one.as_bytes()[19]), "{one}");
    }
}
