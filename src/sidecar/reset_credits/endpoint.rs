//! The endpoints about usage as the services see them, so that a test can answer in their place.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::pool::{Failure, ResetCreditList, UsageReading};
use crate::upstream::{Bearer, Upstream};

pub(crate) trait UsageEndpoint: Send + Sync {
    /// Reads the usage of the account that `bearer` belongs to; `with_reserve` asks for Luna Reserve, too.
    fn usage<'a>(
        &'a self,
        bearer: Bearer<'a>,
        with_reserve: bool,
    ) -> BoxFuture<'a, Result<UsageReading, Failure>>;

    /// Lists the reset credits of the account that `bearer` belongs to.
    fn reset_credits<'a>(&'a self, bearer: Bearer<'a>) -> BoxFuture<'a, Result<ResetCreditList, Failure>>;
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
}
