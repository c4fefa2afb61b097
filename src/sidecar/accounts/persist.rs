//! Keeps what was learned: a moment after something changed, in one write, and once more at the end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::choices::Choices;
use crate::clock;
use crate::pool::{Account, AccountId, Affinity, At, FileFlags, SessionBinding};
use crate::protocol::{Warning, WarningKind};
use crate::sidecar::Sidecar;
use crate::sidecar::blocking::on_a_thread;
use crate::sidecar::credentials::refresh_token::label_in;
use crate::store::{Document, EditRefused, SavedAccount, SavedSession, SavedState, StorageError};
use crate::upstream::session_key;

/// Changes closer together than this share a write.
const GATHER: Duration = Duration::from_millis(100);

/// What a warning is about when the state could not be saved.
const UNSAVED: &str = "saving the state";

#[derive(Default)]
pub(crate) struct StateSaver {
    wake: Notify,
    /// What the accounts file says of each account, as last read or written by us, so that it is written only when
    /// that changes.
    marks: Mutex<HashMap<AccountId, FileFlags>>,
    /// The choices as last saved or read: one that differs now was made since, here.
    choices: Mutex<Choices>,
}

impl StateSaver {
    pub(crate) fn soon(&self) {
        self.wake.notify_one();
    }

    /// The caller has its turn at the accounts file.
    pub(crate) fn marks(&self) -> MutexGuard<'_, HashMap<AccountId, FileFlags>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sidecar {
    pub async fn run_persist(self: Arc<Self>) {
        loop {
            self.persist.wake.notified().await;
            tokio::time::sleep(GATHER).await;
            self.flush().await;
        }
    }

    /// Writes what was learned; a failure is a warning, because none of it is worth failing a request for.
    pub(crate) async fn flush(self: &Arc<Self>) {
        let sidecar = self.clone();
        match on_a_thread(move || sidecar.save_state()).await {
            Ok(()) => self.notifier.settled_about(WarningKind::CorruptFile, UNSAVED),
            Err(error) => self.notifier.warn_about(
                UNSAVED,
                Warning {
                    kind: WarningKind::CorruptFile,
                    message: format!("the state file was not written: {error}"),
                    account: None,
                    hint: Some("cooldowns, pin and usage will not survive a restart".to_owned()),
                },
            ),
        }
        // After the state, where the other sidecars find what the marks stand for.
        if let Err(error) = self.save_marks().await {
            tracing::warn!(%error, "the accounts file was not brought up to date");
        }
    }

    /// Blocks.
    pub(crate) fn save_state(&self) -> Result<(), StorageError> {
        let now = clock::now();
        let ((), set_aside) = self.state_file.merge_and_save(now, |saved| self.join_state(saved, now))?;
        if let Some(aside) = set_aside {
            self.warn_set_aside(&aside);
        }
        Ok(())
    }

    /// Brings the pool up to what is saved, which other sidecars may have added to. What was chosen here and is not saved
    /// yet was chosen before it was `read`. Says whether anything was new.
    pub(crate) fn take_state(&self, saved: SavedState, read: At) -> bool {
        let now = clock::now();
        let mut pool = self.pool();
        let before = pool.revision();
        for (id, account) in &saved.accounts {
            pool.absorb(id, &account.health, now);
            if account.plan.is_some() {
                pool.set_plan(id, account.plan.clone(), now);
            }
        }
        self.persist.choices().take_later(&saved, &mut pool, read);
        // An earlier version saved them by names of any length.
        let seats = saved.sessions.into_iter().map(|saved| {
            (
                session_key(&saved.session),
                SessionBinding { account: saved.account, used_at: saved.last_used_at },
            )
        });
        let others: Affinity = seats.collect();
        let mut affinity = pool.affinity().clone();
        affinity.absorb(&others, now);
        pool.restore_affinity(affinity);
        pool.revision() != before
    }

    /// `needsReauth` and `quotaExhaustedUntil`, which the ancestor reads.
    async fn save_marks(self: &Arc<Self>) -> Result<(), StorageError> {
        if self.unsaved_marks().is_empty() {
            return Ok(());
        }
        let sidecar = self.clone();
        self.on_accounts_file(move |file| {
            // Looked for again, now that nobody else has a turn.
            let unsaved = sidecar.unsaved_marks();
            file.change(|document| {
                for (account, marks) in &unsaved {
                    if let Err(gone) = write_marks(document, account, *marks) {
                        tracing::debug!(account = %account.id, %gone, "not marked");
                    }
                }
            })?;
            let mut written = sidecar.persist.marks();
            written.extend(unsaved.into_iter().map(|(account, marks)| (account.id, marks)));
            Ok(())
        })
        .await
    }

    fn unsaved_marks(&self) -> Vec<(Account, FileFlags)> {
        let now = clock::now();
        let pool = self.pool();
        let written = self.persist.marks();
        pool.accounts()
            .iter()
            .map(|account| (account, FileFlags::of(account, now)))
            .filter(|(account, marks)| written.get(&account.id).copied().unwrap_or_default() != *marks)
            .map(|(account, marks)| (account.clone(), marks))
            .collect()
    }

    /// Takes in what others saved, and puts what the pool knows then in its place. Accounts that this pool does not
    /// have stay as they are: they may be in the file of another agent dir.
    fn join_state(&self, saved: &mut SavedState, now: At) {
        self.take_state(saved.clone(), now);
        let pool = self.pool();
        let choices = self.persist.choices();
        let mut mine: HashMap<AccountId, SavedAccount> = pool
            .accounts()
            .iter()
            .map(|account| {
                let disabled = choices.disabled.get(&account.id).copied().unwrap_or_default();
                let known = SavedAccount {
                    health: account.health.clone(),
                    disabled: disabled.value,
                    disabled_changed_at: disabled.at,
                    plan: account.plan.clone(),
                };
                (account.id.clone(), known)
            })
            .collect();
        for (id, account) in &mut saved.accounts {
            if let Some(known) = mine.remove(id) {
                *account = known;
            }
        }
        let new = pool.accounts().iter().filter_map(|account| mine.remove_entry(&account.id));
        saved.accounts.extend(new);
        saved.pinned = choices.pinned.value.clone();
        saved.pin_changed_at = choices.pinned.at;
        saved.sessions = pool
            .affinity()
            .iter()
            .map(|(session, seat)| SavedSession {
                session: session.to_owned(),
                account: seat.account.clone(),
                last_used_at: seat.used_at,
            })
            .collect();
        saved.sessions.sort_by(|a, b| a.session.cmp(&b.session));
    }
}

impl StateSaver {
    pub(crate) fn choices(&self) -> MutexGuard<'_, Choices> {
        self.choices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Into the account's own entry, whatever that is called by now, and whoever bears its label.
fn write_marks(document: &mut Document, account: &Account, marks: FileFlags) -> Result<(), EditRefused> {
    let label = label_in(document, account).ok_or(EditRefused::NoSuchLabel)?;
    document.set_needs_reauth(&label, marks.needs_login)?;
    document.set_quota_exhausted_until(&label, marks.exhausted_until)?;
    account.health.last_used_at.map_or(Ok(()), |at| document.set_last_used(&label, at))
}
