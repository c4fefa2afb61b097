//! `accounts/resetCredit`: redeems a reset credit of one account.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Account, ErrorKind, Method, ResetCredit, Window};

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResetCreditParams {
    /// An account's id, label or e-mail.
    pub account: String,
    /// Of `accounts[].usage.resetCredits.credits`; the one that expires first by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit_id: Option<String>,
    /// Only tell what is known; nothing is spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResetCreditAnswer {
    /// As it stands now.
    pub account: Account,
    pub dry_run: bool,
    /// The one that was redeemed, or would be; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit: Option<ResetCredit>,
    /// Sent as `redeem_request_id`; absent in a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Absent in a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<ResetCreditOutcome>,
    /// An earlier request had no outcome, so that one was repeated and no new one made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resumed: bool,
    /// Whether usage that was read afterwards shows the reset; absent when nothing was spent, or usage could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// The account's windows before.
    pub before: Vec<Window>,
    /// For people.
    pub notes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResetCreditOutcome {
    /// The credit is spent.
    Reset,
    /// No window was used; nothing is spent.
    NothingToReset,
    /// The credit is gone; nothing was reset.
    NoCredit,
    /// The same request was carried out before: the credit is spent.
    AlreadyRedeemed,
    /// Upstream refused the request; nothing is spent.
    Refused,
    /// An earlier request did nothing and is too old to be repeated; nothing is spent.
    Abandoned,
}

/// `accounts/resetCredit`
#[derive(Debug)]
pub struct AccountsResetCredit;

impl Method for AccountsResetCredit {
    const NAME: &'static str = "accounts/resetCredit";
    const SUMMARY: &'static str = "Redeems a reset credit of an account, or shows what it would do.";
    const ERRORS: &'static [ErrorKind] = &[
        ErrorKind::AccountNotFound,
        ErrorKind::AccountAmbiguous,
        ErrorKind::LoginRequired,
        ErrorKind::NoResetCredit,
        ErrorKind::Upstream,
        ErrorKind::Storage,
    ];
    type Params = ResetCreditParams;
    type Result = ResetCreditAnswer;
}
