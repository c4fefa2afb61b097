//! For which requests a behaviour holds.

use serde::{Deserialize, Serialize};

use super::behaviour::{Behaviour, named_or_whole};

/// The endpoints of upstream that are simulated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// By HTTP, or as a frame on a WebSocket.
    #[default]
    Responses,
    /// The handshake of a WebSocket.
    Socket,
    Token,
    Revoke,
    Authorize,
    DeviceCode,
    DevicePoll,
    DevicePage,
    Usage,
    AccountsCheck,
    ResetCredits,
    RedeemResetCredit,
    Models,
}

/// Which of the requests of one account to one route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// All that no other rule takes; the latest such rule counts.
    #[default]
    Always,
    /// The nth since the start or the last reset, from 1; refused bearers count.
    Nth(u32),
    /// The next so many. Rules of this kind are used up in the order in which they were set.
    Next(u32),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name; any account when absent.
    #[serde(default)]
    pub account: Option<String>,
    #[serde(default)]
    pub route: Route,
    #[serde(default)]
    pub when: When,
    /// Waited before anything is done.
    #[serde(default)]
    pub delay_ms: u64,
    /// Or the name of a row.
    #[serde(deserialize_with = "named_or_whole")]
    pub behaviour: Behaviour,
}

impl Route {
    /// Whether WebSockets are spoken there.
    pub(super) fn is_socket(path: &str) -> bool {
        path == "/backend-api/codex/responses"
    }

    pub(super) fn of(method: &str, path: &str) -> Option<Self> {
        match (method, path) {
            ("POST", "/backend-api/codex/responses") => Some(Route::Responses),
            ("POST", "/oauth/token") => Some(Route::Token),
            ("POST", "/oauth/revoke") => Some(Route::Revoke),
            ("GET", "/oauth/authorize") => Some(Route::Authorize),
            ("POST", "/api/accounts/deviceauth/usercode") => Some(Route::DeviceCode),
            ("POST", "/api/accounts/deviceauth/token") => Some(Route::DevicePoll),
            ("GET", "/codex/device") => Some(Route::DevicePage),
            ("GET", "/backend-api/wham/usage") => Some(Route::Usage),
            ("GET", "/backend-api/wham/accounts/check") => Some(Route::AccountsCheck),
            ("GET", "/backend-api/wham/rate-limit-reset-credits") => Some(Route::ResetCredits),
            ("POST", "/backend-api/wham/rate-limit-reset-credits/consume") => Some(Route::RedeemResetCredit),
            ("GET", "/backend-api/codex/models") => Some(Route::Models),
            _ => None,
        }
    }
}

impl Rule {
    pub fn always(behaviour: Behaviour) -> Self {
        Rule { account: None, route: Route::default(), when: When::Always, delay_ms: 0, behaviour }
    }

    pub fn nth(n: u32, behaviour: Behaviour) -> Self {
        Rule { when: When::Nth(n), ..Rule::always(behaviour) }
    }

    pub fn next(count: u32, behaviour: Behaviour) -> Self {
        Rule { when: When::Next(count), ..Rule::always(behaviour) }
    }

    #[must_use]
    pub fn of(mut self, account: &str) -> Self {
        self.account = Some(account.to_owned());
        self
    }

    #[must_use]
    pub fn on(mut self, route: Route) -> Self {
        self.route = route;
        self
    }

    #[must_use]
    pub fn delayed(mut self, milliseconds: u64) -> Self {
        self.delay_ms = milliseconds;
        self
    }

    fn is_for(&self, account: Option<&str>, route: Route) -> bool {
        self.route == route && self.account.as_deref().is_none_or(|name| account == Some(name))
    }
}

/// The rules in force, in the order in which they were set.
#[derive(Debug, Default)]
pub(super) struct Rules(Vec<Rule>);

impl Rules {
    pub(super) fn add(&mut self, rule: Rule) {
        self.0.push(rule);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The rule for the `n`th request of this account to this route; one of the "next" kind is used up by it.
    pub(super) fn take(&mut self, account: Option<&str>, route: Route, n: u32) -> Option<Rule> {
        let fits = |rule: &Rule| rule.is_for(account, route);
        if let Some(rule) = self.0.iter().rev().find(|rule| fits(rule) && rule.when == When::Nth(n)) {
            return Some(rule.clone());
        }
        for rule in &mut self.0 {
            if let When::Next(left @ 1..) = rule.when
                && rule.is_for(account, route)
            {
                rule.when = When::Next(left - 1);
                return Some(rule.clone());
            }
        }
        self.0.iter().rev().find(|rule| fits(rule) && rule.when == When::Always).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(rule: Option<Rule>) -> Option<u16> {
        match rule?.behaviour {
            Behaviour::Answer(answer) => Some(answer.status),
            _ => None,
        }
    }

    #[test]
    fn nth_beats_next_beats_always() {
        let answer = |status| Behaviour::Answer(super::super::Answer::json(status, serde_json::Value::Null));
        let mut rules = Rules::default();
        for rule in [
            Rule::always(answer(500)),
            Rule::always(answer(501)).of("ada"),
            Rule::next(2, answer(502)).of("ada"),
            Rule::next(1, answer(503)).of("ada"),
            Rule::nth(2, answer(504)).of("ada"),
            Rule::always(answer(505)).on(Route::Token),
        ] {
            rules.add(rule);
        }
        let got: Vec<_> = (1..=6).map(|n| status(rules.take(Some("ada"), Route::Responses, n))).collect();
        assert_eq!(got, [502, 504, 502, 503, 501, 501].map(Some));
        assert_eq!(status(rules.take(Some("bob"), Route::Responses, 1)), Some(500));
        assert_eq!(status(rules.take(None, Route::Token, 1)), Some(505));
        assert_eq!(status(rules.take(Some("ada"), Route::Usage, 1)), None);
    }

    #[test]
    fn a_rule_is_spelled_with_a_row_or_a_behaviour() {
        let rule = |json: &str| serde_json::from_str::<Rule>(json);
        assert_eq!(
            rule(r#"{"account":"ada","when":{"nth":2},"behaviour":"usage_limit"}"#).ok(),
            Some(Rule::nth(2, Behaviour::usage_limit()).of("ada"))
        );
        assert_eq!(
            rule(r#"{"route":"token","behaviour":"hang"}"#).ok(),
            Some(Rule::always(Behaviour::Hang).on(Route::Token))
        );
        assert!(rule(r#"{"behaviour":"usage_limitt"}"#).is_err());
        assert!(rule(r#"{"behaviour":"hang","acount":"ada"}"#).is_err());
    }
}
