//! `verify`: checks of this machine and these accounts, and the next step for each finding.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ErrorKind, Method};

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VerifyParams {
    /// Whether to ask upstream, too, with the present tokens; it refreshes none.
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
    /// Account id, for the checks that exist once per account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The next step. Always there when the status is not `pass`.
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
    /// It works, but something should be done.
    Warn,
    Fail,
}

/// Stable. New ones may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckId {
    /// `codex-accounts.json` can be read and parsed, and has a version that this sidecar writes.
    AccountsFile,
    /// Every entry of that file can be used. One check for each entry that cannot, or one check in all.
    AccountsEntries,
    /// `settings.json` parses, and its values are valid.
    SettingsFile,
    /// The files in the state directory parse.
    StateFiles,
    /// The accounts file can be replaced.
    AgentDirWritable,
    /// The state directory can be written to.
    StateDirWritable,
    /// Only the owner has access: files 0600, the state directory 0700.
    Permissions,
    /// pi's login is imported.
    AuthImport,
    /// No lock between sidecars is held for long.
    Locks,
    /// pi's lock on its `auth.json` is neither held for long nor left behind.
    PiAuthLock,
    /// pi's lock on its `settings.json` is neither held for long nor left behind.
    PiSettingsLock,
    /// How the sidecar notices changes by other programs.
    Watcher,
    /// There is an account.
    Accounts,
    /// Each refresh token has one owner.
    SharedCredentials,
    /// Refreshing is not paused, and no answer to a refresh was lost.
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
    const SUMMARY: &'static str = "Checks files, locks, accounts and, with `online`, upstream. Each finding has a hint that says what to do next.";
    const DESCRIPTION: &'static str = "\
        It changes nothing, in files, in memory or upstream: it refreshes no token, holds no lock for long and \
        moves no file. With `online` it adds `upstream`, `auth_server` and `clock`, and reads the usage of \
        each account with its present token; `account_token` and `account_usage` then report that. Accounts \
        that need a login, or whose token has expired, are not asked. When upstream cannot be reached, only \
        `upstream` fails.\n\
        \n\
        `multicodex verify` in a shell makes the same checks before a sidecar could repair anything; its exit \
        code is 1 when one fails.";
    const ERRORS: &'static [ErrorKind] = &[];
    type Params = VerifyParams;
    type Result = VerifyAnswer;
}
