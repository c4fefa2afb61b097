//! Merges two records of one account. A credential that can still be refreshed is not lost: the newer one stays.

use std::collections::HashMap;

use crate::pool::{Account, AccountId, Credential, Identity, Likeness};

/// A record that was merged into another one of the same account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fold {
    pub kept: AccountId,
    /// The id that was dropped: the same one, unless one of the two records knew less of the identity.
    pub gone: AccountId,
    pub label: String,
}

/// Merges records of one account into the place of the first, so that no account has two places in the rotation.
pub(crate) fn fold(loaded: Vec<Account>) -> (Vec<Account>, Vec<Fold>) {
    let same_as = first_of_same(&loaded);
    let mut kept: Vec<Account> = Vec::with_capacity(loaded.len());
    let mut place = vec![0; loaded.len()];
    let mut gone: Vec<(usize, AccountId, String)> = Vec::new();
    for (index, account) in loaded.into_iter().enumerate() {
        if same_as[index] == index {
            place[index] = kept.len();
            kept.push(account);
        } else {
            let at = place[same_as[index]];
            let (id, label) = take_in(&mut kept[at], account);
            gone.push((at, id, label));
        }
    }
    let folds =
        gone.into_iter().map(|(at, gone, label)| Fold { kept: kept[at].id.clone(), gone, label }).collect();
    (kept, folds)
}

/// The credential of the file replaces the one in memory unless it is older. Returns whether it did.
pub(crate) fn take_newer(held: &mut Credential, filed: Credential) -> bool {
    let newer = filed.expires_at >= held.expires_at && filed != *held;
    if newer {
        *held = filed;
    }
    newer
}

/// A label that was generated without an e-mail: `OpenAI Codex` and 8 characters of the workspace id.
pub(crate) fn is_made_up(label: &str) -> bool {
    label.strip_prefix("OpenAI Codex ").is_some_and(|rest| rest.chars().count() == 8)
}

/// Returns, for each record, the first one of the same account, which may be itself. Two records without anything in
/// common may belong to one account through a third. Ids and identities decide first, so that a shared token never
/// makes two accounts one.
pub(crate) fn first_of_same(records: &[Account]) -> Vec<usize> {
    let mut groups = Groups::of(records);
    let mut by_id: HashMap<&AccountId, usize> = HashMap::new();
    let mut by_workspace: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, record) in records.iter().enumerate() {
        groups.unite(*by_id.entry(&record.id).or_insert(index), index);
        if let Some(workspace) = &record.identity.workspace_id {
            let users = by_workspace.entry(workspace).or_default();
            let is_same =
                |&&user: &&usize| records[user].identity.compare(&record.identity) == Likeness::Same;
            if let Some(&user) = users.iter().find(is_same) {
                groups.unite(user, index);
            }
            users.push(index);
        }
    }
    for users in by_workspace.values() {
        groups.unite_the_only_two(users);
    }
    let mut by_refresh: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, record) in records.iter().enumerate() {
        let refresh = record.credential.refresh.expose();
        if refresh.is_empty() {
            continue;
        }
        let holders = by_refresh.entry(refresh).or_default();
        match holders.iter().find(|&&holder| groups.may_be_one(holder, index)) {
            Some(&holder) => groups.unite(holder, index),
            None => holders.push(index),
        }
    }
    (0..records.len()).map(|index| groups.first(index)).collect()
}

/// Records of one account.
struct Groups<'a> {
    /// An earlier record of the same group, or the record itself when it is the first.
    earlier: Vec<usize>,
    /// The most that is known about the group's identity; valid for the first record.
    identity: Vec<&'a Identity>,
}

impl<'a> Groups<'a> {
    fn of(records: &'a [Account]) -> Self {
        Groups {
            earlier: (0..records.len()).collect(),
            identity: records.iter().map(|record| &record.identity).collect(),
        }
    }

    fn first(&self, mut index: usize) -> usize {
        while self.earlier[index] != index {
            index = self.earlier[index];
        }
        index
    }

    fn unite(&mut self, a: usize, b: usize) {
        let (a, b) = (self.first(a), self.first(b));
        let (first, other) = (a.min(b), a.max(b));
        if self.identity[other].tells_more_than(self.identity[first]) {
            self.identity[first] = self.identity[other];
        }
        self.earlier[other] = first;
    }

    /// A record that names no user belongs to the user of its workspace when there is only one.
    fn unite_the_only_two(&mut self, users: &[usize]) {
        let mut firsts: Vec<usize> = users.iter().map(|&user| self.first(user)).collect();
        firsts.sort_unstable();
        firsts.dedup();
        if let [a, b] = firsts[..]
            && (self.identity[a].user().is_none() || self.identity[b].user().is_none())
        {
            self.unite(a, b);
        }
    }

    fn may_be_one(&self, a: usize, b: usize) -> bool {
        self.identity[self.first(a)].compare(self.identity[self.first(b)]) != Likeness::Different
    }
}

/// Returns the id and the label that were dropped.
pub(crate) fn take_in(survivor: &mut Account, other: Account) -> (AccountId, String) {
    let Account {
        id,
        identity,
        label,
        email,
        plan,
        credential,
        linked,
        disabled,
        refresh_uncertain,
        refresh_failed,
        health,
    } = other;
    let (mut gone_id, mut gone_label) = (id, label);
    if identity.tells_more_than(&survivor.identity) {
        std::mem::swap(&mut survivor.id, &mut gone_id);
        survivor.identity = identity.completed_by(&survivor.identity);
    } else {
        survivor.identity = survivor.identity.completed_by(&identity);
    }
    if is_made_up(&survivor.label) && !is_made_up(&gone_label) {
        std::mem::swap(&mut survivor.label, &mut gone_label);
    }
    if credential.expires_at > survivor.credential.expires_at {
        survivor.credential = credential;
        survivor.refresh_uncertain = refresh_uncertain;
        survivor.refresh_failed = refresh_failed;
        survivor.plan = plan.or(survivor.plan.take());
    } else {
        survivor.plan = survivor.plan.take().or(plan);
    }
    survivor.email = survivor.email.take().or(email);
    survivor.linked |= linked;
    survivor.disabled |= disabled;
    survivor.health.absorb(&health);
    (gone_id, gone_label)
}
