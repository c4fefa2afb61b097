//! The rotation settings: `rotation` and `rotation/set`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lenient;
use super::{ErrorKind, Method, Transport};

/// The completion to rank the accounts for; without members, one that has no session.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RotationParams {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rotation {
    /// The settings in a sentence or two.
    pub policy: String,
    pub settings: RotationSettings,
    /// The accounts in the order in which a completion would try them now. Accounts that it would not try come last.
    pub order: Vec<RankedAccount>,
    /// What is left to do, in this order, when no account can serve; empty while one can.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plan: Vec<PlanStep>,
}

/// One thing that is left to do when no account can serve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanStep {
    pub step: PlanStepKind,
    /// Account id.
    pub account: String,
    /// Whether the settings allow that a completion does it by itself.
    pub allowed: bool,
    /// For people.
    pub reason: String,
    /// Of a reset credit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// Of a wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PlanStepKind {
    /// Luna Reserve answers, with a weaker model.
    Reserve,
    /// A reset credit is redeemed.
    ResetCredit,
    /// The account is back by itself.
    Wait,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotationSettings {
    pub strategy: Strategy,
    pub affinity: Affinity,
    /// How completions that name no transport talk to upstream.
    pub transport: Transport,
    /// How many accounts a completion tries, the first included.
    pub max_attempts: u32,
    /// The cooldown after a usage limit that does not say when it ends.
    pub fallback_cooldown_ms: u64,
    /// An account with less than this share left of any window is used only when no other can be.
    pub reserve_percent: f64,
    /// How long a completion waits for the first account to become available; 0 means that it does not wait.
    pub wait_for_reset_ms: u64,
    /// When Luna Reserve answers once every account is out; its model is a weaker one.
    pub reserve: ReserveUse,
    /// When a reset credit is redeemed without a person.
    pub reset_credits: ResetCreditUse,
    /// The accounts that have a priority; all others have 0.
    pub priority: Vec<AccountPriority>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// First unused accounts, then the one whose longest window resets soonest.
    ResetFirst,
    /// The account with the lowest used percentage.
    LeastUsed,
    /// Each account in turn. The default: it serves most and moves sessions least in the simulated weeks.
    RoundRobin,
    /// The highest priority; among equals as `reset-first`.
    Priority,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Affinity {
    /// A session keeps its account while it can be used.
    Session,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReserveUse {
    Never,
    /// When the request is for the very model that the reserve answers with.
    Luna,
    /// For any model; a weaker answer is accepted.
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ResetCreditUse {
    Never,
    /// When no account can serve: of an account whose longest window alone is in the way, one an hour at most, and none
    /// any more after one that did not help.
    WhenDry,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AccountPriority {
    /// In params an id, a label or an e-mail; in answers the id.
    pub account: String,
    /// -100 to 100, higher first.
    pub priority: i32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RankedAccount {
    /// Account id.
    pub account: String,
    pub label: String,
    /// Whether a completion would try it.
    pub eligible: bool,
    /// From 1; absent when it is not eligible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// For people, the most decisive first.
    pub reasons: Vec<String>,
}

/// Members that are absent stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RotationChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// From 1.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub max_attempts: Option<u32>,
    /// Above 0.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub fallback_cooldown_ms: Option<u64>,
    /// 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserve_percent: Option<f64>,
    /// 0 means that a completion does not wait.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub wait_for_reset_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserve: Option<ReserveUse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset_credits: Option<ResetCreditUse>,
    /// Changes the accounts that it names; the others keep their priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Vec<AccountPriority>>,
}

/// `rotation`
#[derive(Debug)]
pub struct ShowRotation;

impl Method for ShowRotation {
    const NAME: &'static str = "rotation";
    const SUMMARY: &'static str =
        "Shows the rotation settings, and in which order accounts would be tried now and why.";
    const DESCRIPTION: &'static str = "\
        The order is that of a completion made now; with `sessionId` or `model`, of a completion that has \
        them. `reasons` are for people.";
    const ERRORS: &'static [ErrorKind] = &[];
    type Params = RotationParams;
    type Result = Rotation;
}

/// `rotation/set`
#[derive(Debug)]
pub struct SetRotation;

impl Method for SetRotation {
    const NAME: &'static str = "rotation/set";
    const SUMMARY: &'static str = "Changes the rotation settings and saves them.";
    const DESCRIPTION: &'static str = "\
        The change is saved under `pi-multicodex.rotation` in settings.json; other sidecars follow it. A wrong \
        value is refused with -32602 and its `path`, and nothing is changed. The strategies are compared in \
        [`strategies.md`](strategies.md).";
    const ERRORS: &'static [ErrorKind] =
        &[ErrorKind::AccountNotFound, ErrorKind::AccountAmbiguous, ErrorKind::Storage];
    type Params = RotationChange;
    type Result = Rotation;
}
