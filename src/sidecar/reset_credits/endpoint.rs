//! The endpoints about usage for the services, so that a test can answer instead.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::pool::{Failure, RedeemAnswer, ResetCreditList, UsageReading};
use crate::upstream::{Bearer, RedeemError, Upstream};

pub(crate) trait UsageEndpoint: Send + Sync {
    /// Reads the usage of the account that `bearer` belongs to; `with_reserve` asks for Luna Reserve, too.
    fn usage<'a>(
        &'a self,
        bearer: Bearer<'a>,
        with_reserve: bool,
    ) -> BoxFuture<'a, Result<UsageReading, Failure>>;

    /// Lists the reset credits of the account that `bearer` belongs to.
    fn reset_credits<'a>(&'a self, bearer: Bearer<'a>) -> BoxFuture<'a, Result<ResetCreditList, Failure>>;

    /// Redeems a credit of the account that `bearer` belongs to. The same `request_id` redeems one at most.
    fn redeem<'a>(
        &'a self,
        bearer: Bearer<'a>,
        request_id: &'a str,
        credit_id: &'a str,
    ) -> BoxFuture<'a, Result<RedeemAnswer, RedeemError>>;
}

impl UsageEndpoint for Upstream {
    fn usage<'a>(
        &'a self,
        bearer: Bearer<'a>,
        with_reserve: bool,
    ) -> BoxFuture<'a, Result<UsageReading, Failure>> {
        async move { Upstream::usage(self, &bearer, with_reserve).await }.boxed()
    }

    fn reset_credits<'a>(&'a self, bearer: Bearer<'a>) -> BoxFuture<'a, Result<ResetCreditList, Failure>> {
        async move { Upstream::reset_credits(self, &bearer).await }.boxed()
    }

    fn redeem<'a>(
        &'a self,
        bearer: Bearer<'a>,
        request_id: &'a str,
        credit_id: &'a str,
    ) -> BoxFuture<'a, Result<RedeemAnswer, RedeemError>> {
        async move { self.redeem_reset_credit(&bearer, request_id, credit_id).await }.boxed()
    }
}
