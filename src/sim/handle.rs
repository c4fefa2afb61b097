//! The admin interface within the process, for tests and the demonstration.

use std::sync::Arc;

use super::account::{SimAccount, SimLogin, SimUsage};
use super::behaviour::Behaviour;
use super::log::LoggedRequest;
use super::rule::{Route, Rule};
use super::server::Shared;
use crate::clock;

/// Cheap to clone. Accounts are named by their names; an unknown name changes nothing and counts nothing.
#[derive(Clone, Debug)]
pub struct SimHandle {
    shared: Arc<Shared>,
}

impl SimHandle {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        SimHandle { shared }
    }

    /// Adds the account, or replaces the one with this name, and logs it in.
    pub fn add_account(&self, account: SimAccount) -> SimLogin {
        self.shared.state().add_account(account, clock::now())
    }

    /// Logs the account in once more; its older tokens stay valid.
    pub fn sign_in(&self, name: &str) -> Option<SimLogin> {
        let mut state = self.shared.state();
        let owner = state.owner_of(name)?;
        Some(state.issue(owner, clock::now()))
    }

    /// Sets who is logged in at the authorize and device pages; with `None` the pages ask.
    pub fn set_visitor(&self, name: Option<&str>) {
        let mut state = self.shared.state();
        state.logins.visitor = name.and_then(|name| state.owner_of(name));
    }

    /// The account's owner types this code. Returns false when no login waits for it.
    pub fn grant_device(&self, user_code: &str, name: &str) -> bool {
        let mut state = self.shared.state();
        state.owner_of(name).is_some_and(|owner| state.logins.grant_device(user_code, owner))
    }

    /// Sets how often devices should poll, in seconds.
    pub fn set_device_interval(&self, seconds: u32) {
        self.shared.state().logins.device_interval = Some(seconds);
    }

    /// Sets upstream's clock, as its `Date` headers show it: this many seconds ahead of this machine, or behind.
    pub fn set_clock_ahead(&self, seconds: i64) {
        self.shared.state().ahead_ms = seconds * 1000;
    }

    /// Sets what the account's completions meet from now on.
    pub fn set_behaviour(&self, name: &str, behaviour: Behaviour) {
        self.add_rule(Rule::always(behaviour).of(name));
    }

    pub fn add_rule(&self, rule: Rule) {
        self.shared.state().rules.add(rule);
    }

    pub fn set_usage(&self, name: &str, usage: SimUsage) {
        let mut state = self.shared.state();
        if let Some(owner) = state.owner_of(name) {
            state.set_usage(owner, usage, clock::now());
        }
    }

    /// Refuses all access tokens issued so far (401 `token_invalidated`).
    pub fn revoke_access(&self, name: &str) {
        let mut state = self.shared.state();
        if let Some(owner) = state.owner_of(name) {
            state.tokens.revoke_access(owner);
        }
    }

    /// Closes every WebSocket that is between two turns, with this code or without a close frame.
    pub fn close_sockets(&self, code: Option<u16>) {
        // Without open sockets there is nothing to close.
        let _ = self.shared.socket_orders.send(code);
    }

    /// Returns how many WebSockets are open.
    pub fn open_sockets(&self) -> usize {
        self.shared.socket_orders.receiver_count()
    }

    /// Returns every request so far, in the order of arrival.
    pub fn log(&self) -> Vec<LoggedRequest> {
        self.shared.state().log.clone()
    }

    /// Returns the number of completion requests of this account.
    pub fn posts(&self, name: &str) -> usize {
        self.requests(name, Route::Responses)
    }

    /// Returns the number of requests to the token endpoint with a refresh token of this account, refused ones
    /// included.
    pub fn refreshes(&self, name: &str) -> usize {
        self.requests(name, Route::Token)
    }

    pub fn requests(&self, name: &str, route: Route) -> usize {
        let state = self.shared.state();
        let own =
            |logged: &&LoggedRequest| logged.route == Some(route) && logged.account.as_deref() == Some(name);
        state.log.iter().filter(own).count()
    }

    /// Returns the redeemed reset credits of this account: request id and credit id, in their order.
    pub fn redeemed(&self, name: &str) -> Vec<(String, String)> {
        let state = self.shared.state();
        state.owner_of(name).map_or_else(Vec::new, |owner| state.accounts[owner].redeemed.done.clone())
    }

    /// Returns how often a refresh token was sent after it had been redeemed.
    pub fn reused(&self) -> u32 {
        self.shared.state().tokens.reused
    }

    /// Clears rules, log and counts; accounts and tokens stay.
    pub fn reset(&self) {
        self.shared.state().reset();
    }
}
