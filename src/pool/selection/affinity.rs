//! Which account served a session last, so that the session keeps its prompt cache there. It is bounded and holds no
//! content: session names are opaque.

use std::collections::HashMap;
use std::time::Duration;

use crate::pool::{AccountId, At};

const MAX_SESSIONS: usize = 2048;
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);

/// At most 2048 sessions. A session that was idle for 24 h, or longest of too many, is dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affinity {
    seats: HashMap<String, SessionBinding>,
}

/// The account that served a session last, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionBinding {
    pub account: AccountId,
    pub used_at: At,
}

impl Affinity {
    pub fn get(&self, session: &str, now: At) -> Option<&AccountId> {
        let seat = self.seats.get(session)?;
        (now.since(seat.used_at) < IDLE).then_some(&seat.account)
    }

    pub fn set(&mut self, session: &str, account: AccountId, now: At) {
        let seat = SessionBinding { account, used_at: now };
        match self.seats.get_mut(session) {
            Some(held) => *held = seat,
            None => {
                if self.seats.len() >= MAX_SESSIONS {
                    self.forget_idle(now);
                }
                if self.seats.len() >= MAX_SESSIONS {
                    self.forget_longest_idle();
                }
                self.seats.insert(session.to_owned(), seat);
            }
        }
    }

    /// Merges what another sidecar recorded later. A record with a time from before the clock was set back is older
    /// than everything known here.
    pub fn absorb(&mut self, other: &Affinity, now: At) {
        for (session, seat) in &other.seats {
            let newer = match self.seats.get(session) {
                Some(held) => held.used_at < seat.used_at && !seat.used_at.is_ahead_of(now),
                None => true,
            };
            if newer && now.since(seat.used_at) < IDLE {
                self.set(session, seat.account.clone(), seat.used_at.not_ahead_of(now));
            }
        }
    }

    /// See [`crate::pool::Pool::observe_clock`].
    pub(crate) fn clamp_future(&mut self, now: At) {
        self.seats.values_mut().for_each(|seat| seat.used_at = seat.used_at.not_ahead_of(now));
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &SessionBinding)> {
        self.seats.iter().map(|(session, seat)| (session.as_str(), seat))
    }

    pub fn len(&self) -> usize {
        self.seats.len()
    }

    pub fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    pub(crate) fn forget_account(&mut self, account: &AccountId) {
        self.seats.retain(|_, seat| seat.account != *account);
    }

    pub(crate) fn follow(&mut self, from: &AccountId, to: &AccountId) {
        for seat in self.seats.values_mut().filter(|seat| seat.account == *from) {
            seat.account = to.clone();
        }
    }

    pub(crate) fn forget_idle(&mut self, now: At) {
        self.seats.retain(|_, seat| now.since(seat.used_at) < IDLE);
    }

    fn forget_longest_idle(&mut self) {
        let longest = self.seats.iter().min_by_key(|(session, seat)| (seat.used_at, *session));
        if let Some(session) = longest.map(|(session, _)| session.clone()) {
            self.seats.remove(&session);
        }
    }
}

/// Takes what was read from the state directory: the newest sessions, up to the limit.
impl FromIterator<(String, SessionBinding)> for Affinity {
    fn from_iter<I: IntoIterator<Item = (String, SessionBinding)>>(seats: I) -> Self {
        let mut seats: Vec<(String, SessionBinding)> = seats.into_iter().collect();
        seats.sort_by(|(a, x), (b, y)| y.used_at.cmp(&x.used_at).then_with(|| a.cmp(b)));
        let mut affinity = Affinity::default();
        for (session, seat) in seats {
            if affinity.seats.len() == MAX_SESSIONS {
                break;
            }
            affinity.seats.entry(session).or_insert(seat);
        }
        affinity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> AccountId {
        AccountId::new(name)
    }

    #[test]
    fn a_session_idle_for_a_day_is_forgotten() {
        let mut affinity = Affinity::default();
        affinity.set("s", id("a"), At(0));
        assert_eq!(affinity.get("s", At(0) + IDLE - Duration::from_millis(1)), Some(&id("a")));
        assert_eq!(affinity.get("s", At(0) + IDLE), None);
    }

    #[test]
    fn the_longest_idle_of_too_many_sessions_gives_way() {
        let mut affinity = Affinity::default();
        for i in 0..=MAX_SESSIONS {
            affinity.set(&format!("s{i}"), id("a"), At(i64::try_from(i).unwrap_or(0)));
        }
        assert_eq!(affinity.len(), MAX_SESSIONS);
        assert_eq!(affinity.get("s0", At(0)), None);
        assert_eq!(affinity.get("s1", At(0)), Some(&id("a")));
        let again: Affinity =
            affinity.iter().map(|(session, seat)| (session.to_owned(), seat.clone())).collect();
        assert_eq!(again, affinity);
    }

    #[test]
    fn idle_sessions_make_room_together() {
        let mut affinity = Affinity::default();
        for i in 0..MAX_SESSIONS {
            affinity.set(&format!("s{i}"), id("a"), At(0));
        }
        affinity.set("new", id("a"), At(0) + IDLE);
        assert_eq!(affinity.len(), 1);
    }

    #[test]
    fn another_sidecar_s_later_note_wins() {
        let mut mine = Affinity::default();
        mine.set("both", id("a"), At(5));
        mine.set("mine", id("a"), At(5));
        let mut theirs = Affinity::default();
        theirs.set("both", id("b"), At(6));
        theirs.set("mine", id("b"), At(4));
        mine.absorb(&theirs, At(7));
        assert_eq!((mine.get("both", At(7)), mine.get("mine", At(7))), (Some(&id("b")), Some(&id("a"))));
    }

    #[test]
    fn a_note_by_a_clock_that_was_ahead_comes_before_all_others() {
        let ahead = At(3 * 60 * 60 * 1000);
        let mut theirs = Affinity::default();
        theirs.set("both", id("b"), ahead);
        theirs.set("theirs", id("b"), ahead);
        let mut mine = Affinity::default();
        mine.set("both", id("a"), At(5));
        mine.absorb(&theirs, At(7));
        assert_eq!((mine.get("both", At(7)), mine.get("theirs", At(7))), (Some(&id("a")), Some(&id("b"))));
        assert!(mine.iter().all(|(_, seat)| seat.used_at <= At(7)));
        theirs.clamp_future(At(7));
        assert!(theirs.iter().all(|(_, seat)| seat.used_at == At(7)));
    }
}
