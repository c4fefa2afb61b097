//! What the sidecar says unasked: held back until `initialize`, coalesced, and never at the cost of memory.

use std::collections::{HashMap, HashSet, VecDeque};
use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock;
use crate::pool::AccountId;
use crate::protocol::{AccountsChanged, ChangeReason, LoginCompleted, Notification, Warning, WarningKind};
use crate::rpc::{Closed, Outbox};
use crate::sidecar::Sidecar;

/// A burst of changes shorter than this becomes one notification.
const COALESCE: Duration = Duration::from_millis(10);

/// Warnings kept for a client that has not said `initialize` yet, or does not read; the oldest give way.
const MAX_WARNINGS: usize = 64;

#[derive(Default)]
pub(crate) struct Notifier {
    state: Mutex<State>,
    wake: Notify,
    outbox: OnceLock<Outbox>,
    changes: Notify,
    /// Something happened that the footer may show.
    status: Notify,
}

#[derive(Default)]
struct State {
    open: bool,
    opted_out: HashSet<String>,
    changed: Option<ChangeReason>,
    warnings: VecDeque<Warning>,
    /// As many as there were logins; none before `initialize`.
    logins: Vec<LoginCompleted>,
    /// What was said about (kind, subject), so that one cause is one warning until it changes.
    said: HashMap<(WarningKind, Option<String>), String>,
}

impl State {
    fn wants<N: Notification>(&self) -> bool {
        self.open && !self.opted_out.contains(N::NAME)
    }
}

impl Notifier {
    /// `initialize` was answered: from now on notifications may be sent, but for those opted out of.
    pub(crate) fn open(&self, opted_out: Vec<String>) {
        let mut state = self.state();
        state.open = true;
        state.opted_out = opted_out.into_iter().collect();
        // Changes from before the handshake are in the first `accounts` anyway.
        state.changed = None;
        self.wake.notify_one();
        self.status.notify_waiters();
    }

    pub(crate) fn accounts_changed(&self, reason: ChangeReason) {
        self.state().changed = Some(reason);
        self.wake.notify_one();
        self.changes.notify_waiters();
        self.status.notify_waiters();
    }

    pub(crate) fn check_status(&self) {
        self.status.notify_waiters();
    }

    /// Resolves at the next thing that the footer may show, counted from this call on.
    pub(crate) fn next_look_at_status(&self) -> impl Future<Output = ()> {
        self.status.notified()
    }

    pub(crate) async fn let_a_burst_pass(&self) {
        tokio::time::sleep(COALESCE).await;
    }

    /// Whether a client is there that did not opt out of these.
    pub(crate) fn wants<N: Notification>(&self) -> bool {
        self.state().wants::<N>()
    }

    pub(crate) fn login_completed(&self, completed: LoginCompleted) {
        let mut state = self.state();
        if state.open {
            state.logins.push(completed);
            self.wake.notify_one();
        }
    }

    /// Resolves at the next change from this call on, whether or not it was polled before that.
    pub(crate) fn next_change(&self) -> impl Future<Output = ()> {
        self.changes.notified()
    }

    /// A state of things that lasts, of the account or of the whole: said once until it changes.
    pub(crate) fn warn(&self, warning: Warning) {
        self.warn_unless_said(warning.account.clone(), warning);
    }

    /// As [`Notifier::warn`], of something that is no account, e.g. a file.
    pub(crate) fn warn_about(&self, subject: impl Into<String>, warning: Warning) {
        self.warn_unless_said(Some(subject.into()), warning);
    }

    /// Something that happened: said each time.
    pub(crate) fn tell(&self, warning: Warning) {
        tracing::warn!(kind = ?warning.kind, account = warning.account, "{}", warning.message);
        let mut state = self.state();
        if state.warnings.len() == MAX_WARNINGS {
            state.warnings.pop_front();
        }
        state.warnings.push_back(warning);
        self.wake.notify_one();
    }

    /// The cause is gone: should it come back, it is said again.
    pub(crate) fn settled(&self, kind: WarningKind, account: Option<&AccountId>) {
        self.state().said.remove(&(kind, account.map(ToString::to_string)));
    }

