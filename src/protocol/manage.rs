//! Methods that list and change accounts: `accounts`, `accounts/…` and `reset`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Account, ErrorKind, Method};

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AccountsParams {
    /// Whether to read the usage of every account from upstream first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_usage: Option<bool>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AccountList")]
pub struct AccountList<A = Vec<Account>> {
    /// In the order of the accounts file, which is stable.
    pub accounts: A,
    /// Id of the account that rotation would use now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<String>,
    /// Id of the pinned account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<String>,
    /// Grows with every change while the process lives.
    pub revision: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AccountParams {
    /// An account's id, label or e-mail (the latter two case-insensitively).
    pub account: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AccountAnswer {
    pub account: Account,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Removed {
    pub removed: Account,
    /// Id of the account that rotation would use now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LabelParams {
    /// An account's id, label or e-mail.
    pub account: String,
    /// Not blank, and different from all other labels (case-insensitively).
    pub label: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ResetParams {
    pub scope: ResetScope,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ResetScope {
    /// The pin.
    Manual,
    /// Cooldowns and back-off.
    Quota,
    All,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResetResult {
    pub unpinned: bool,
    /// Accounts whose cooldown or back-off was cleared.
    pub cooldowns_cleared: u32,
}

/// `accounts`
#[derive(Debug)]
pub struct Accounts;

impl Method for Accounts {
    const NAME: &'static str = "accounts";
    const SUMMARY: &'static str = "Lists all accounts, in the order of the accounts file.";
    const ERRORS: &'static [ErrorKind] = &[];
    type Params = AccountsParams;
    type Result = AccountList;
}

/// `accounts/use`
#[derive(Debug)]
pub struct AccountsUse;

impl Method for AccountsUse {
    const NAME: &'static str = "accounts/use";
    const SUMMARY: &'static str =
        "Pins an account, after it has made sure that its token is valid. A disabled account is enabled.";
    const DESCRIPTION: &'static str = "\
        The pin holds until the account cannot be used; then a `warning` of kind `pin_cleared` says so. -32012 \
        means that only a login helps, a retryable -32015 that the token endpoint cannot be reached.";
    const ERRORS: &'static [ErrorKind] = &[
        ErrorKind::AccountNotFound,
        ErrorKind::AccountAmbiguous,
        ErrorKind::LoginRequired,
        ErrorKind::Upstream,
        ErrorKind::Storage,
    ];
    type Params = AccountParams;
    type Result = AccountAnswer;
}

/// `accounts/remove`
#[derive(Debug)]
pub struct AccountsRemove;

impl Method for AccountsRemove {
    const NAME: &'static str = "accounts/remove";
    const SUMMARY: &'static str = "Removes an account and its credential. pi's own auth.json is left alone.";
    const DESCRIPTION: &'static str = "\
        An account that pi's login brought does not come back until pi holds another login.";
    const ERRORS: &'static [ErrorKind] =
        &[ErrorKind::AccountNotFound, ErrorKind::AccountAmbiguous, ErrorKind::Storage];
    type Params = AccountParams;
    type Result = Removed;
}

/// `accounts/disable`
#[derive(Debug)]
pub struct AccountsDisable;

impl Method for AccountsDisable {
    const NAME: &'static str = "accounts/disable";
    const SUMMARY: &'static str = "Takes an account out of rotation and keeps it.";
    const DESCRIPTION: &'static str = "\
        The account stays disabled over restarts.";
    const ERRORS: &'static [ErrorKind] =
        &[ErrorKind::AccountNotFound, ErrorKind::AccountAmbiguous, ErrorKind::Storage];
    type Params = AccountParams;
    type Result = AccountAnswer;
}

/// `accounts/enable`
#[derive(Debug)]
pub struct AccountsEnable;

impl Method for AccountsEnable {
    const NAME: &'static str = "accounts/enable";
    const SUMMARY: &'static str = "Puts a disabled account back into rotation.";
    const ERRORS: &'static [ErrorKind] =
        &[ErrorKind::AccountNotFound, ErrorKind::AccountAmbiguous, ErrorKind::Storage];
    type Params = AccountParams;
    type Result = AccountAnswer;
}

/// `accounts/label`
#[derive(Debug)]
pub struct AccountsLabel;

impl Method for AccountsLabel {
    const NAME: &'static str = "accounts/label";
    const SUMMARY: &'static str = "Renames an account.";
    const DESCRIPTION: &'static str = "\
        A label that is blank, holds control characters or belongs to another account is refused with -32602 \
        and `path: \"label\"`.";
    const ERRORS: &'static [ErrorKind] =
        &[ErrorKind::AccountNotFound, ErrorKind::AccountAmbiguous, ErrorKind::Storage];
    type Params = LabelParams;
    type Result = AccountAnswer;
}

/// `reset`
#[derive(Debug)]
pub struct Reset;

impl Method for Reset {
    const NAME: &'static str = "reset";
    const SUMMARY: &'static str = "Clears the pin, the cooldowns and back-offs, or both.";
    const ERRORS: &'static [ErrorKind] = &[ErrorKind::Storage];
    type Params = ResetParams;
    type Result = ResetResult;
}
