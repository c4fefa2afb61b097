//! All accounts together: their order, and what was learned about each. Every change of an account goes through here
//! and increases `revision`.

use std::collections::HashMap;
use std::fmt;

use crate::pool::failover::unexplained_401::Unexplained401s;
use crate::pool::{
    Account, AccountId, Affinity, At, Credential, Demand, Health, HealthEvidence, RotationSettings,
};

/// All accounts and everything that decides which one is used.
#[derive(Debug, Default)]
pub struct Pool {
    pub(crate) settings: RotationSettings,
    /// In the file's order.
    pub(crate) accounts: Vec<Account>,
    /// When each account was last chosen, as the n-th choice of this process; 0 means never. Parallel to `accounts`.
    pub(crate) chosen: Vec<u64>,
    pub(crate) by_id: HashMap<AccountId, usize>,
    pub(crate) pin: Option<AccountId>,
    pub(crate) affinity: Affinity,
    /// When accounts joined that are placed last: it counts as a use when nothing else distinguishes accounts.
    pub(crate) joined: HashMap<AccountId, At>,
    /// (model, limit id) for models that were refused by a separate limit; the latest is last.
    model_limits: Vec<(String, String)>,
    pub(crate) unexplained_401s: Unexplained401s,
    choices: u64,
    revision: u64,
    /// The latest time that the pool was given, or the last one, if the clock was set back since.
    told: At,
}

/// Why an account cannot have a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelError {
    Blank,
    /// Another account has it, maybe with other letter case.
    Taken,
}

impl Pool {
    pub fn new(settings: RotationSettings) -> Self {
        Pool { settings, ..Pool::default() }
    }

    pub fn settings(&self) -> &RotationSettings {
        &self.settings
    }

    pub fn set_settings(&mut self, settings: RotationSettings) {
        if self.settings != settings {
            self.settings = settings;
            self.touch();
        }
    }

    /// In the file's order.
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    pub fn get(&self, id: &AccountId) -> Option<&Account> {
        self.by_id.get(id).map(|&index| &self.accounts[index])
    }

    /// Grows with every change that a client could see.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Gives the pool the time before a decision. If the clock was set back, evidence from the future then counts as
    /// evidence of now. Returns whether there was any.
    pub fn observe_clock(&mut self, now: At) -> bool {
        if !self.told.is_ahead_of(now) {
            self.told = self.told.max(now);
            return false;
        }
        self.told = now;
        self.affinity.clamp_future(now);
        self.joined.values_mut().for_each(|at| *at = at.not_ahead_of(now));
        let mut settled = false;
        for account in &mut self.accounts {
            let before = account.health.clone();
            account.health.clamp_future(now);
            settled |= account.health != before;
        }
        if settled {
            self.touch();
        }
        settled
    }

    /// Returns how many choices were made since this account was chosen; `None` when it never was.
    pub(crate) fn choices_since(&self, index: usize) -> Option<u64> {
        let chosen = self.chosen[index];
        (chosen > 0).then(|| self.choices - chosen)
    }

    pub fn pinned(&self) -> Option<&AccountId> {
        self.pin.as_ref()
    }

    /// Returns the account that rotation would use now for a completion without a session: the pin, while it can be
    /// used.
    pub fn active(&self, now: At) -> Option<AccountId> {
        self.best(&Demand::default(), &[], now)
    }

    pub fn remove(&mut self, id: &AccountId) -> Option<Account> {
        let index = self.by_id.get(id).copied()?;
        let account = self.accounts.remove(index);
        self.chosen.remove(index);
        self.reindex();
        self.affinity.forget_account(id);
        self.pin.take_if(|pin| pin == id);
        self.touch();
        Some(account)
    }

    /// Labels are unique case-insensitively, without white space around them.
    pub fn set_label(&mut self, id: &AccountId, label: &str) -> Result<(), LabelError> {
        let label = label.trim();
        if label.is_empty() {
            return Err(LabelError::Blank);
        }
        let folded = label.to_lowercase();
        if self.accounts.iter().any(|other| other.id != *id && other.label.to_lowercase() == folded) {
            return Err(LabelError::Taken);
        }
        self.update(id, |account| replace(&mut account.label, label.to_owned()));
        Ok(())
    }

    /// Disabling the pinned account clears the pin.
    pub fn set_disabled(&mut self, id: &AccountId, disabled: bool) {
        self.update(id, |account| replace(&mut account.disabled, disabled));
        if disabled && self.pin.as_ref() == Some(id) {
            self.unpin();
        }
    }

