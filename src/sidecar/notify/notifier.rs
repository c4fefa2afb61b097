//! What the sidecar sends without a request: warnings, changes of accounts, ended logins. Sends nothing before
//! `initialize`, combines changes in quick succession, and keeps a limited number of warnings for a client that does
//! not read.

use std::collections::{HashMap, HashSet, VecDeque};
use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::pool::AccountId;
use crate::protocol::{AccountsChanged, ChangeReason, LoginCompleted, Notification, Warning, WarningKind};
use crate::rpc::{Closed, Outbox};

/// Changes within this time become one notification.
const COALESCE: Duration = Duration::from_millis(10);

/// How many warnings are kept for a client that has not sent `initialize`, or does not read; the oldest are dropped.
const MAX_WARNINGS: usize = 64;

#[derive(Default)]
pub(crate) struct Notifier {
    state: Mutex<State>,
    wake: Notify,
    outbox: OnceLock<Outbox>,
    changes: Notify,
    /// Wakes the task that compares the footer with what the client shows.
    status: Notify,
}

#[derive(Default)]
struct State {
    open: bool,
    opted_out: HashSet<String>,
    changed: Option<ChangeReason>,
    warnings: VecDeque<Warning>,
    /// One for each ended login; none before `initialize`.
    logins: Vec<LoginCompleted>,
    /// The message last sent for each (kind, subject), so that one cause is one warning until it changes.
    current: HashMap<(WarningKind, Option<String>), String>,
}

impl State {
    fn wants<N: Notification>(&self) -> bool {
        self.open && !self.opted_out.contains(N::NAME)
    }
}

impl Notifier {
    /// Called when `initialize` is answered: allows notifications, except those that the client opted out of.
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

    /// Resolves at the next event that the footer may show, counted from this call on.
    pub(crate) fn next_status_change(&self) -> impl Future<Output = ()> {
        self.status.notified()
    }

    pub(crate) async fn debounce(&self) {
        tokio::time::sleep(COALESCE).await;
    }

    /// Returns whether a client is connected that did not opt out of these notifications.
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

    /// Warns of a lasting condition, of one account or of the whole sidecar: sent once until its message changes.
    pub(crate) fn warn(&self, warning: Warning) {
        self.warn_unless_current(warning.account.clone(), warning);
    }

    /// The same for a subject that is not an account, e.g. a file.
    pub(crate) fn warn_about(&self, subject: impl Into<String>, warning: Warning) {
        self.warn_unless_current(Some(subject.into()), warning);
    }

    /// Warns of an event: sent each time.
    pub(crate) fn report(&self, warning: Warning) {
        tracing::warn!(kind = ?warning.kind, account = warning.account, "{}", warning.message);
        let mut state = self.state();
        if state.warnings.len() == MAX_WARNINGS {
            state.warnings.pop_front();
        }
        state.warnings.push_back(warning);
        self.wake.notify_one();
    }

    /// The cause is gone: if it comes back, the warning is sent again.
    pub(crate) fn clear(&self, kind: WarningKind, account: Option<&AccountId>) {
        self.state().current.remove(&(kind, account.map(ToString::to_string)));
    }

    /// Clears all warnings of this kind except those about these subjects.
    pub(crate) fn clear_all_but(&self, kind: WarningKind, subjects: &[String]) {
        let remains = |subject: &Option<String>| subject.as_ref().is_some_and(|it| subjects.contains(it));
        self.state().current.retain(|(known, subject), _| *known != kind || remains(subject));
    }

    pub(crate) fn clear_about(&self, kind: WarningKind, subject: impl Into<String>) {
        self.state().current.remove(&(kind, Some(subject.into())));
    }

    /// Returns the message of the warning about this subject, if it still holds.
    pub(crate) fn current_about(&self, kind: WarningKind, subject: impl Into<String>) -> Option<String> {
        self.state().current.get(&(kind, Some(subject.into()))).cloned()
    }

    /// Returns `None` before `initialize`, and when the client opted out.
    fn take_change(&self) -> Option<ChangeReason> {
        let mut state = self.state();
        if !state.open {
            return None;
        }
        state.changed.take().filter(|_| state.wants::<AccountsChanged>())
    }

    /// As [`Notifier::take_change`], for warnings and ended logins.
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

    fn warn_unless_current(&self, subject: Option<String>, warning: Warning) {
        let before = self.state().current.insert((warning.kind, subject), warning.message.clone());
        if before.as_ref() != Some(&warning.message) {
            self.report(warning);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notifier {
    /// Sends one notification in order with the answers, when the client wants it.
    pub(crate) async fn notify_now<N: Notification>(&self, params: &N::Params) {
        if let (true, Some(outbox)) = (self.wants::<N>(), self.outbox.get()) {
            // A client that is gone misses nothing.
            let _ = outbox.notify(N::NAME, params).await;
        }
    }

    /// Connects the notifications to the client, from this call on, and sends them until the connection is gone.
    /// `describe` gives the parameters of `accounts/changed` at the time of sending. A client that does not read makes
    /// this wait; changes are combined into one meanwhile.
    pub(crate) fn run(
        self: Arc<Self>,
        outbox: Outbox,
        describe: impl Fn(ChangeReason) -> AccountsChanged + Send + 'static,
    ) -> impl Future<Output = ()> + Send {
        let _ = self.outbox.set(outbox.clone());
        async move { self.send_until_closed(outbox, describe).await }
    }

    async fn send_until_closed(&self, outbox: Outbox, describe: impl Fn(ChangeReason) -> AccountsChanged) {
        let mut sent_revision = None;
        loop {
            self.wake.notified().await;
            self.debounce().await;
            if self.send_events().await.is_err() {
                return;
            }
            let changed = self.take_change().map(&describe);
            let Some(changed) = changed.filter(|changed| sent_revision != Some(changed.revision)) else {
                continue;
            };
            sent_revision = Some(changed.revision);
            if outbox.notify(AccountsChanged::NAME, &changed).await.is_err() {
                return;
            }
        }
    }

    /// Sends the warnings and ended logins that wait.
    ///
    /// # Errors
    ///
    /// The client is gone.
    pub(crate) async fn send_events(&self) -> Result<(), Closed> {
        let Some(outbox) = self.outbox.get() else { return Ok(()) };
        let (warnings, logins) = self.take_events();
        for warning in warnings {
            outbox.notify(Warning::NAME, &warning).await?;
        }
        for completed in logins {
            outbox.notify(LoginCompleted::NAME, &completed).await?;
        }
        Ok(())
    }
}
