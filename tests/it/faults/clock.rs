//! The clock of a running sidecar, set forward and back by libfaketime. Waits are measured by another clock, which is
//! not set, as on a real machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use multicodex::sim::{Behaviour, Pace, Rule, SimAccount, StreamPlan};
use serde_json::{Value, json};

use super::complete;
use crate::env::RawClient;
use crate::env::TestEnv;
use crate::env::skip;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn libfaketime() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let libraries = ["/usr/lib", "/usr/local/lib"].into_iter().filter_map(|dir| fs::read_dir(dir).ok());
        let beside = libraries.flatten().flatten().map(|entry| entry.path());
        let roots = ["/usr/lib", "/usr/local/lib"].map(PathBuf::from).into_iter();
        roots.chain(beside).map(|dir| dir.join("faketime/libfaketimeMT.so.1")).find(|path| path.exists())
    });
    if found.is_none() {
        skip::skip_unless("libfaketime");
    }
    found.as_deref()
}

/// A sidecar with its own clock.
struct Set {
    peer: RawClient,
    clock: PathBuf,
}

impl Set {
    fn spawn(env: &TestEnv) -> Option<Set> {
        let library = libfaketime()?;
        let clock = env.accounts_file().with_file_name("clock");
        fs::write(&clock, "+0").expect("writable");
        let mut command = env.command(&["serve"]);
        command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &clock);
        command.envs([("FAKETIME_NO_CACHE", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]);
        let peer =
            RawClient::initialized(command, &["accounts/changed", "status/changed", "refresh/progress"]);
        Some(Set { peer, clock })
    }

    fn set(&self, seconds_ahead: i64) {
        let new = self.clock.with_extension("new");
        fs::write(&new, format!("{seconds_ahead:+}")).expect("writable");
        fs::rename(new, &self.clock).expect("writable");
    }

    fn complete(&mut self) -> Result<Value, Value> {
        complete(&mut self.peer)
    }

    /// Returns the next notice of the stream.
    fn next(&mut self) -> Value {
        self.peer.expect_notification("complete")["result"].take()
    }

    fn warns_of(&mut self, kind: &str) {
        let warning = self.peer.expect_notification("warning");
        assert_eq!(warning["kind"], kind, "{warning}");
    }

    fn account(&mut self) -> Value {
        self.peer.call("accounts", json!({})).expect("a list")["accounts"][0].take()
    }

    /// In seconds, by the true clock.
    fn cooldown(&mut self) -> i64 {
        let until = self.account()["cooldownUntil"].as_i64().expect("it cools");
        (until - multicodex::clock::now().millis()) / 1000
    }
}

fn is_about(seconds: i64, expected: i64) -> bool {
    (expected - 60..=expected).contains(&seconds)
}

#[test]
fn a_limit_is_over_when_the_clock_says_so_and_does_not_outlast_a_clock_that_is_set_back() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let Some(mut set) = Set::spawn(&env) else { return };
    let limit = || Rule::next(1, Behaviour::usage_limit_for(HOUR));
    env.sim().add_rule(limit());
    set.complete().expect_err("a limit");
    set.warns_of("no_available_account");
    assert_eq!(set.account()["state"], "cooling");

    set.set(2 * HOUR);
    assert_eq!(set.account()["state"], "ready");
    set.complete().expect("the hour is over, by this clock");
    set.warns_of("clock_skew");
    env.sim().add_rule(limit());
    set.complete().expect_err("a limit");
    set.warns_of("no_available_account");
    assert!(is_about(set.cooldown(), 3 * HOUR));

    // After the correction it cools for the hour that upstream said, and not for three.
    set.set(0);
    assert!(is_about(set.cooldown(), HOUR));
    let asked = env.sim().posts("ada");
    set.complete().expect_err("it cools");
    set.warns_of("no_available_account");
    assert_eq!(env.sim().posts("ada"), asked);
    // Neither does the next sidecar, from what this one stored.
    drop(set);
    let mut set = Set::spawn(&env).expect("as before");
    assert!(is_about(set.cooldown(), HOUR));
    set.set(HOUR + 1);
    set.complete().expect("the hour is over");
    set.warns_of("clock_skew");
    assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (0, 0));
}

#[test]
fn a_clock_that_is_a_month_ahead_costs_one_renewal_and_setting_it_right_none() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let Some(mut set) = Set::spawn(&env) else { return };
    set.complete().expect("its token lives");
    assert_eq!(env.sim().refreshes("ada"), 0);

    // By this clock the token has expired. The new one counts from now, whatever date it holds.
    set.set(30 * DAY);
    for _ in 0..3 {
        set.complete().expect("renewed first");
    }
    set.warns_of("clock_skew");
    assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (1, 0));

    // The journal's times are in the future now. Neither they nor the long life that the token seems to have matter
    // when upstream refuses it.
    set.set(0);
    set.complete().expect("its token lives");
    assert_eq!(env.sim().refreshes("ada"), 1);
    env.sim().revoke_access("ada");
    set.complete().expect("renewed when it was refused");
    let token =
        set.peer.call("refresh", json!({"account": "ada@example.com", "force": true})).expect("results");
    assert_eq!(token["results"][0]["ok"], true, "{token}");
    assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (3, 0));
}

#[test]
fn a_stream_neither_ends_early_nor_hangs_because_the_clock_is_set() {
    let slow = StreamPlan { pace: Pace { first_ms: 0, each_ms: 20 }, ..StreamPlan::deltas(20, 4) };
    let env = TestEnv::new([SimAccount::named("ada")]);
    env.sim().set_behaviour("ada", Behaviour::Stream(slow));
    let Some(mut set) = Set::spawn(&env) else { return };
    for ahead in [DAY, -DAY] {
        let params = json!({"request": {"model": "gpt-6.1-sol", "input": []}, "idleTimeoutMs": 5_000, "deadlineMs": 15_000});
        set.peer.call("complete", params).expect("a subscription");
        while set.next()["type"] != "event" {}
        set.set(ahead);
        let terminal = loop {
            let notice = set.next();
            if notice["type"] != "event" {
                break notice;
            }
        };
        assert_eq!(terminal["type"], "done", "{terminal}");
        set.set(0);
    }
}
