//! What the simulator does with one request. The serde spelling is the one of the admin endpoint and the scripts.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::answer::Answer;
use super::rows;
use super::stream_plan::StreamPlan;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// What the endpoint does when nothing is wrong.
    #[default]
    Normal,
    /// This status and body, from any endpoint; it has no effect beside.
    Answer(Answer),
    /// `codex/responses`: status 200 and this event stream.
    Stream(StreamPlan),
    /// `oauth/token`: the refresh token is redeemed, and this is handed out.
    Issue(Issue),
    /// Everything is done as in `normal` (a refresh token is redeemed), but the answer never arrives.
    Lost(Break),
    /// Nothing is done, and nothing answered on a connection that stays open.
    Hang,
    /// Nothing is done, and the connection closed.
    Cut,
    /// Nothing is done, and the connection reset.
    Reset,
    /// On a WebSocket: it is closed with this code. Elsewhere as `cut`.
    Close(u16),
}

/// How an answer breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Break {
    /// Nothing more comes; the connection stays open.
    Hang,
    /// The connection is closed.
    Cut,
    /// The connection is reset.
    Reset,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Issue {
    /// Members left out of the token answer, e.g. `refresh_token`, which also leaves the old one valid.
    pub omit: Vec<String>,
    /// The tokens are this account's: an answer for another identity.
    pub identity_of: Option<String>,
}

impl Behaviour {
    /// A row of [`super::ROWS`], e.g. `usage_limit`.
    pub fn row(name: &str) -> Option<Self> {
        rows::find(name).and_then(|row| row.behaviour().ok())
    }

    /// 429 `usage_limit_reached`, over in an hour.
    pub fn usage_limit() -> Self {
        Behaviour::usage_limit_for(3600)
    }

    /// 429 `usage_limit_reached`, over in so many seconds.
    pub fn usage_limit_for(seconds: i64) -> Self {
        Behaviour::Answer(Answer::json(
            429,
            json!({ "error": {
                "type": "usage_limit_reached",
                "message": "The usage limit has been reached",
                "plan_type": "plus",
                "resets_in_seconds": seconds,
            } }),
        ))
    }
}

/// The name of a row, or the behaviour itself.
pub(super) fn named_or_whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Behaviour, D::Error> {
    use serde::de::Error;
    let value = Value::deserialize(deserializer)?;
    if let Some(behaviour) = value.as_str().and_then(Behaviour::row) {
        return Ok(behaviour);
    }
    serde_json::from_value(value).map_err(D::Error::custom)
}
