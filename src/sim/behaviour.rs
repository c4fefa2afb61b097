//! What the simulator does with a request. The admin interface and the scripts use the serde form.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::answer::Answer;
use super::rows;
use super::stream_plan::StreamPlan;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// The normal answer of the endpoint.
    #[default]
    Normal,
    /// This status and body, from any endpoint, without any other effect.
    Answer(Answer),
    /// `codex/responses`: status 200 and this event stream.
    Stream(StreamPlan),
    /// `oauth/token`: the refresh token is redeemed, and this is returned.
    Issue(Issue),
    /// Everything happens as in `normal` (a refresh token is redeemed), but the answer never arrives.
    Lost(Break),
    /// Nothing is done or answered; the connection stays open.
    Hang,
    /// Nothing is done, and the connection is closed.
    Cut,
    /// Nothing is done, and the connection is reset.
    Reset,
    /// On a WebSocket: closes it with this code. Elsewhere the same as `cut`.
    Close(u16),
}

/// How an answer breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Break {
    /// Nothing more is sent; the connection stays open.
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
    /// Claims left out of the access token, e.g. `chatgpt_user_id`.
    pub omit_claims: Vec<String>,
}

impl Behaviour {
    /// Returns a row of [`super::ROWS`], e.g. `usage_limit`.
    pub fn row(name: &str) -> Option<Self> {
        rows::find(name).and_then(|row| row.behaviour().ok())
    }

    /// 429 `usage_limit_reached`, which resets in an hour.
    pub fn usage_limit() -> Self {
        Behaviour::usage_limit_for(3600)
    }

    /// 429 `usage_limit_reached`, which resets in this many seconds.
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
