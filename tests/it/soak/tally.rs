//! The requests and their results.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard};

/// Ends of completions that the faults of the day explain. `storage`: pi's lock stays for 30 s after a sidecar was
/// killed while it held the lock; `outcome_unknown`: a killed sidecar loses the answer of the token endpoint.
const EXPLAINED: [&str; 12] = [
    "outcome_unknown",
    "challenge",
    "storage",
    "no_available_account",
    "stream_interrupted",
    "server_error",
    "overloaded",
    "network",
    "rate_limit",
    "usage_limit",
    "idle_timeout",
    "token_unavailable",
];

#[derive(Debug, Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    asked: BTreeMap<&'static str, u64>,
    answered: BTreeMap<&'static str, u64>,
    /// How completions ended: `done`, `cancelled`, or the kind of the error.
    ends: BTreeMap<String, u64>,
    rotations: u64,
    kills: u64,
    restarts: u64,
    renewed_by_pi: u64,
    refused_to_pi: u64,
}

impl Tally {
    pub fn asked(&self, method: &'static str) {
        *self.counts().asked.entry(method).or_default() += 1;
    }

    pub fn answered(&self, method: &'static str) {
        *self.counts().answered.entry(method).or_default() += 1;
    }

    pub fn ended(&self, how: &str) {
        *self.counts().ends.entry(how.to_owned()).or_default() += 1;
    }

    pub fn rotated(&self) {
        self.counts().rotations += 1;
    }

    /// Requests from just before are not counted.
    pub fn killed(&self) {
        self.counts().kills += 1;
    }

    pub fn restarted(&self) {
        self.counts().restarts += 1;
    }

    pub fn pi_renewed(&self) {
        self.counts().renewed_by_pi += 1;
    }

    pub fn pi_was_refused(&self) {
        self.counts().refused_to_pi += 1;
    }

    pub fn kills(&self) -> u64 {
        self.counts().kills
    }

    pub fn refused_to_pi(&self) -> u64 {
        self.counts().refused_to_pi
    }

    /// Every request was answered, completions were served, and none ended in an unexplained way.
    pub fn check(&self) {
        let counts = self.counts();
        assert_eq!(counts.asked, counts.answered);
        let ended: u64 = counts.ends.values().sum();
        assert_eq!(Some(&ended), counts.asked.get("complete"), "one end for each completion");
        let done = counts.ends.get("done").copied().unwrap_or_default();
        assert!(done > ended / 4, "hardly anything was served: {counts:?}");
        assert!(counts.kills > 0, "a day without trouble shows nothing: {counts:?}");
        let unexplained: Vec<_> = counts
            .ends
            .keys()
            .filter(|end| {
                !["done", "cancelled"].contains(&end.as_str()) && !EXPLAINED.contains(&end.as_str())
            })
            .collect();
        assert!(unexplained.is_empty(), "{unexplained:?}");
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().expect("nobody panics while counting")
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#?}", self.counts())
    }
}
