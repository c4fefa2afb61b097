//! The JSON of `state.json` as serde sees it. Members of later versions are ignored, missing ones are empty.

use serde::{Deserialize, Serialize};

use super::saved_usage::SavedUsage;

#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct State {
    pub(super) accounts: Vec<Account>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pinned: Option<String>,
    pub(super) pin_changed_at: i64,
    pub(super) sessions: Vec<Session>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Session {
    pub(super) session: String,
    pub(super) account: String,
    pub(super) last_used_at: i64,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Account {
    pub(super) id: String,
    #[serde(default)]
    pub(super) disabled: bool,
    #[serde(default)]
    pub(super) disabled_changed_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) plan: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) needs_login: Option<Evidence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deactivated: Option<Evidence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cooldown: Option<Rest>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) limit_cooldowns: Vec<LimitRest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) backoff: Option<Pause>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) model_exclusions: Vec<Exclusion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<SavedUsage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_used_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) withdrawn_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reinstated_at: Option<i64>,
}

#[derive(Deserialize, Serialize)]
pub(super) struct Evidence {
    pub(super) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
    pub(super) message: String,
    pub(super) since: i64,
    pub(super) source: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rest {
    pub(super) until: i64,
    pub(super) certainty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) quoted_reset: Option<i64>,
    pub(super) why: Evidence,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LimitRest {
    pub(super) limit_id: String,
    #[serde(flatten)]
    pub(super) rest: Rest,
}

#[derive(Deserialize, Serialize)]
pub(super) struct Pause {
    pub(super) until: i64,
    pub(super) failures: u32,
    pub(super) why: Evidence,
}

#[derive(Deserialize, Serialize)]
pub(super) struct Exclusion {
    pub(super) model: String,
    pub(super) until: i64,
}
