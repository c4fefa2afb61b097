//! The open sockets, by session and account. It opens none in advance, and closes those that are not needed any more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;

use super::canonical::Digest;
use super::handshake::Connection;
use super::not_continued::NotContinued;
use super::outline::Outline;
use super::pause::Pause;
use super::plan::Found;
use super::socket::{Socket, State};
use crate::pool::AccountId;

/// A new socket replaces the one that was idle longest.
const MAX_SOCKETS: usize = 32;
/// Upstream closes sockets after an hour, in the middle of a response. No turn begins on one of this age.
const MAX_AGE: Duration = Duration::from_secs(45 * 60);
/// How many sessions' last accounts are kept, to say why a turn is not continued.
const MAX_SESSIONS: usize = 1024;

/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Sockets(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    open: HashMap<Key, Slot>,
    /// The account of each session's last socket, and when it was opened.
    accounts: HashMap<String, (AccountId, Instant)>,
    pause: Pause,
    opened: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub session: String,
    pub account: AccountId,
}

#[derive(Debug)]
struct Slot {
    /// Distinguishes this socket from an earlier one with the same key.
    number: u64,
    opened_at: Instant,
    fixed: Fixed,
    /// `None` while it is being opened.
    socket: Option<Socket>,
}

/// What the handshake fixes for a socket's life. The token itself is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed {
    pub bearer: Digest,
    pub headers: Digest,
}

/// A place for a socket that is being opened. Dropping it without a socket frees it.
#[derive(Debug)]
pub struct Reservation {
    sockets: Sockets,
    key: Key,
    number: u64,
}

impl Sockets {
    /// Returns the sockets for a turn. Closes a socket that does not suit it.
    pub fn find(&self, key: &Key, fixed: &Fixed, outline: &Outline, now: Instant) -> Found {
        let mut inner = self.lock();
        let Some(slot) = inner.open.get(key) else {
            return if inner.has_room() { Found::Nothing(inner.why_none(key)) } else { Found::Full };
        };
        let unfit = if slot.fixed.bearer != fixed.bearer || now - slot.opened_at >= MAX_AGE {
            Some(NotContinued::NewSocket)
        } else if slot.fixed.headers != fixed.headers {
            Some(NotContinued::HeadersDiffer)
        } else {
            None
        };
        let found = match slot.socket.as_ref().map(Socket::state).as_deref() {
            None | Some(State::Busy) => return Found::Busy,
            Some(State::Closed) => Found::Nothing(NotContinued::NewSocket),
            Some(State::Idle { .. }) if unfit.is_some() => {
                Found::Nothing(unfit.unwrap_or(NotContinued::NewSocket))
            }
            Some(State::Idle { conversation, .. }) => Found::Idle(
                conversation
                    .as_ref()
                    .ok_or(NotContinued::HistoryDiffers)
                    .and_then(|conversation| conversation.continued_by(outline)),
            ),
        };
        if matches!(found, Found::Nothing(_)) {
            inner.open.remove(key);
        }
        found
    }

    /// Takes the idle socket that was found, for one turn.
    pub fn take(&self, key: &Key) -> Option<Socket> {
        let inner = self.lock();
        let socket = inner.open.get(key)?.socket.clone()?;
        let mut state = socket.state();
        if !matches!(*state, State::Idle { .. }) {
            return None;
        }
        *state = State::Busy;
        drop(state);
        Some(socket)
    }

    /// Makes room for a new socket of this key, instead of an existing one.
    pub fn reserve(&self, key: Key, fixed: Fixed, now: Instant) -> Reservation {
        let mut inner = self.lock();
        inner.open.remove(&key);
        if inner.open.len() >= MAX_SOCKETS
            && let Some(longest) = inner.longest_idle()
        {
            inner.open.remove(&longest);
        }
        inner.opened += 1;
        let number = inner.opened;
        inner.open.insert(key.clone(), Slot { number, opened_at: now, fixed, socket: None });
        Reservation { sockets: self.clone(), key, number }
    }

    /// Closes the idle sockets of accounts that may not be used.
    pub fn retain(&self, may_be_used: impl Fn(&AccountId) -> bool) {
        self.lock().open.retain(|key, slot| may_be_used(&key.account) || !slot.is_idle());
    }

    pub fn is_empty(&self) -> bool {
        self.lock().open.is_empty()
    }

    pub fn is_paused(&self, now: Instant) -> bool {
        self.lock().pause.holds(now)
    }

    /// No socket can be opened, although upstream answers.
    pub fn pause(&self, now: Instant) {
        self.lock().pause.begin(now);
    }

    pub fn resume(&self) {
        self.lock().pause.end();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remove(&self, key: &Key, number: u64) {
        let mut inner = self.lock();
        if inner.open.get(key).is_some_and(|slot| slot.number == number) {
            inner.open.remove(key);
        }
    }
}

impl Reservation {
    /// Keeps the socket while its task runs.
    pub fn fill<S: Connection>(self, stream: WebSocketStream<S>, now: Instant) -> Socket {
        let (socket, running) = Socket::new(stream, true);
        let mut inner = self.sockets.lock();
        inner.remember(&self.key, now);
        if let Some(slot) = inner.open.get_mut(&self.key)
            && slot.number == self.number
        {
            slot.socket = Some(socket.clone());
        }
        drop(inner);
        tokio::spawn(async move {
            running.await;
            // Frees the place.
            drop(self);
        });
        socket
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.sockets.remove(&self.key, self.number);
    }
}

impl Slot {
    fn is_idle(&self) -> bool {
        self.idle_since().is_some()
    }

    fn idle_since(&self) -> Option<Instant> {
        match *self.socket.as_ref()?.state() {
            State::Idle { since, .. } => Some(since),
            State::Busy | State::Closed => None,
        }
    }
}

impl Inner {
    fn has_room(&self) -> bool {
        self.open.len() < MAX_SOCKETS || self.longest_idle().is_some()
    }

    fn longest_idle(&self) -> Option<Key> {
        let idle = self.open.iter().filter_map(|(key, slot)| Some((slot.idle_since()?, key)));
        idle.min_by_key(|(since, _)| *since).map(|(_, key)| key.clone())
    }

    /// Returns why a session has no socket with this account.
    fn why_none(&self, key: &Key) -> NotContinued {
        match self.accounts.get(&key.session) {
            None => NotContinued::FirstTurn,
            Some((account, _)) if *account == key.account => NotContinued::NewSocket,
            Some(_) => NotContinued::AccountChanged,
        }
    }

    fn remember(&mut self, key: &Key, now: Instant) {
        if self.accounts.len() >= MAX_SESSIONS && !self.accounts.contains_key(&key.session) {
            let oldest = self.accounts.iter().min_by_key(|(_, (_, at))| *at);
            if let Some(oldest) = oldest.map(|(session, _)| session.clone()) {
                self.accounts.remove(&oldest);
            }
        }
        self.accounts.insert(key.session.clone(), (key.account.clone(), now));
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
