//! The merge of pi's login: which account of the accounts file it is, or that it is a new one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::foreign_login::{fingerprint, identity_of, linked_account};
use super::merged::write_merged;
use super::{Imports, NotMerged};
use crate::auth;
use crate::pool::{Account, AccountId, Merged, SeenLogins, WhyNotImported, merge_login};
use crate::protocol::{ChangeReason, ErrorKind, ImportAnswer, RpcError, Warning, WarningKind};
use crate::sidecar::accounts::freshness::is_about_as_new;
use crate::sidecar::accounts::{FileTurn, described, identified, remembered};
use crate::sidecar::blocking::on_a_thread;
use crate::store::{FileAccount, LinkedCredential, NoReading, SavedAccount, StorageError};

/// The pauses after which a half-written file is read again, in milliseconds.
const RETRIES_MS: [u64; 6] = [10, 20, 50, 100, 300, 1000];

impl Imports {
    /// Merges pi's login whenever it may have changed.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            self.wake.notified().await;
            match self.merge_settled().await {
                Ok(_) | Err(NotMerged::NoReading(NoReading::Missing { .. })) => {}
                Err(error) => self.warn_not_merged(&error),
            }
        }
    }

    /// The first merge, before any request is answered: pi's account must be in the first answer. It reads two small
    /// files, unless pi holds another login than the last time.
    pub(crate) fn merge_at_start(&self) {
        if let Err(error) = self.merge_pi_login()
            && !matches!(error, NotMerged::NoReading(NoReading::Missing { .. }))
        {
            tracing::info!(%error, "pi's login is looked at again shortly");
            self.merge_soon();
        }
    }

    pub(crate) async fn import_from_pi(self: &Arc<Self>) -> Result<ImportAnswer, RpcError> {
        match self.merge_settled().await {
            Ok(answer) => Ok(answer),
            Err(NotMerged::NoReading(NoReading::Missing { .. })) => Ok(ImportAnswer::default()),
            Err(NotMerged::NoReading(error)) => Err(RpcError::new(ErrorKind::Storage, error.to_string())),
            Err(NotMerged::Storage(error)) => Err(error.into()),
        }
    }

    /// Reads a half-written file again until it is complete, for a limited time.
    async fn merge_settled(self: &Arc<Self>) -> Result<ImportAnswer, NotMerged> {
        let mut retries = RETRIES_MS.iter();
        loop {
            let imports = self.clone();
            match on_a_thread(move || imports.merge_pi_login()).await {
                Err(NotMerged::NoReading(NoReading::HalfWritten { .. }))
                    if let Some(pause) = retries.next() =>
                {
                    tokio::time::sleep(Duration::from_millis(*pause)).await;
                }
                merged => {
                    if merged.as_ref().is_ok_and(|answer| answer.warning.is_none()) {
                        let path = self.auth_file.path().to_string_lossy();
                        self.notifier.clear_about(WarningKind::CorruptFile, path);
                        self.notifier.clear(WarningKind::ConsumedCredential, None);
                    }
                    return merged;
                }
            }
        }
    }

    fn merge_pi_login(&self) -> Result<ImportAnswer, NotMerged> {
        let login = self.auth_file.read()?;
        // Usually there is nothing to do, and finding that out needs no lock.
        match &login {
            Some(login) => {
                if let Some(why_not) = self.why_not(login, &self.seen_logins()?) {
                    return Ok(self.leave_pi_login(login, why_not));
                }
            }
            None if !self.is_linked() => return Ok(ImportAnswer::default()),
            None => {}
        }
        // Of two merges at the same time the later one also reads later, so no older login replaces a newer one.
        self.seen.change(self.registry.now(), |seen| self.merge_seen(seen))?
    }

    fn merge_seen(&self, seen: &mut SeenLogins) -> Result<ImportAnswer, NotMerged> {
        let Some(login) = self.auth_file.read()? else {
            seen.last = None;
            return Ok(self.unlink()?);
        };
        if let Some(why_not) = self.why_not(&login, &self.with_its_accounts(seen.clone())) {
            return Ok(self.leave_pi_login(&login, why_not));
        }
        let turn = self.registry.file_turn();
        let merged = self.merge_into_file(&turn, linked_account(&login))?;
        seen.last = Some(fingerprint(&login));
        let answer = self.take_merged(&turn, &merged);
        // The decision on the file also holds in memory, whichever credential expires first.
        let credential = login.credential();
        if merged.records.iter().any(|it| it.id == merged.account && it.credential == credential) {
            self.registry.decide(|pool, _| pool.set_credential(&merged.account, credential));
        }
        Ok(answer)
    }

    fn seen_logins(&self) -> Result<SeenLogins, StorageError> {
        self.seen.load().map(|seen| self.with_its_accounts(seen))
    }

    /// Nothing counts as merged when the file that it was merged into is missing.
    fn with_its_accounts(&self, mut seen: SeenLogins) -> SeenLogins {
        seen.last.take_if(|_| !self.registry.accounts_file().path().exists());
        seen
    }

    fn is_linked(&self) -> bool {
        self.registry.decide(|pool, _| pool.accounts().iter().any(|account| account.linked))
    }

    fn why_not(&self, login: &LinkedCredential, seen: &SeenLogins) -> Option<WhyNotImported> {
        let why_not = seen.why_not(&fingerprint(login), self.registry.is_consumed(&login.refresh))?;
        // pi's login was merged and no account is linked: another program wrote the accounts file without the link.
        // Without the link its token would be refreshed and then be consumed in pi's file.
        let is_lost = why_not == WhyNotImported::AsLastTime && !self.is_linked() && !self.is_linked_in_file();
        (!is_lost).then_some(why_not)
    }

    /// Returns whether the file links an account that is not linked here; another sidecar may have merged since it was
    /// read. True when it cannot be read.
    fn is_linked_in_file(&self) -> bool {
        let turn = self.registry.file_turn();
        if let Err(error) = turn.reload() {
            self.notifier.warn_unreadable(&error);
            return true;
        }
        let linked = self.is_linked();
        if linked {
            self.registry.changed(ChangeReason::External);
        }
        linked
    }

    fn leave_pi_login(&self, login: &LinkedCredential, why_not: WhyNotImported) -> ImportAnswer {
        if why_not == WhyNotImported::Consumed {
            self.registry.record_old_pi_login(&identity_of(login), &login.refresh, self.auth_file.path());
        }
        self.leave(why_not)
    }

    pub(super) fn leave(&self, why_not: WhyNotImported) -> ImportAnswer {
        tracing::debug!(?why_not, "pi's login is left where it is");
        if why_not == WhyNotImported::Consumed {
            let warning = consumed();
            self.notifier.warn(warning.clone());
            return ImportAnswer { warning: Some(warning), ..ImportAnswer::default() };
        }
        let unchanged = self.linked().into_iter().map(|(id, _)| id.to_string()).collect();
        ImportAnswer { unchanged, ..ImportAnswer::default() }
    }

    /// pi was logged out, by a file that parses and has no login: its account stays, without the link.
    fn unlink(&self) -> Result<ImportAnswer, StorageError> {
        let linked = self.linked();
        tracing::info!(accounts = ?linked, "pi was logged out; what it was logged in with is not linked any more");
        let turn = self.registry.file_turn();
        turn.change(|document| {
            for (_, label) in &linked {
                // If another program removed it meanwhile, the link is gone with it.
                let _ = document.set_linked(label, false);
            }
        })?;
        turn.reload()?;
        self.registry.changed(ChangeReason::Import);
        let updated = linked.iter().map(|(id, _)| id.to_string()).collect();
        Ok(ImportAnswer { changed: true, updated, ..ImportAnswer::default() })
    }

    /// Locks, reads, merges, writes.
    pub(super) fn merge_into_file(
        &self,
        turn: &FileTurn<'_>,
        login: Account,
    ) -> Result<Merged, StorageError> {
        let saved = self.registry.read_state();
        let known = self.registry.known_accounts(&saved);
        let saved: HashMap<&AccountId, &SavedAccount> =
            saved.accounts.iter().map(|(id, saved)| (id, saved)).collect();
        let now = self.registry.now();
        turn.change(|document| {
            let entries: Vec<FileAccount> = document.accounts().collect();
            let accounts = identified(&entries, &known).into_iter().zip(&entries);
            let mut records: Vec<Account> =
                accounts.map(|(account, entry)| remembered(account, entry, &saved, now)).collect();
            for record in &mut records {
                if self.is_meant_by_pi(&login, record) {
                    let expires_at = &mut record.credential.expires_at;
                    *expires_at = login.credential.expires_at.min(*expires_at);
                }
            }
            let mut merged = merge_login(records, login);
            if merged.changed()
                && let Err(refused) = write_merged(document, &merged)
            {
                // The labels were read from this document.
                tracing::error!(%refused, "a login was merged only in part");
            }
            // A new account has the id by which it is found when its entry is read again.
            let account = merged.records.iter().find(|record| record.id == merged.account);
            let label = account.map(|account| account.label.clone()).unwrap_or_default();
            if let Some(entry) = document.accounts().find(|entry| entry.email == label) {
                merged.rename_added(described(&entry).id);
            }
            merged
        })
    }

    /// Reads the file into memory, where pin and sessions follow merged records.
    pub(super) fn take_merged(&self, turn: &FileTurn<'_>, merged: &Merged) -> ImportAnswer {
        if merged.changed() {
            self.registry.decide(|pool, _| {
                for gone in &merged.gone {
                    pool.follow(gone, &merged.account);
                }
            });
            if let Err(error) = turn.reload() {
                self.notifier.warn_unreadable(&error);
            }
            self.registry.decide(|pool, now| {
                for added in &merged.added {
                    pool.queue_last(added, now);
                }
            });
            tracing::info!(
                account = %merged.account,
                added = ?merged.added,
                updated = ?merged.updated,
                folded = ?merged.folded,
                unlinked = ?merged.unlinked,
                "a login was merged"
            );
            self.notifier.clear(WarningKind::LoginRequired, Some(&merged.account));
            self.registry.changed(ChangeReason::Import);
        }
        let ids = |ids: &[AccountId]| ids.iter().map(ToString::to_string).collect();
        ImportAnswer {
            changed: merged.changed(),
            added: ids(&merged.added),
            updated: ids(&merged.updated),
            unchanged: ids(&merged.unchanged),
            warning: None,
        }
    }

    fn warn_not_merged(&self, error: &NotMerged) {
        let warning = Warning {
            kind: WarningKind::CorruptFile,
            message: format!("pi's login is not imported: {error}"),
            account: None,
            hint: Some("the accounts stay as they are; the file is read again when it changes".to_owned()),
        };
        self.notifier.warn_about(self.auth_file.path().to_string_lossy(), warning);
    }

    fn linked(&self) -> Vec<(AccountId, String)> {
        self.registry.decide(|pool, _| {
            let linked = pool.accounts().iter().filter(|account| account.linked);
            linked.map(|account| (account.id.clone(), account.label.clone())).collect()
        })
    }

    /// Returns whether pi's login replaces the entry although the entry lives a little longer: it was issued later, or
    /// at the same time as a token that was refreshed here. It must be in pi's file now, where a refresh writes its
    /// result before it writes the accounts file, and must never have been sent.
    fn is_meant_by_pi(&self, login: &Account, record: &Account) -> bool {
        let refresh = &login.credential.refresh;
        login.linked
            && record.id == login.id
            && record.credential.refresh != *refresh
            && is_about_as_new(&login.credential, &record.credential)
            && matches!(self.auth_file.read(), Ok(Some(now)) if now.refresh == *refresh)
            && self
                .registry
                .read_ledger()
                .is_ok_and(|ledger| !ledger.tokens.contains_key(&auth::token_hash(refresh)))
    }
}

fn consumed() -> Warning {
    Warning {
        kind: WarningKind::ConsumedCredential,
        message: "the refresh token of this login was already used, so it is not imported".to_owned(),
        account: None,
        hint: Some("an old copy of the file may have been put back; log in again".to_owned()),
    }
}
