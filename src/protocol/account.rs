//! An account as clients see it. It never holds a token.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

// The strings are borrowed from the pool where an account is only serialized.
/// One signed-in account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Account")]
pub struct Account<S = String> {
    /// `acc_` and 16 hex digits, derived from workspace and user: survives label changes, re-login and restarts.
    pub id: S,
    /// Unique, case-insensitively.
    pub label: S,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<S>,
    /// `chatgpt_account_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<S>,
    /// Upstream's name for the plan, e.g. `plus`. New names may come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<S>,
    /// Whether rotation would use it now for a completion without a session.
    pub active: bool,
    /// The user chose it with `accounts/use`.
    pub pinned: bool,
    /// pi's auth.json owns its credential.
    pub linked: bool,
    pub state: AccountState,
    /// Why it is not `ready`, or why it is backed off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// It met a limit and is not used before then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown_until: Option<i64>,
    /// After transient failures the account ranks last until then; its state stays `ready`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_until: Option<i64>,
    pub token: Token,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<i64>,
}

impl Account<&str> {
    /// Returns a copy that owns its strings.
    pub fn into_owned(self) -> Account {
        Account {
            id: self.id.to_owned(),
            label: self.label.to_owned(),
            email: self.email.map(str::to_owned),
            workspace_id: self.workspace_id.map(str::to_owned),
            plan: self.plan.map(str::to_owned),
            active: self.active,
            pinned: self.pinned,
            linked: self.linked,
            state: self.state,
            reason: self.reason,
            cooldown_until: self.cooldown_until,
            backoff_until: self.backoff_until,
            token: self.token,
            usage: self.usage,
            last_used_at: self.last_used_at,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// It can be used.
    Ready,
    /// It met a limit and waits until `cooldownUntil`.
    Cooling,
    /// Only a new login helps.
    NeedsLogin,
    /// Upstream deactivated the account or its workspace.
    Deactivated,
    /// The user took it out of rotation.
    Disabled,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// One of the kinds of section "Kinds" in `schema/protocol.md`.
    pub kind: String,
    pub message: String,
    pub since: i64,
    /// Where it was seen, e.g. `response_body`.
    pub source: String,
    /// Absent when it concerns this account only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ReasonScope>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReasonScope {
    /// A limit of the organization, which every account of the workspace meets.
    Workspace,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    pub expires_at: i64,
    pub state: TokenState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenState {
    Valid,
    /// It expires in less than five minutes.
    Expiring,
    Expired,
}

/// What is known about an account's usage. Its parts come from different answers, so each has its own time and source;
/// `fetchedAt`, `source` and `stale` at this level belong to `windows` and `reached`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Shortest first. A window that is not listed is unknown, which is neither 0 % nor untouched.
    pub windows: Vec<Window>,
    /// Upstream's word for the limit that was reached, e.g. `workspace_member_credits_depleted`. New words may come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<String>,
    #[serde(flatten)]
    pub seen: Seen,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<AdditionalLimit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credits: Option<Credits>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend_control: Option<SpendControl>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_credits: Option<ResetCredits>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve: Option<Reserve>,
}

/// When and from where a part of the usage was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    pub fetched_at: i64,
    pub source: UsageSource,
    /// Older than five minutes.
    pub stale: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// Derived from the length: `5h`, `7d`, `30d`, …
    pub name: Cow<'static, str>,
    pub used_percent: f64,
    pub window_minutes: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<i64>,
}

/// A separate limit beside the main one, e.g. of one model. Its cooldown affects only completions that meet it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdditionalLimit {
    pub limit_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub windows: Vec<Window>,
    /// Completions that meet this limit do not use the account before then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown_until: Option<i64>,
    #[serde(flatten)]
    pub seen: Seen,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Credits {
    pub has_credits: bool,
    pub unlimited: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<String>,
    #[serde(flatten)]
    pub seen: Seen,
}

/// The account's own spending limit. Amounts are upstream's texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpendControl {
    pub reached: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_percent: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<i64>,
    #[serde(flatten)]
    pub seen: Seen,
}

/// How often the user may have the limits reset: here with `accounts/resetCredit`, or at chatgpt.com.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResetCredits {
    pub available: u32,
    /// Those that are available, the first to expire first; absent while upstream has only counted them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credits: Vec<ResetCredit>,
    #[serde(flatten)]
    pub seen: Seen,
}

/// Resets the usage windows of its account once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResetCredit {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// Upstream's word, e.g. `available`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// Luna Reserve: a second quota that upstream offers when the ordinary usage is up. It answers with a weaker model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reserve {
    /// Whether it may be used now.
    pub granted: bool,
    /// What its model is called otherwise, e.g. `gpt-5.6-luna`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordinary_model: Option<String>,
    /// It was used up here; it is tried again then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown_until: Option<i64>,
    #[serde(flatten)]
    pub seen: Seen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    UsageEndpoint,
    ResponseHeaders,
    StreamEvent,
}
