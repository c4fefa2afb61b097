//! Merges a login of another program into the accounts: the rules of `schema/protocol.md` ("Import") over plain
//! records. It reads no file and takes no lock.

use super::merge::{first_of_same, is_made_up, take_in, take_newer};
use crate::pool::{Account, AccountId, At, Identity, Pool};

/// The records of the accounts file with a login merged in, and the effect on them.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// In the file's order. A new login is last.
    pub records: Vec<Account>,
    /// The account that the login belongs to.
    pub account: AccountId,
    /// The former label of its record; `None` when it was added.
    pub label_before: Option<String>,
    /// Labels of the other records of the same account, which are no longer in `records`.
    pub folded: Vec<String>,
    /// Former ids of the account, from when less was known about it; see [`Pool::follow`].
    pub gone: Vec<AccountId>,
    /// Labels of the accounts that were linked before.
    pub unlinked: Vec<String>,
    pub added: Vec<AccountId>,
    pub updated: Vec<AccountId>,
    pub unchanged: Vec<AccountId>,
}

/// Why a login is not imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyNotImported {
    /// It is the login of the last merge.
    AsLastTime,
    /// The user removed its account, and nothing has changed since.
    Removed,
    /// Its refresh token was already used: sending it again would revoke all its successors.
    Consumed,
}

/// The fingerprints of logins that were found in a file before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenLogins {
    pub last: Option<String>,
    pub removed: Option<String>,
}

impl SeenLogins {
    /// Returns why a login with this fingerprint is not imported, if so.
    pub fn why_not(&self, fingerprint: &str, consumed: bool) -> Option<WhyNotImported> {
        let is = |seen: &Option<String>| seen.as_deref() == Some(fingerprint);
        match () {
            () if is(&self.removed) => Some(WhyNotImported::Removed),
            () if consumed => Some(WhyNotImported::Consumed),
            () if is(&self.last) => Some(WhyNotImported::AsLastTime),
            () => None,
        }
    }
}

/// The label of an account without a known e-mail.
pub fn made_up_label(identity: &Identity, id: &AccountId) -> String {
    let short = |text: &str| text.chars().take(8).collect::<String>();
    match &identity.workspace_id {
        Some(workspace) => format!("OpenAI Codex {}", short(workspace)),
        None => format!("OpenAI Codex {}", short(id.as_str().trim_start_matches("acc_"))),
    }
}

/// Merges `login` into the records. A record of the same account (by its identity, its refresh token, or through
/// another record) takes its credential unless it holds a newer one, and other such records are merged into it. A
/// `linked` login makes its account the only linked one. A login that is not linked does not change a linked account,
/// whose credential has an owner already. The login's own label does not count: a new account is named by its e-mail.
pub fn merge_login(mut records: Vec<Account>, login: Account) -> Merged {
    let before = records.clone();
    records.push(login);
    let first = first_of_same(&records);
    let same: Vec<usize> = (0..before.len()).filter(|&index| first[index] == first[before.len()]).collect();
    let login = records.remove(before.len());
    let linked = login.linked;
    let (index, account, label_before) = match same.split_first() {
        None => {
            let mut login = login;
            let wanted = login.email.clone().unwrap_or_else(|| made_up_label(&login.identity, &login.id));
            login.label = free_label(&wanted, &login, &records);
            records.push(login);
            (records.len() - 1, records[records.len() - 1].id.clone(), None)
        }
        Some((&first, others)) => {
            for &other in others.iter().rev() {
                let other = records.remove(other);
                take_in(&mut records[first], other);
            }
            take_login(&mut records, first, login);
            (first, records[first].id.clone(), Some(before[first].label.clone()))
        }
    };
    let mut unlinked = Vec::new();
    let mut updated = Vec::new();
    for (_, record) in
        records.iter_mut().enumerate().filter(|(at, record)| *at != index && record.linked && linked)
    {
        record.linked = false;
        unlinked.push(record.label.clone());
        updated.push(record.id.clone());
    }
    let folded: Vec<String> = same.iter().skip(1).map(|&other| before[other].label.clone()).collect();
    let mut gone: Vec<AccountId> = same.iter().map(|&other| before[other].id.clone()).collect();
    gone.retain(|id| *id != account);
    let (mut added, mut unchanged) = (Vec::new(), Vec::new());
    match same.first() {
        None => added.push(account.clone()),
        Some(&first) if folded.is_empty() && is_as_before(&before[first], &records[index]) => {
            unchanged.push(account.clone());
        }
        Some(_) => updated.insert(0, account.clone()),
    }
    Merged { records, account, label_before, folded, gone, unlinked, added, updated, unchanged }
}

