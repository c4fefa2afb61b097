//! Keeps what was learned: a moment after something changed, in one write, and once more at the end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::Sidecar;
use super::blocking::on_a_thread;
use super::choices::{Choices, Chosen};
use crate::clock;
use crate::pool::{Account, AccountId, Affinity, At, FailureKind, Standing};
use crate::protocol::{Warning, WarningKind};
use crate::store::{
    Document, EditRefused, FileAccount, SavedAccount, SavedSession, SavedState, StorageError,
};

/// Changes closer together than this share a write.
const GATHER: Duration = Duration::from_millis(100);

/// What a warning is about when the state could not be saved.
const UNSAVED: &str = "saving the state";

#[derive(Default)]
pub(super) struct Persist {
    wake: Notify,
    /// What the accounts file says of each account, as last read or written by us, so that it is written only when
    /// that changes.
    marks: Mutex<HashMap<AccountId, Marks>>,
    /// The choices as last saved or read: one that differs now was made since, here.
    choices: Mutex<Choices>,
}

/// The members of `codex-accounts.json` that the ancestor keeps about an account's health.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Marks {
    needs_reauth: bool,
    quota_exhausted_until: Option<At>,
}

impl Persist {
    pub(super) fn soon(&self) {
        self.wake.notify_one();
    }

    /// What the file said of accounts when they were first seen.
    pub(super) fn first_read<'a>(&self, read: impl Iterator<Item = (&'a AccountId, Marks)>) {
        let mut known = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, marks) in read {
            known.entry(id.clone()).or_insert(marks);
        }
    }
}

impl Marks {
    pub(super) fn of_file(entry: &FileAccount) -> Self {
        Marks { needs_reauth: entry.needs_reauth, quota_exhausted_until: entry.quota_exhausted_until }
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
    pub(super) async fn flush(self: &Arc<Self>) {
        if let Err(error) = self.save_marks().await {
            tracing::warn!(%error, "the accounts file was not brought up to date");
        }
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
    }

    /// Blocks.
    pub(super) fn save_state(&self) -> Result<(), StorageError> {
        let now = clock::now();
        let ((), set_aside) = self.state_file.merge_and_save(now, |saved| self.join_state(saved, now))?;
        if let Some(aside) = set_aside {
            self.warn_set_aside(&aside);
        }
        Ok(())
    }

    /// Brings the pool up to what is saved, which other sidecars may have added to.
    pub(super) fn take_state(&self, saved: SavedState) {
        let mut pool = self.pool();
        let mut choices = self.persist.choices();
        for (id, account) in saved.accounts {
            pool.absorb(&id, &account.health);
            if account.plan.is_some() {
                pool.set_plan(&id, account.plan);
            }
            let known = choices.disabled.entry(id.clone()).or_default();
            if account.disabled_changed_at > known.at {
                *known = Chosen { value: account.disabled, at: account.disabled_changed_at };
                pool.set_disabled(&id, account.disabled);
            }
        }
        if saved.pin_changed_at > choices.pinned.at {
            match &saved.pinned {
                Some(id) => pool.pin(id),
                None => {
                    pool.unpin();
                }
            }
            choices.pinned = Chosen { value: saved.pinned, at: saved.pin_changed_at };
        }
        let mut others = Affinity::default();
        for seat in saved.sessions {
            others.set(&seat.session, seat.account, seat.last_used_at);
        }
        let mut affinity = pool.affinity().clone();
        affinity.absorb(&others, clock::now());
        pool.restore_affinity(affinity);
    }

    /// `needsReauth` and `quotaExhaustedUntil`, which the ancestor reads.
    async fn save_marks(self: &Arc<Self>) -> Result<(), StorageError> {
        let now = clock::now();
        let changed: Vec<(AccountId, String, Marks, Option<At>)> = {
            let pool = self.pool();
            let written = self.persist.marks.lock().unwrap_or_else(PoisonError::into_inner);
            pool.accounts()
                .iter()
                .map(|account| (account, marks(account, now)))
                .filter(|(account, marks)| match written.get(&account.id) {
                    Some(known) => known != marks,
                    None => *marks != Marks { needs_reauth: false, quota_exhausted_until: None },
                })
                .map(|(account, marks)| {
                    (account.id.clone(), account.label.clone(), marks, account.health.last_used_at)
                })
                .collect()
        };
        if changed.is_empty() {
            return Ok(());
        }
        let writing = changed.clone();
        self.on_accounts_file(move |file| {
            file.change(|document| {
                for (_, label, marks, last_used_at) in &writing {
                    if let Err(gone) = write_marks(document, label, *marks, *last_used_at) {
                        tracing::debug!(label, %gone, "not marked");
                    }
                }
            })
        })
        .await?;
        let mut written = self.persist.marks.lock().unwrap_or_else(PoisonError::into_inner);
        written.extend(changed.into_iter().map(|(id, _, marks, _)| (id, marks)));
        Ok(())
    }

    /// Takes in what others saved, and puts what the pool knows then in its place. Accounts that this pool does not
    /// have stay as they are: they may be in the file of another agent dir.
    fn join_state(&self, saved: &mut SavedState, now: At) {
        self.note_choices(now);
        self.take_state(saved.clone());
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

impl Persist {
    pub(super) fn choices(&self) -> MutexGuard<'_, Choices> {
        self.choices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_marks(
    document: &mut Document,
    label: &str,
    marks: Marks,
    last_used_at: Option<At>,
) -> Result<(), EditRefused> {
    document.set_needs_reauth(label, marks.needs_reauth)?;
    document.set_quota_exhausted_until(label, marks.quota_exhausted_until)?;
    last_used_at.map_or(Ok(()), |at| document.set_last_used(label, at))
}

fn marks(account: &Account, now: At) -> Marks {
    Marks {
        needs_reauth: matches!(account.health.standing, Standing::NeedsLogin(_)),
        quota_exhausted_until: account
            .health
            .cooldown
            .as_ref()
            .filter(|cooldown| cooldown.until > now && cooldown.why.kind == FailureKind::UsageLimit)
            .map(|cooldown| cooldown.until),
    }
}