    pub fn pin(&mut self, id: &AccountId) {
        if self.by_id.contains_key(id) && replace(&mut self.pin, Some(id.clone())) {
            self.touch();
        }
    }

    /// Returns whether an account was pinned.
    pub fn unpin(&mut self) -> bool {
        let was_pinned = self.pin.take().is_some();
        if was_pinned {
            self.touch();
        }
        was_pinned
    }

    /// Another credential ends `needs login` and `deactivated`: the next attempt will show whether it is good.
    pub fn set_credential(&mut self, id: &AccountId, credential: Credential) {
        self.update(id, |account| {
            let changed = replace(&mut account.credential, credential);
            if changed {
                account.health.reinstate();
                account.refresh_uncertain = None;
                account.refresh_failed = None;
            }
            changed
        });
    }

    /// Records why the account's token could not be refreshed; a new credential clears it.
    pub fn set_refresh_failed(&mut self, id: &AccountId, why: HealthEvidence) {
        self.update(id, |account| replace(&mut account.refresh_failed, Some(why)));
    }

    /// Records whether the outcome of the account's refresh token is unknown.
    pub fn set_doubt(&mut self, id: &AccountId, refresh_uncertain: Option<HealthEvidence>) {
        self.update(id, |account| replace(&mut account.refresh_uncertain, refresh_uncertain));
    }

    pub fn mark_needs_login(&mut self, id: &AccountId, mark: HealthEvidence) {
        self.update(id, |account| {
            account.health.needs_login(mark);
            true
        });
    }

    pub fn mark_deactivated(&mut self, id: &AccountId, mark: HealthEvidence) {
        self.update(id, |account| {
            account.health.deactivate(mark);
            true
        });
    }

    /// Another plan may have other models, so models are tried again.
    pub fn set_plan(&mut self, id: &AccountId, plan: Option<String>, now: At) {
        self.update(id, |account| {
            let changed = account.plan.is_some() && account.plan != plan;
            if changed {
                account.health.allow_all_models(now);
            }
            replace(&mut account.plan, plan)
        });
    }

    /// Sets whether the account belongs to pi's auth.json.
    pub fn set_linked(&mut self, id: &AccountId, linked: bool) {
        self.update(id, |account| replace(&mut account.linked, linked));
    }

    /// Merges what another sidecar learned about the account. Returns whether anything was new.
    pub fn absorb(&mut self, id: &AccountId, health: &Health, now: At) -> bool {
        self.update(id, |account| {
            let before = account.health.clone();
            account.health.absorb(health);
            account.health.clamp_future(now);
            account.health != before
        })
    }

    /// Returns the account that served the session last, whether or not it can be used now.
    pub fn session_account(&self, session: &str, now: At) -> Option<AccountId> {
        self.affinity.get(session, now).filter(|id| self.by_id.contains_key(*id)).cloned()
    }

    pub fn affinity(&self) -> &Affinity {
        &self.affinity
    }

    pub fn restore_affinity(&mut self, affinity: Affinity) {
        self.affinity = affinity;
    }

    /// Returns the separate limit that the model was found to have.
    pub fn limit_of(&self, model: &str) -> Option<&str> {
        self.model_limits.iter().find(|(known, _)| known == model).map(|(_, limit)| limit.as_str())
    }

    pub(crate) fn learn_limit(&mut self, model: &str, limit_id: &str) {
        // Clients name the models, so their number must be limited.
        const MAX_MODELS: usize = 64;
        self.model_limits.retain(|(known, _)| known != model);
        if self.model_limits.len() == MAX_MODELS {
            self.model_limits.remove(0);
        }
        self.model_limits.push((model.to_owned(), limit_id.to_owned()));
    }

    /// Moves the account to the end of the round.
    pub(crate) fn note_choice(&mut self, id: &AccountId) {
        if let Some(&index) = self.by_id.get(id) {
            self.choices += 1;
            self.chosen[index] = self.choices;
        }
    }

    /// The only way to change an account: `change` returns whether a client could see it.
    pub(crate) fn update(&mut self, id: &AccountId, change: impl FnOnce(&mut Account) -> bool) -> bool {
        let Some(&index) = self.by_id.get(id) else { return false };
        let changed = change(&mut self.accounts[index]);
        if changed {
            self.touch();
        }
        changed
    }

    pub(crate) fn touch(&mut self) {
        self.revision += 1;
    }

    /// Called after accounts were added, removed or reordered.
    pub(crate) fn reindex(&mut self) {
        self.by_id = self.accounts.iter().enumerate().map(|(i, account)| (account.id.clone(), i)).collect();
    }

