//! Reset credits: each resets the usage windows of one account once, until it expires (schema/upstream.md, usage).

use serde::{Deserialize, Serialize};

use crate::pool::{At, Known, Seen, UsageSource};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResetCredit {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<At>,
    /// Upstream's word, e.g. `available` or `redeemed`; absent counts as available.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// One answer of the endpoint that lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResetCreditList {
    /// Upstream's count.
    pub available: u32,
    pub credits: Vec<ResetCredit>,
    pub requested_at: At,
    pub fetched_at: At,
}

/// What upstream answers to a request to redeem a credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum RedeemAnswer {
    /// The credit is spent, and windows were reset.
    Reset,
    /// No window is used, so nothing was spent.
    NothingToReset,
    /// The credit does not exist any more.
    NoCredit,
    /// The same request was carried out before: its credit is spent.
    AlreadyRedeemed,
}

impl RedeemAnswer {
    /// Returns upstream's spelling.
    pub fn name(self) -> &'static str {
        self.into()
    }

    pub fn from_name(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    /// Returns whether the credit is spent.
    pub fn is_spent(self) -> bool {
        matches!(self, RedeemAnswer::Reset | RedeemAnswer::AlreadyRedeemed)
    }
}

impl ResetCredit {
    pub fn is_available(&self, now: At) -> bool {
        let is_free = self.status.as_deref().is_none_or(|status| status.eq_ignore_ascii_case("available"));
        is_free && self.expires_at.is_none_or(|at| at > now)
    }

    /// Sorts credits by expiry; one that never expires is last.
    pub(crate) fn redeemed_before(&self) -> (bool, Option<At>, &str) {
        (self.expires_at.is_none(), self.expires_at, &self.id)
    }
}

/// Returns the credit to redeem first: the available one that expires first.
pub fn first_to_expire(credits: &[ResetCredit], now: At) -> Option<&ResetCredit> {
    let available = credits.iter().filter(|credit| credit.is_available(now));
    available.min_by_key(|credit| credit.redeemed_before())
}

impl ResetCreditList {
    pub(crate) fn parts(self) -> (Known<u32>, Known<Vec<ResetCredit>>) {
        let seen = Seen { at: self.fetched_at, source: UsageSource::UsageEndpoint };
        (Known { value: self.available, seen }, Known { value: self.credits, seen })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credit(id: &str, expires_at: Option<i64>, status: Option<&str>) -> ResetCredit {
        ResetCredit { id: id.into(), expires_at: expires_at.map(At), status: status.map(str::to_owned) }
    }

    #[test]
    fn the_available_credit_that_expires_first_is_taken() {
        let credits = [
            credit("forever", None, None),
            credit("later", Some(300), Some("available")),
            credit("sooner", Some(200), Some("Available")),
            credit("spent", Some(150), Some("redeemed")),
            credit("expired", Some(100), Some("available")),
        ];
        let first = |now: i64| first_to_expire(&credits, At(now)).map(|credit| credit.id.as_str());
        assert_eq!([99, 100, 200, 300].map(first), ["expired", "sooner", "later", "forever"].map(Some));
        assert_eq!(first_to_expire(&credits[3..], At(100)), None);
    }
}
