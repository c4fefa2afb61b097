//! Two records of one account become one. Nothing is lost that could still be redeemed: the newer credential stays.

use std::collections::HashMap;

use super::{Account, AccountId, Credential, Identity};

/// A record that gave way to another of the same account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fold {
    pub kept: AccountId,
    /// The id that gave way: the same, unless one of the two records knew less about who it is.
    pub gone: AccountId,
    pub label: String,
}

/// Folds records of one account into the place of the first, so that no account fills two rotation slots.
pub(super) fn fold(loaded: Vec<Account>) -> (Vec<Account>, Vec<Fold>) {
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

/// The credential of the file takes the place of the one in memory unless it is older. Says whether it did.
pub(super) fn take_newer(held: &mut Credential, filed: Credential) -> bool {
    let newer = filed.expires_at >= held.expires_at && filed != *held;
    if newer {
        *held = filed;
    }
    newer
}

/// A label that was made for want of an e-mail, `OpenAI Codex` and 8 characters of the workspace id.
fn is_made_up(label: &str) -> bool {
    label.strip_prefix("OpenAI Codex ").is_some_and(|rest| rest.chars().count() == 8)
}

/// For each record the first one that is of the same account, which may be itself.
fn first_of_same(loaded: &[Account]) -> Vec<usize> {
    let mut by_id: HashMap<&AccountId, usize> = HashMap::new();
    let mut by_identity: HashMap<&Identity, usize> = HashMap::new();
    let mut by_refresh: HashMap<&str, usize> = HashMap::new();
    let mut first = Vec::with_capacity(loaded.len());
    for (index, account) in loaded.iter().enumerate() {
        let identity = Some(&account.identity).filter(|identity| identity.workspace_id.is_some());
        let refresh = Some(account.credential.refresh.expose()).filter(|refresh| !refresh.is_empty());
        let shares_token = |&&other: &&usize| may_be_one(&loaded[other].identity, &account.identity);
        let same = by_id
            .get(&account.id)
            .or_else(|| identity.and_then(|identity| by_identity.get(identity)))
            .or_else(|| refresh.and_then(|refresh| by_refresh.get(refresh)).filter(shares_token))
            .copied()
            .unwrap_or(index);
        by_id.entry(&account.id).or_insert(same);
        if let Some(identity) = identity {
            by_identity.entry(identity).or_insert(same);
        }
        if let Some(refresh) = refresh {
            by_refresh.entry(refresh).or_insert(same);
        }
        first.push(same);
    }
    first
}

/// Whether nothing that both know tells them apart.
pub(super) fn may_be_one(a: &Identity, b: &Identity) -> bool {
    let agree = |a: &Option<String>, b: &Option<String>| a.is_none() || b.is_none() || a == b;
    agree(&a.workspace_id, &b.workspace_id) && agree(&a.user_id, &b.user_id)
}

/// Returns the id and the label that gave way.
fn take_in(survivor: &mut Account, other: Account) -> (AccountId, String) {
    let Account { id, identity, label, email, plan, credential, linked, disabled, doubt, health } = other;
    let (mut gone_id, mut gone_label) = (id, label);
    if parts(&identity) > parts(&survivor.identity) {
        std::mem::swap(&mut survivor.id, &mut gone_id);
        survivor.identity = identity;
    }
    if is_made_up(&survivor.label) && !is_made_up(&gone_label) {
        std::mem::swap(&mut survivor.label, &mut gone_label);
    }
    if credential.expires_at > survivor.credential.expires_at {
        survivor.credential = credential;
        survivor.doubt = doubt;
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

fn parts(identity: &Identity) -> usize {
    usize::from(identity.workspace_id.is_some()) + usize::from(identity.user_id.is_some())
}