    /// Returns when the account was last used. Joining counts as a use when it had to be placed last.
    pub(crate) fn last_used_at(&self, account: &Account) -> Option<At> {
        let joined = if self.joined.is_empty() { None } else { self.joined.get(&account.id).copied() };
        account.health.last_used_at.max(joined)
    }
}

impl fmt::Display for LabelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LabelError::Blank => "a label may not be blank",
            LabelError::Taken => "another account has this label",
        })
    }
}

impl std::error::Error for LabelError {}

/// Returns whether `new` differs.
fn replace<T: PartialEq>(slot: &mut T, new: T) -> bool {
    let changed = *slot != new;
    *slot = new;
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::testing::{credential, id, limited, pool_of};
    use crate::pool::{Failover, State};

    const NOW: At = At(1000);

    #[test]
    fn a_removed_account_takes_its_pin_and_sessions_with_it() {
        let mut pool = pool_of(&["a", "b", "c"]);
        pool.pin(&id("b"));
        let mut failover = Failover::new(Demand { session: Some("s".into()), ..Demand::default() });
        failover.next(&mut pool, NOW);
        failover.succeeded(&mut pool, NOW);
        let revision = pool.revision();
        assert_eq!(pool.remove(&id("b")).map(|account| account.label), Some("b".into()));
        assert!(pool.revision() > revision);
        assert_eq!((pool.pinned(), pool.affinity().len(), pool.get(&id("b"))), (None, 0, None));
        assert_eq!(pool.get(&id("c")).map(|account| account.label.as_str()), Some("c"));
        assert_eq!(pool.active(NOW), Some(id("a")));
        assert_eq!(pool.remove(&id("b")), None);
        pool.remove(&id("a"));
        assert_eq!(pool.active(NOW), Some(id("c")));
    }

    #[test]
    fn revision_grows_only_with_what_a_client_could_see() {
        let mut pool = pool_of(&["a"]);
        let check = |pool: &mut Pool, change: &dyn Fn(&mut Pool), grows: bool| {
            let before = pool.revision();
            change(pool);
            assert_eq!(pool.revision() > before, grows);
        };
        for grows in [true, false] {
            check(&mut pool, &|pool| pool.set_plan(&id("a"), Some("plus".into()), At(0)), grows);
            check(&mut pool, &|pool| pool.set_linked(&id("a"), true), grows);
            check(&mut pool, &|pool| pool.set_credential(&id("a"), credential("new", 5)), grows);
            check(&mut pool, &|pool| pool.pin(&id("a")), grows);
            check(&mut pool, &|pool| pool.set_label(&id("a"), "ada").unwrap_or(()), grows);
            let settings = RotationSettings { max_attempts: 2, ..RotationSettings::default() };
            check(&mut pool, &|pool| pool.set_settings(settings.clone()), grows);
        }
        check(&mut pool, &|pool| pool.pin(&id("nobody")), false);
        assert_eq!(pool.pinned(), Some(&id("a")));
    }

    #[test]
    fn a_clock_that_is_set_back_by_more_than_a_moment_settles_what_the_future_left_behind() {
        let mut pool = pool_of(&["a"]);
        let later = At::from_secs(7200);
        assert!(!pool.observe_clock(later));
        let mut failover = Failover::new(Demand::default());
        failover.next(&mut pool, later);
        failover.failed(&mut pool, &limited(), later);
        let rest = |pool: &Pool, now: At| {
            let cooldown = pool.get(&id("a")).and_then(|account| account.health.cooldown.as_ref());
            cooldown.map(|cooldown| cooldown.until.since(now))
        };
        let told = rest(&pool, later);
        let revision = pool.revision();
        for (now, settled) in [(7201, false), (7197, false), (7190, true), (7189, false), (1, true)] {
            let now = At::from_secs(now);
            assert_eq!(pool.observe_clock(now), settled, "{now:?}");
        }
        assert!(told.is_some() && rest(&pool, At::from_secs(1)) == told, "{told:?}");
        assert_eq!(pool.revision(), revision + 2);
        assert!(!pool_of(&["a"]).observe_clock(At(0)));
    }

    #[test]
    fn disabling_the_pinned_account_unpins_it() {
        let mut pool = pool_of(&["a", "b"]);
        pool.pin(&id("b"));
        pool.set_disabled(&id("a"), true);
        assert_eq!(pool.pinned(), Some(&id("b")));
        pool.set_disabled(&id("b"), true);
        assert_eq!((pool.pinned(), pool.active(NOW)), (None, None));
        assert_eq!(pool.get(&id("b")).map(|account| account.state(NOW)), Some(State::Disabled));
    }
}