    /// Of this kind only these subjects are amiss now; any other is said again should it come back.
    pub(crate) fn settled_but(&self, kind: WarningKind, subjects: &[String]) {
        let amiss = |subject: &Option<String>| subject.as_ref().is_some_and(|it| subjects.contains(it));
        self.state().said.retain(|(said, subject), _| *said != kind || amiss(subject));
    }

    pub(crate) fn settled_about(&self, kind: WarningKind, subject: impl Into<String>) {
        self.state().said.remove(&(kind, Some(subject.into())));
    }

    /// What was said about it, and still holds.
    pub(crate) fn said_about(&self, kind: WarningKind, subject: impl Into<String>) -> Option<String> {
        self.state().said.get(&(kind, Some(subject.into()))).cloned()
    }

    /// The way to the client, once there is one.
    pub(crate) fn outbox(&self) -> Option<Outbox> {
        self.outbox.get().cloned()
    }

    /// None before `initialize`, nor of what the client opted out of.
    fn take_change(&self) -> Option<ChangeReason> {
        let mut state = self.state();
        if !state.open {
            return None;
        }
        state.changed.take().filter(|_| state.wants::<AccountsChanged>())
    }

    /// As [`Notifier::take_change`], of what happened.
    fn take_events(&self) -> (VecDeque<Warning>, Vec<LoginCompleted>) {
        let mut state = self.state();
        if !state.open {
            return Default::default();
        }
        let (mut warnings, mut logins) = (take(&mut state.warnings), take(&mut state.logins));
        if !state.wants::<Warning>() {
            warnings.clear();
        }
        if !state.wants::<LoginCompleted>() {
            logins.clear();
        }
        (warnings, logins)
    }

    fn warn_unless_said(&self, subject: Option<String>, warning: Warning) {
        let said = self.state().said.insert((warning.kind, subject), warning.message.clone());
        if said.as_ref() != Some(&warning.message) {
            self.tell(warning);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sidecar {
    /// Sends one notification in order with the answers, when the client wants it.
    pub(crate) async fn notify_now<N: Notification>(&self, params: &N::Params) {
        if let (true, Some(outbox)) = (self.notifier.wants::<N>(), self.notifier.outbox.get()) {
            // A client that is gone misses nothing.
            let _ = outbox.notify(N::NAME, params).await;
        }
    }

    /// Connects the notifications to the client, from this call on, and sends them until the connection is gone. A
    /// client that does not read makes this wait, while changes go on being coalesced into one.
    pub fn run_notifier(self: Arc<Self>, outbox: Outbox) -> impl Future<Output = ()> + Send {
        let _ = self.notifier.outbox.set(outbox.clone());
        self.send_notifications(outbox)
    }

    async fn send_notifications(self: Arc<Self>, outbox: Outbox) {
        let mut told = None;
        loop {
            self.notifier.wake.notified().await;
            tokio::time::sleep(COALESCE).await;
            if self.send_events().await.is_err() {
                return;
            }
            let changed = self.notifier.take_change().map(|reason| self.accounts_changed(reason));
            let Some(changed) = changed.filter(|changed| told != Some(changed.revision)) else { continue };
            told = Some(changed.revision);
            if outbox.notify(AccountsChanged::NAME, &changed).await.is_err() {
                return;
            }
        }
    }

    /// What happened and was not told yet. The error says that the client is gone.
    pub(crate) async fn send_events(&self) -> Result<(), Closed> {
        let Some(outbox) = self.notifier.outbox.get() else { return Ok(()) };
        let (warnings, logins) = self.notifier.take_events();
        for warning in warnings {
            outbox.notify(Warning::NAME, &warning).await?;
        }
        for completed in logins {
            outbox.notify(LoginCompleted::NAME, &completed).await?;
        }
        Ok(())
    }

    fn accounts_changed(&self, reason: ChangeReason) -> AccountsChanged {
        let pool = self.pool();
        AccountsChanged {
            revision: pool.revision(),
            reason,
            active: pool.active(clock::now()).map(|id| id.to_string()),
            pinned: pool.pinned().map(ToString::to_string),
        }
    }
}
