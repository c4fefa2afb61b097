//! The accounts of the simulator: identity, token life and usage. Tokens are in `tokens`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::quota::{SimReserve, SimResetCredit};
use crate::pool::At;

/// An account that can log in. Rules, the log and the scripts call it by `name`; upstream never sees that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimAccount {
    pub name: String,
    pub email: String,
    pub workspace_id: String,
    pub user_id: String,
    pub plan: String,
    /// The life of access tokens, in seconds.
    pub expires_in: i64,
    /// The life of the first access token, when it differs, e.g. -60 for an expired one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_expires_in: Option<i64>,
    /// Claims that its access tokens lack, e.g. `chatgpt_user_id`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub omit_claims: Vec<String>,
    pub usage: SimUsage,
}

/// The content of `/wham/usage`, the `x-codex-*` headers and `codex.rate_limits` events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimUsage {
    /// The first goes out as primary, the second as secondary window.
    pub windows: Vec<SimWindow>,
    /// Separate limits.
    pub limits: Vec<SimLimit>,
    pub credits: Option<SimCredits>,
    pub reset_credits: Vec<SimResetCredit>,
    /// Redeeming a credit spends it and resets nothing.
    pub resets_in_vain: bool,
    pub reserve: Option<SimReserve>,
    /// Further members of the body of `/wham/usage`, in upstream's spelling, e.g. `spend_control`.
    pub body: serde_json::Map<String, Value>,
    /// How much one completion adds to every window. When this is not 0, the account meets its usage limit at 100 %.
    pub cost_percent: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimWindow {
    pub minutes: u32,
    pub used_percent: f64,
    /// Seconds from the time when the usage was set.
    pub resets_in_seconds: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimLimit {
    /// e.g. `codex_bengalfox`
    pub id: String,
    pub name: String,
    pub windows: Vec<SimWindow>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimCredits {
    pub has_credits: bool,
    pub unlimited: bool,
    pub balance: String,
}

/// The credential of a login.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SimLogin {
    pub account: SimAccount,
    pub access_token: String,
    pub refresh_token: String,
    pub id_token: String,
    /// Seconds from the moment it was issued.
    pub expires_in: i64,
    /// Milliseconds since the epoch.
    pub expires_at: i64,
}

impl SimAccount {
    /// `ada`: ada@example.com, user-ada in ws-ada, plan plus, tokens that live ten days, 5 h at 12 % and 7 d at 5 %.
    pub fn named(name: &str) -> Self {
        SimAccount {
            name: name.to_owned(),
            email: format!("{name}@example.com"),
            workspace_id: format!("ws-{name}"),
            user_id: format!("user-{name}"),
            plan: "plus".to_owned(),
            expires_in: 864_000,
            first_expires_in: None,
            omit_claims: Vec::new(),
            usage: SimUsage {
                windows: vec![SimWindow::five_hours(12.0), SimWindow::seven_days(5.0)],
                ..SimUsage::default()
            },
        }
    }

    #[must_use]
    pub fn with_weekly_usage(mut self, used_percent: f64) -> Self {
        self.usage.windows = vec![SimWindow::five_hours(12.0), SimWindow::seven_days(used_percent)];
        self
    }

    /// The first access token lives this long; later ones as usual.
    #[must_use]
    pub fn with_first_token_for(mut self, seconds: i64) -> Self {
        self.first_expires_in = Some(seconds);
        self
    }

    /// Returns [`SimAccount::named`] with the members of `json` instead of its own.
    ///
    /// # Errors
    ///
    /// When `json` is no object, has no `name`, or has a member that does not fit.
    pub fn from_json(json: &Value) -> Result<Self, String> {
        let given = json.as_object().ok_or("an account is an object")?;
        let name = given.get("name").and_then(Value::as_str).ok_or("an account has a `name`")?;
        let mut whole = serde_json::to_value(SimAccount::named(name)).map_err(|error| error.to_string())?;
        if let Some(members) = whole.as_object_mut() {
            members.extend(given.clone());
        }
        serde_json::from_value(whole).map_err(|error| error.to_string())
    }
}

impl SimUsage {
    pub(super) fn exhausted(&self) -> bool {
        self.cost_percent > 0.0 && self.windows.iter().any(|window| window.used_percent >= 100.0)
    }

    pub(super) fn charge(&mut self) {
        for window in &mut self.windows {
            window.used_percent = (window.used_percent + self.cost_percent).min(100.0);
        }
    }
}

impl SimWindow {
    /// Resets in 3 h 39 min.
    pub fn five_hours(used_percent: f64) -> Self {
        SimWindow { minutes: 300, used_percent, resets_in_seconds: 13_140 }
    }

    /// Resets in 6 d 13 h.
    pub fn seven_days(used_percent: f64) -> Self {
        SimWindow { minutes: 10_080, used_percent, resets_in_seconds: 565_200 }
    }

    /// Unix seconds.
    pub(super) fn resets_at(&self, usage_set_at: At) -> i64 {
        usage_set_at.0 / 1000 + self.resets_in_seconds
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_replaces_members_of_a_named_account() {
        let team = SimAccount::from_json(&json!({ "name": "ada", "plan": "team", "first_expires_in": -60 }));
        let expected =
            SimAccount { plan: "team".to_owned(), ..SimAccount::named("ada") }.with_first_token_for(-60);
        assert_eq!(team, Ok(expected));
        assert!(SimAccount::from_json(&json!({ "name": "ada", "plna": "team" })).is_err());
        assert!(SimAccount::from_json(&json!({ "plan": "team" })).is_err());
    }

    #[test]
    fn only_a_charged_account_is_ever_exhausted() {
        let mut usage = SimAccount::named("ada").with_weekly_usage(100.0).usage;
        assert!(!usage.exhausted(), "a reading of 100 % alone refuses nothing");
        usage.windows[1].used_percent = 97.0;
        usage.cost_percent = 2.0;
        usage.charge();
        assert!(!usage.exhausted());
        usage.charge();
        assert_eq!((usage.windows[1].used_percent, usage.exhausted()), (100.0, true));
    }
}
