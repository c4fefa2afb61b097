//! The state of the simulator, behind one lock: accounts, tokens, rules and the log.

use std::collections::HashMap;
use std::sync::Arc;

use super::account::{SimAccount, SimLogin, SimUsage};
use super::behaviour::Behaviour;
use super::log::{LoggedFrame, LoggedRequest, RequestEnd};
use super::login::Logins;
use super::quota::Redeemed;
use super::reasoning::Produced;
use super::received::Received;
use super::rule::{Route, Rule, Rules};
use super::server::Shared;
use super::tokens::{Owner, Tokens};
use crate::pool::At;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) accounts: Vec<Member>,
    pub(super) tokens: Tokens,
    pub(super) logins: Logins,
    pub(super) rules: Rules,
    pub(super) log: Vec<LoggedRequest>,
    pub(super) produced: Produced,
    /// How far the `Date` of answers is ahead of this machine's clock, or behind it.
    pub(super) ahead_ms: i64,
    counts: HashMap<(Option<Owner>, Option<Route>), u32>,
    responses: u64,
    sockets: u64,
    /// Log entries from before the last reset are gone; older requests that are still open must not write here.
    resets: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) account: SimAccount,
    pub(super) usage_set_at: At,
    pub(super) redeemed: Redeemed,
}

/// One request under way.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) owner: Option<Owner>,
    pub(super) n: u32,
    pub(super) tracked: Tracked,
}

/// Records in the log, when it is dropped, how a request ended. If nothing else was set, the client left.
#[derive(Debug)]
pub(super) struct Tracked {
    end: RequestEnd,
    shared: Arc<Shared>,
    entry: Option<usize>,
    resets: u64,
}

impl State {
    /// Adds the account, or replaces the one with this name, and logs it in.
    pub(super) fn add_account(&mut self, account: SimAccount, now: At) -> SimLogin {
        let expires_in = account.first_expires_in.unwrap_or(account.expires_in);
        let member = Member { account: account.clone(), usage_set_at: now, redeemed: Redeemed::default() };
        let owner = match self.owner_of(&account.name) {
            Some(owner) => {
                self.accounts[owner] = member;
                owner
            }
            None => {
                self.accounts.push(member);
                self.accounts.len() - 1
            }
        };
        self.tokens.issue(owner, &account, expires_in, now)
    }

    pub(super) fn owner_of(&self, name: &str) -> Option<Owner> {
        self.accounts.iter().position(|member| member.account.name == name)
    }

    pub(super) fn issue(&mut self, owner: Owner, now: At) -> SimLogin {
        self.issue_without(&[], owner, now)
    }

    pub(super) fn issue_without(&mut self, claims: &[String], owner: Owner, now: At) -> SimLogin {
        let mut account = self.accounts[owner].account.clone();
        account.omit_claims.extend_from_slice(claims);
        self.tokens.issue(owner, &account, account.expires_in, now)
    }

    pub(super) fn set_usage(&mut self, owner: Owner, usage: SimUsage, now: At) {
        let member = &mut self.accounts[owner];
        member.account.usage = usage;
        member.usage_set_at = now;
    }

    pub(super) fn next_response_id(&mut self) -> String {
        self.responses += 1;
        format!("sim{}", self.responses)
    }

    pub(super) fn next_socket(&mut self) -> u64 {
        self.sockets += 1;
        self.sockets
    }

    /// The rule for a request that has passed its checks.
    pub(super) fn rule(&mut self, owner: Option<Owner>, route: Route, n: u32) -> Rule {
        let name = owner.map(|owner| self.accounts[owner].account.name.as_str());
        self.rules.take(name, route, n).unwrap_or_else(|| Rule::always(Behaviour::Normal))
    }

    /// Clears rules, log and counts; accounts and tokens stay.
    pub(super) fn reset(&mut self) {
        self.rules.clear();
        self.log.clear();
        self.counts.clear();
        self.tokens.reused = 0;
        self.resets += 1;
    }

    fn count(&mut self, owner: Option<Owner>, route: Option<Route>) -> u32 {
        let count = self.counts.entry((owner, route)).or_default();
        *count += 1;
        *count
    }

    /// Returns the account of a request by its tokens, or else by its workspace header.
    fn owner_of_request(&self, route: Option<Route>, received: &Received) -> Option<Owner> {
        match route {
            Some(Route::Token) => match received.member("code") {
                Some(code) => self.logins.owner_of_code(&code),
                None => self.tokens.owner_of_refresh(&received.member("refresh_token")?),
            },
            Some(Route::DevicePoll) => self.logins.owner_of_device(&received.member("device_auth_id")?),
            Some(Route::Revoke) => self.tokens.owner_of_refresh(&received.member("token")?),
            _ => received.bearer().and_then(|bearer| self.tokens.owner_of_access(bearer)).or_else(|| {
                let workspace = received.header("chatgpt-account-id")?;
                self.accounts.iter().position(|member| member.account.workspace_id == workspace)
            }),
        }
    }
}

/// Counts and logs the request.
pub(super) fn begin(shared: &Arc<Shared>, route: Option<Route>, received: &Received, now: At) -> Turn {
    let mut state = shared.state();
    let owner = state.owner_of_request(route, received);
    let n = state.count(owner, route);
    let entry = shared.config.log.then(|| {
        let account = owner.map(|owner| state.accounts[owner].account.name.clone());
        state.log.push(LoggedRequest {
            at_ms: now.0,
            method: received.method.clone(),
            path: received.path_and_query.clone(),
            route,
            account,
            headers: received.headers.clone(),
            body: received.body.clone(),
            status: None,
            end: RequestEnd::Open,
            n,
            frame: None,
        });
        state.log.len() - 1
    });
    let tracked = Tracked { end: RequestEnd::Aborted, shared: shared.clone(), entry, resets: state.resets };
    Turn { owner, n, tracked }
}

impl Tracked {
    pub(super) fn answered_with(&mut self, status: u16) {
        self.update(|logged| logged.status = Some(status));
    }

    pub(super) fn came_as(&mut self, frame: LoggedFrame) {
        self.update(|logged| logged.frame = Some(frame));
    }

    pub(super) fn ended(mut self, end: RequestEnd) {
        self.end = end;
    }

    fn update(&self, change: impl FnOnce(&mut LoggedRequest)) {
        let mut state = self.shared.state();
        if state.resets == self.resets
            && let Some(logged) = self.entry.and_then(|entry| state.log.get_mut(entry))
        {
            change(logged);
        }
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.update(|logged| logged.end = self.end);
    }
}
