//! Writes the state file and the flags in codex-accounts.json: a moment after a change, in one write, and once more at
//! the end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::AccountRegistry;
use super::choices::Choices;
use super::entries::label_in;
use crate::pool::{Account, AccountId, Affinity, At, FileFlags, SessionBinding};
use crate::protocol::{Warning, WarningKind};
use crate::sidecar::blocking::on_a_thread;
use crate::store::{Document, EditRefused, SavedAccount, SavedSession, SavedState, StorageError};
use crate::upstream::session_key;

/// Changes closer together than this share one write.
const GATHER: Duration = Duration::from_millis(100);

/// What a warning is about when the state could not be saved.
const UNSAVED: &str = "saving the state";

#[derive(Default)]
pub(crate) struct StateSaver {
    wake: Notify,
    /// The flags of each account in the accounts file, as last read or written here. The file is written only when they
    /// change.
    flags: Mutex<HashMap<AccountId, FileFlags>>,
    /// The choices as last saved or read. A choice that differs now was made here since.
    choices: Mutex<Choices>,
}

impl StateSaver {
    pub(crate) fn soon(&self) {
        self.wake.notify_one();
    }

    /// The caller holds the turn at the accounts file.
    pub(super) fn flags(&self) -> MutexGuard<'_, HashMap<AccountId, FileFlags>> {
        self.flags.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn choices(&self) -> MutexGuard<'_, Choices> {
        self.choices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AccountRegistry {
    pub(crate) async fn run_saving(self: Arc<Self>) {
        loop {
            self.saver.wake.notified().await;
            tokio::time::sleep(GATHER).await;
            self.save().await;
        }
    }

    /// Writes the state file and the flags. A failure is a warning, because no request should fail for it.
    pub(crate) async fn save(self: &Arc<Self>) {
        let registry = self.clone();
        match on_a_thread(move || registry.save_state()).await {
            Ok(()) => self.notifier.clear_about(WarningKind::CorruptFile, UNSAVED),
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
        // After the state file, in which other sidecars find the reasons for the flags.
        if let Err(error) = self.save_flags().await {
            tracing::warn!(%error, "the accounts file was not brought up to date");
        }
    }

    /// Blocks.
    ///
    /// # Errors
    ///
    /// The state file was not written.
    pub(crate) fn save_state(&self) -> Result<(), StorageError> {
        let now = self.now();
        let ((), set_aside) = self.state_file.merge_and_save(now, |saved| self.join_state(saved, now))?;
        if let Some(aside) = set_aside {
            self.notifier.warn_set_aside(&aside);
        }
        Ok(())
    }

    /// Takes the saved state into the pool; other sidecars may have added to it. Choices made here and not saved yet
    /// are older than `read_at`. Returns whether anything was new.
    pub(super) fn take_state(&self, saved: SavedState, read_at: At) -> bool {
        self.decide(|pool, now| {
            let before = pool.revision();
            for (id, account) in &saved.accounts {
                pool.absorb(id, &account.health, now);
                if account.plan.is_some() {
                    pool.set_plan(id, account.plan.clone(), now);
                }
            }
            self.saver.choices().take_later(&saved, pool, read_at);
            // An earlier version saved session names of any length.
            let bindings = saved.sessions.into_iter().map(|saved| {
                (
                    session_key(&saved.session),
                    SessionBinding { account: saved.account, used_at: saved.last_used_at },
                )
            });
            let others: Affinity = bindings.collect();
            let mut affinity = pool.affinity().clone();
            affinity.absorb(&others, now);
            pool.restore_affinity(affinity);
            pool.revision() != before
        })
    }

    /// Writes `needsReauth` and `quotaExhaustedUntil`, which pi-multicodex reads.
    async fn save_flags(self: &Arc<Self>) -> Result<(), StorageError> {
        if self.unsaved_flags().is_empty() {
            return Ok(());
        }
        self.in_file_turn(|turn| {
            let registry = turn.registry();
            // Compared again, because now no other thread has the turn.
            let unsaved = registry.unsaved_flags();
            turn.change(|document| {
                for (account, flags) in &unsaved {
                    if let Err(refused) = write_flags(document, account, *flags) {
                        tracing::debug!(account = %account.id, %refused, "not marked");
                    }
                }
            })?;
            let written = unsaved.into_iter().map(|(account, flags)| (account.id, flags));
            registry.saver.flags().extend(written);
            Ok(())
        })
        .await
    }

    fn unsaved_flags(&self) -> Vec<(Account, FileFlags)> {
        self.decide(|pool, now| {
            let written = self.saver.flags();
            pool.accounts()
                .iter()
                .map(|account| (account, FileFlags::of(account, now)))
                .filter(|(account, flags)| written.get(&account.id).copied().unwrap_or_default() != *flags)
                .map(|(account, flags)| (account.clone(), flags))
                .collect()
        })
    }

    /// Merges what other sidecars saved, and replaces it by what the pool then knows. Accounts that this pool does not
    /// have stay unchanged: they may belong to another agent directory.
    fn join_state(&self, saved: &mut SavedState, now: At) {
        self.take_state(saved.clone(), now);
        self.decide(|pool, _| {
            let choices = self.saver.choices();
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
                        label: Some(account.label.clone()),
                        identity: Some(account.identity.clone()),
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
                .map(|(session, binding)| SavedSession {
                    session: session.to_owned(),
                    account: binding.account.clone(),
                    last_used_at: binding.used_at,
                })
                .collect();
            saved.sessions.sort_by(|a, b| a.session.cmp(&b.session));
        });
    }
}

/// Writes into the account's own entry, whatever its label is now.
fn write_flags(document: &mut Document, account: &Account, flags: FileFlags) -> Result<(), EditRefused> {
    let label = label_in(document, account).ok_or(EditRefused::NoSuchLabel)?;
    document.set_needs_reauth(&label, flags.needs_login)?;
    document.set_quota_exhausted_until(&label, flags.exhausted_until)?;
    account.health.last_used_at.map_or(Ok(()), |at| document.set_last_used(&label, at))
}
