//! The JSON of `state.json` as serde sees it. Unknown members are ignored, missing ones are empty.

use serde::{Deserialize, Serialize};

use super::saved_usage::SavedUsage;

#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct State {
    pub(crate) accounts: Vec<Account>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pinned: Option<String>,
    pub(crate) pin_changed_at: i64,
    pub(crate) sessions: Vec<Session>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    pub(crate) session: String,
    pub(crate) account: String,
    pub(crate) last_used_at: i64,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Account {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) disabled: bool,
    #[serde(default)]
    pub(crate) disabled_changed_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plan: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) needs_login: Option<Evidence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deactivated: Option<Evidence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cooldown: Option<Rest>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) limit_cooldowns: Vec<LimitRest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backoff: Option<Pause>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) model_exclusions: Vec<Exclusion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<SavedUsage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_used_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) withdrawn_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reinstated_at: Option<i64>,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Evidence {
    pub(crate) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    pub(crate) since: i64,
    pub(crate) source: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rest {
    pub(crate) until: i64,
    pub(crate) certainty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quoted_reset: Option<i64>,
    pub(crate) why: Evidence,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LimitRest {
    pub(crate) limit_id: String,
    #[serde(flatten)]
    pub(crate) rest: Rest,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Pause {
    pub(crate) until: i64,
    pub(crate) failures: u32,
    pub(crate) why: Evidence,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Exclusion {
    pub(crate) model: String,
    pub(crate) until: i64,
    #[serde(default)]
    pub(crate) since: i64,
}