impl Merged {
    /// Gives the account that was added another id. One that was there before keeps its own.
    pub fn rename_added(&mut self, id: AccountId) {
        if self.added.is_empty() {
            return;
        }
        if let Some(record) = self.records.iter_mut().find(|record| record.id == self.account) {
            record.id = id.clone();
        }
        self.added = vec![id.clone()];
        self.account = id;
    }

    pub fn changed(&self) -> bool {
        !(self.added.is_empty() && self.updated.is_empty())
    }
}

impl Pool {
    /// Moves pin, sessions and health of an account to `kept`, which is the same account. Call it before the next
    /// [`Pool::sync`], which removes the account.
    pub fn follow(&mut self, gone: &AccountId, kept: &AccountId) {
        let Some(&from) = self.by_id.get(gone).filter(|_| gone != kept) else { return };
        match self.by_id.get(kept) {
            Some(&to) => {
                let (health, disabled) = (self.accounts[from].health.clone(), self.accounts[from].disabled);
                self.accounts[to].health.absorb(&health);
                self.accounts[to].disabled |= disabled;
            }
            None => {
                self.accounts[from].id = kept.clone();
                self.reindex();
            }
        }
        if self.pin.as_ref() == Some(gone) {
            self.pin = Some(kept.clone());
        }
        self.affinity.follow(gone, kept);
        self.touch();
    }

    /// Places a new account behind those that are equally good, so that joining changes no choice.
    pub fn queue_last(&mut self, id: &AccountId, now: At) {
        self.joined.insert(id.clone(), now);
        self.note_choice(id);
    }
}

fn take_login(records: &mut [Account], index: usize, login: Account) {
    let mut record = records[index].clone();
    if record.linked && !login.linked {
        return;
    }
    let e_mail = login.email.clone().filter(|_| is_made_up(&record.label) || has_made_up_label(&record));
    if login.identity.tells_more_than(&record.identity) {
        record.id = login.id;
    }
    record.identity = record.identity.completed_by(&login.identity);
    if take_newer(&mut record.credential, login.credential) {
        record.health.reinstate();
        record.plan = login.plan.or(record.plan.take());
    }
    record.email = record.email.take().or(login.email);
    record.linked |= login.linked;
    if let Some(e_mail) = e_mail {
        let others: Vec<Account> = records
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != index)
            .map(|(_, other)| other.clone())
            .collect();
        record.label = free_label(&e_mail, &record, &others);
    }
    records[index] = record;
}

fn has_made_up_label(record: &Account) -> bool {
    record.label == made_up_label(&record.identity, &record.id)
}

/// Returns `wanted` unless another account has it; then with the workspace in brackets, or else with the id.
fn free_label(wanted: &str, account: &Account, others: &[Account]) -> String {
    let workspace = account.identity.workspace_id.as_deref().unwrap_or(account.id.as_str());
    let short: String = workspace.chars().take(8).collect();
    let choices = [wanted.to_owned(), format!("{wanted} [{short}]"), format!("{wanted} [{}]", account.id)];
    let is_free =
        |label: &&String| !others.iter().any(|other| other.label.to_lowercase() == label.to_lowercase());
    choices.iter().find(is_free).unwrap_or(&choices[2]).clone()
}

fn is_as_before(before: &Account, after: &Account) -> bool {
    before.id == after.id
        && before.label == after.label
        && before.credential == after.credential
        && before.linked == after.linked
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests;
