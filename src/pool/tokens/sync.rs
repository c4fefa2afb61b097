//! The accounts of the accounts file: the file says which accounts there are and in which order. What was learned about
//! an account stays with it.

use std::collections::{HashMap, HashSet};

use super::merge;
use super::merge::Fold;
use crate::pool::{Account, AccountId, At, HealthStatus, Pool};

/// The effect of a sync on the pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncReport {
    pub added: Vec<AccountId>,
    pub updated: Vec<AccountId>,
    pub removed: Vec<AccountId>,
    /// (the account kept, the label of the record that was merged into it). The file still holds those records.
    pub folded: Vec<(AccountId, String)>,
    pub reordered: bool,
}

impl SyncReport {
    /// Returns whether the pool changed.
    pub fn changed(&self) -> bool {
        !(self.added.is_empty() && self.updated.is_empty() && self.removed.is_empty()) || self.reordered
    }
}

impl Pool {
    /// Takes over the accounts of the file, matched by id. A known account keeps its health and whether it is disabled,
    /// and its credential unless the file's is as new or newer; accounts that are not in the file leave the pool.
    /// Records of one identity, or with one refresh token, become one account, which keeps pin and sessions.
    pub fn sync(&mut self, loaded: Vec<Account>, now: At) -> SyncReport {
        let (mut loaded, folds) = merge::fold(loaded);
        make_labels_unique(&mut loaded);
        let order_before: Vec<AccountId> = self.accounts.iter().map(|account| account.id.clone()).collect();
        let known = std::mem::take(&mut self.accounts).into_iter().zip(std::mem::take(&mut self.chosen));
        let mut known: HashMap<AccountId, (Account, u64)> =
            known.map(|(account, chosen)| (account.id.clone(), (account, chosen))).collect();

        let mut report = SyncReport::default();
        for record in loaded {
            let (account, chosen) = match known.remove(&record.id) {
                Some((mut account, chosen)) => {
                    if take_record(&mut account, record) {
                        report.updated.push(account.id.clone());
                    }
                    (account, chosen)
                }
                None => {
                    report.added.push(record.id.clone());
                    (record, 0)
                }
            };
            self.accounts.push(account);
            self.chosen.push(chosen);
        }
        self.reindex();
        for fold in folds {
            if let Some((gone, _)) = known.remove(&fold.gone) {
                report.removed.push(gone.id.clone());
                self.follow_fold(&fold, gone);
            }
            report.folded.push((fold.kept, fold.label));
        }
        let mut left: Vec<AccountId> = known.into_keys().collect();
        left.sort();
        for id in &left {
            self.affinity.forget_account(id);
            self.pin.take_if(|pin| pin == id);
        }
        report.removed.append(&mut left);
        self.affinity.forget_idle(now);

        let stayed = |id: &&AccountId| self.by_id.contains_key(*id);
        let was: HashSet<&AccountId> = order_before.iter().collect();
        let remained = self.accounts.iter().map(|account| &account.id).filter(|id| was.contains(id));
        report.reordered = !order_before.iter().filter(stayed).eq(remained);
        if report.changed() {
            self.touch();
        }
        report
    }

    fn follow_fold(&mut self, fold: &Fold, gone: Account) {
        let Some(&index) = self.by_id.get(&fold.kept) else { return };
        let kept = &mut self.accounts[index];
        kept.health.absorb(&gone.health);
        if gone.credential.expires_at > kept.credential.expires_at {
            kept.credential = gone.credential;
            kept.refresh_uncertain = gone.refresh_uncertain;
        }
        kept.disabled |= gone.disabled;
        if self.pin.as_ref() == Some(&fold.gone) {
            self.pin = Some(fold.kept.clone());
        }
        self.affinity.follow(&fold.gone, &fold.kept);
    }
}

/// Returns whether a client could see a difference.
fn take_record(account: &mut Account, record: Account) -> bool {
    let before = (account.label.clone(), account.email.clone(), account.plan.clone(), account.linked);
    let renewed = merge::take_newer(&mut account.credential, record.credential);
    if renewed {
        account.health.reinstate();
        account.refresh_uncertain = None;
        // The program that wrote the newer credential also knew whether it is good.
        if record.health.standing != HealthStatus::Good {
            account.health.absorb(&record.health);
        }
        account.plan = record.plan.or(account.plan.take());
    } else {
        account.plan = account.plan.take().or(record.plan);
    }
    account.label = record.label;
    account.email = record.email.or(account.email.take());
    account.linked = record.linked;
    account.identity = account.identity.completed_by(&record.identity);
    renewed || before != (account.label.clone(), account.email.clone(), account.plan.clone(), account.linked)
}

/// Two accounts with one label are distinguished by their workspace, or else by their id.
fn make_labels_unique(accounts: &mut [Account]) {
    let mut taken: HashSet<String> = HashSet::with_capacity(accounts.len());
    for account in accounts {
        if taken.insert(account.label.to_lowercase()) {
            continue;
        }
        let workspace = account.identity.workspace_id.as_deref().unwrap_or(account.id.as_str());
        let short: String = workspace.chars().take(8).collect();
        let mut label = format!("{} [{short}]", account.label);
        if !taken.insert(label.to_lowercase()) {
            label = format!("{} [{}]", account.label, account.id);
            taken.insert(label.to_lowercase());
        }
        account.label = label;
    }
}

#[cfg(test)]
mod tests;
