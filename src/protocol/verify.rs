//! `verify`: what is amiss on this machine and with these accounts, and the next step for each of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ErrorKind, Method};

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VerifyParams {
    /// Also ask upstream, with the tokens as they are: none is refreshed for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub online: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VerifyAnswer {
    /// The worst of the checks.
    pub status: CheckStatus,
    pub checks: Vec<Check>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    pub id: CheckId,
    pub status: CheckStatus,
    pub message: String,
    /// Account id, of the checks that there are for each account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The next step; whenever the status is not `pass`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Check {
    pub fn pass(id: CheckId, message: impl Into<String>) -> Self {
        Check { id, status: CheckStatus::Pass, message: message.into(), account: None, hint: None }
    }

    pub fn warn(id: CheckId, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Check { status: CheckStatus::Warn, hint: Some(hint.into()), ..Check::pass(id, message) }
    }

    pub fn fail(id: CheckId, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Check { status: CheckStatus::Fail, ..Check::warn(id, message, hint) }
    }

    #[must_use]
    pub fn of(mut self, account: impl ToString) -> Self {
        self.account = Some(account.to_string());
        self
    }
}

/// From good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    Pass,
    /// It works, and something should be done.
    Warn,
    Fail,
}

/// Stable. New ones may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckId {
    /// `codex-accounts.json` can be read and parses, and is of a version that is written here.
    AccountsFile,
    /// Every entry of it can be used; one check for each that cannot, or else one.
    AccountsEntries,
    /// `settings.json` parses, and its values make sense.
    SettingsFile,
    /// What is kept in the state dir parses.
    StateFiles,
    /// The accounts file can be replaced.
    AgentDirWritable,
    /// The state dir can be written to.
    StateDirWritable,
    /// Only the owner has rights: files 0600, the state dir 0700.
    Permissions,
    /// The login of pi is taken over.
    AuthImport,
    /// Between sidecars: locks that are held for long.
    Locks,
    /// pi's lock on its `auth.json`: held, or left behind.
    PiAuthLock,
    /// pi's lock on its `settings.json`: held, or left behind.
    PiSettingsLock,
    /// How changes by others are noticed.
    Watcher,
    /// There is an account.
    Accounts,
    /// Refresh tokens have one owner.
    SharedCredentials,
    /// Redeeming is not paused, and no answer to a refresh was lost.
    Redeeming,
    /// For each account: it needs no login and is not deactivated.
    AccountLogin,
    /// For each account: its access token.
    AccountToken,
    /// For each account: what is known about its usage.
    AccountUsage,
    /// Online: the upstream answers.
    Upstream,
    /// Online: the token endpoint's host answers.
    AuthServer,
    /// Online: this machine's clock agrees with upstream's.
    Clock,
}

/// `verify`
#[derive(Debug)]
pub struct Verify;

impl Method for Verify {
    const NAME: &'static str = "verify";
    const SUMMARY: &'static str =
        "Looks for what is amiss with files, locks, accounts and (online) upstream. Changes nothing.";
    const ERRORS: &'static [ErrorKind] = &[];
    type Params = VerifyParams;
    type Result = VerifyAnswer;
}
