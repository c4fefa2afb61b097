//! Methods about how accounts are chosen: `rotation` and `rotation/set`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lenient;
use super::{ErrorKind, Method};

/// Of which completion to tell; without members, of one that has no session.
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
    /// In the order in which a completion would try the accounts now; those that it would not try come last.
    pub order: Vec<RankedAccount>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotationSettings {
    pub strategy: Strategy,
    pub affinity: Affinity,
    /// Accounts tried per completion; the first counts.
    pub max_attempts: u32,
    /// Cooldown after a usage limit when nothing says when it ends.
    pub fallback_cooldown_ms: u64,
    /// Accounts with less than this share of any window left are kept for when nothing else is left.
    pub reserve_percent: f64,
    /// How long a completion waits for the first account to come back; 0 is not at all.
    pub wait_for_reset_ms: u64,
    /// Of the accounts that have one; 0 for all others.
    pub priority: Vec<AccountPriority>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Untouched accounts, then the one whose week ends soonest.
    ResetFirst,
    /// The one of which the least is used.
    LeastUsed,
    /// In turn.
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

/// What is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RotationChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// From 1.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub max_attempts: Option<u32>,
    /// Above 0.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub fallback_cooldown_ms: Option<u64>,
    /// 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserve_percent: Option<f64>,
    /// 0 is not to wait.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub wait_for_reset_ms: Option<u64>,
    /// Of the accounts named; the others keep theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Vec<AccountPriority>>,
}

/// `rotation`
#[derive(Debug)]
pub struct ShowRotation;

impl Method for ShowRotation {
    const NAME: &'static str = "rotation";
    const SUMMARY: &'static str = "How accounts are chosen, and which one would be used now and why.";
    const ERRORS: &'static [ErrorKind] = &[];
    type Params = RotationParams;
    type Result = Rotation;
}

/// `rotation/set`
#[derive(Debug)]
pub struct SetRotation;

impl Method for SetRotation {
    const NAME: &'static str = "rotation/set";
    const SUMMARY: &'static str = "Changes how accounts are chosen, saved in settings.json.";
    const ERRORS: &'static [ErrorKind] =
        &[ErrorKind::AccountNotFound, ErrorKind::AccountAmbiguous, ErrorKind::Storage];
    type Params = RotationChange;
    type Result = Rotation;
}
