//! Which account an entry of codex-accounts.json is, by its tokens first and its label second.

use std::collections::HashMap;

use crate::auth::{self, Claims};
use crate::pool::{
    Account, AccountId, At, Certainty, Cooldown, FailureKind, HealthEvidence, HealthStatus, Identity,
    KnownAccount, Likeness, Pool, keep_ids,
};
use crate::store::{Document, FileAccount, SavedAccount};

/// Returns the labels of all entries that belong to this account.
pub(super) fn labels_of(
    id: &AccountId,
    entries: impl Iterator<Item = FileAccount>,
    known: &[KnownAccount],
    now: At,
) -> Vec<String> {
    let mut alone = Pool::default();
    let entries: Vec<FileAccount> = entries.collect();
    let folded = alone.sync(identified(&entries, known), now).folded;
    let kept = alone.get(id).map(|account| account.label.clone());
    let folded = folded.into_iter().filter(|(kept, _)| kept == id).map(|(_, label)| label);
    kept.into_iter().chain(folded).collect()
}

/// Returns the accounts that the entries of the file describe, without what the state file knows about them, under the
/// ids that they have had so far.
pub(crate) fn identified(entries: &[FileAccount], known: &[KnownAccount]) -> Vec<Account> {
    let mut accounts: Vec<Account> = entries.iter().map(described).collect();
    keep_ids(&mut accounts, known, |account| {
        let identity =
            Identity { workspace_id: account.identity.workspace_id.clone(), ..Identity::default() };
        auth::account_id(&identity, &account.label)
    });
    accounts
}

/// Returns the account that an entry describes by itself.
pub(crate) fn described(entry: &FileAccount) -> Account {
    let claims = auth::claims(&entry.access);
    let identity = identity_of(entry, &claims);
    let id = auth::account_id(&identity, &entry.email);
    let mut account = Account::new(id, identity, entry.email.clone(), entry.credential());
    account.email = claims.email.or_else(|| account.label.contains('@').then(|| account.label.clone()));
    account.plan = claims.plan;
    account.linked = entry.linked;
    account
}

/// Adds what the state file knows of the account. The accounts file is the truth about `needsReauth`: pi-multicodex
/// clears it there when a login repaired the account.
pub(crate) fn remembered(
    mut account: Account,
    entry: &FileAccount,
    known: &HashMap<&AccountId, &SavedAccount>,
    now: At,
) -> Account {
    if let Some(saved) = known.get(&account.id) {
        account.health = saved.health.clone();
        account.plan = saved.plan.clone().or(account.plan);
    }
    let health = &mut account.health;
    match (entry.needs_reauth, &health.standing) {
        (true, HealthStatus::Good) => {
            health.standing =
                HealthStatus::NeedsLogin(HealthEvidence::in_file(FailureKind::LoginRequired, now));
        }
        (false, HealthStatus::NeedsLogin(_)) => health.standing = HealthStatus::Good,
        _ => {}
    }
    if let Some(until) = entry.quota_exhausted_until.filter(|until| *until > now)
        && health.cooldown.is_none()
        && health.withdrawn_at.is_none()
    {
        health.cooldown = Some(Cooldown {
            until,
            certainty: Certainty::Prediction,
            quoted_reset: None,
            why: HealthEvidence::in_file(FailureKind::UsageLimit, now),
        });
    }
    health.last_used_at = health.last_used_at.max(entry.last_used_at);
    account
}

/// Returns the label of the account's entry in the file; its own label comes first when it has several entries.
pub(crate) fn label_in(document: &Document, account: &Account) -> Option<String> {
    let its = document.accounts().filter(|entry| is_entry_of(entry, account));
    its.map(|entry| entry.email).min_by_key(|label| *label != account.label)
}

/// Returns whether this entry of the file belongs to the account.
pub(crate) fn is_entry_of(entry: &FileAccount, account: &Account) -> bool {
    let identity = identity_of(entry, &auth::claims(&entry.access));
    account.identity.compare(&identity) == Likeness::Same
        || (auth::account_id(&identity, &entry.email) == account.id && is_of(&account.identity, &identity))
        || (entry.email == account.label && is_of(&account.identity, &identity))
}

/// Returns whether a token with these claims may belong to the account: what both name must be equal, and what one does
/// not name may be anything.
pub(crate) fn is_of(account: &Identity, claimed: &Identity) -> bool {
    account.compare(claimed) != Likeness::Different
}

/// Returns the identity that the tokens give the entry. The file's own `accountId` counts where they name no workspace.
fn identity_of(entry: &FileAccount, claims: &Claims) -> Identity {
    let mut identity = claims.identity.clone();
    identity.workspace_id = identity.workspace_id.or_else(|| entry.account_id.clone());
    if identity.workspace_id.is_some() && identity.user().is_none() && entry.email.contains('@') {
        identity.labelled_email = Some(entry.email.to_lowercase());
    }
    identity
}
