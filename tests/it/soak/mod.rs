//! A day of eight sidecars on one agent directory, shortened: five accounts whose tokens expire and whose windows
//! reset, random faults, a pi that refreshes its own login, clients that come, cancel and die. At the end nothing is
//! lost, no token was sent twice, every request was answered, and memory and descriptors are as before.
//!
//! `cargo test` runs eight seconds of it. A day in twenty minutes, with a plot of what the sidecars held:
//!
//! ```sh
//! MULTICODEX_SOAK_SECONDS=1200 MULTICODEX_SOAK_SVG=soak.svg cargo test --test it soak -- --nocapture
//! ```

mod client;
mod fault_injection;
mod gauge;
mod others;
mod tally;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use multicodex::protocol::AccountState;
use multicodex::sim::SimAccount;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::env::{TestEnv, email};

const NAMES: [&str; 5] = ["ada", "bob", "cleo", "dora", "emil"];
/// The account that is also logged in in pi.
const LINKED: &str = "ada";
const SIDECARS: usize = 8;
/// These live from beginning to end, and are measured; the others are killed and started again.
const LASTING: usize = 4;
/// A token is refreshed when it has less than five minutes left, so these are used for this long.
const TOKEN_USE: i64 = 20;

/// How long it lasts, and what depends on that.
#[derive(Clone, Copy, Debug)]
struct Day {
    ends: Instant,
    seconds: u64,
    seed: u64,
}

impl Day {
    fn from_environment() -> Day {
        let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
        let seconds = number("MULTICODEX_SOAK_SECONDS").unwrap_or(8);
        let seed = number("MULTICODEX_SOAK_SEED").unwrap_or_else(|| fastrand::u64(..));
        Day { ends: Instant::now() + Duration::from_secs(seconds), seconds, seed }
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.ends
    }

    /// The share of a five-hour window in a day.
    fn five_hours(&self) -> Duration {
        Duration::from_secs(self.seconds * 5 / 24).max(Duration::from_secs(2))
    }

    /// A separate stream of random numbers for each part, so that a seed repeats as much as possible.
    fn random(&self, part: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed.wrapping_add(part))
    }
}

#[tokio::test]
async fn a_day_of_eight_sidecars_loses_nothing_and_burns_nothing() {
    let day = Day::from_environment();
    eprintln!("{} s, MULTICODEX_SOAK_SEED={}", day.seconds, day.seed);
    let accounts = NAMES.map(|name| SimAccount { expires_in: 300 + TOKEN_USE, ..SimAccount::named(name) });
    let env = Arc::new(TestEnv::unlogged(accounts));
    others::log_in_to_pi(&env);
    let tally = Arc::new(tally::Tally::default());
    let gauge = Arc::new(gauge::Gauge::default());

    let mut parts = JoinSet::new();
    parts.spawn(fault_injection::faults(day, env.clone()));
    parts.spawn(fault_injection::windows(day, env.clone()));
    parts.spawn(others::pi(day, env.clone(), tally.clone()));
    parts.spawn(others::user(day, env.clone()));
    for index in 0..SIDECARS {
        parts.spawn(client::live(day, index, env.clone(), tally.clone(), gauge.clone()));
    }
    while let Some(ended) = parts.join_next().await {
        ended.expect("no part of the day panics");
    }

    eprintln!("{tally}");
    eprintln!("{gauge}");
    if let Ok(path) = std::env::var("MULTICODEX_SOAK_SVG") {
        std::fs::write(path, gauge.svg()).expect("the plot is written");
    }
    tally.check();
    gauge.check();
    check_the_files(&env);
    // A killed sidecar loses an answer, and pi then sends a token that is consumed; no other program ever does.
    assert_eq!(u64::from(env.sim().reused()), tally.refused_to_pi());
    assert!(tally.refused_to_pi() <= tally.kills(), "{tally}");
    check_that_all_accounts_still_work(&env).await;
}

fn check_the_files(env: &TestEnv) {
    let accounts = env.read_accounts();
    let labels: Vec<_> =
        accounts["accounts"].as_array().expect("a list").iter().map(|entry| &entry["email"]).collect();
    assert_eq!(labels, NAMES.map(|name| json!(email(name))).iter().collect::<Vec<_>>());
    let auth = others::auth_file(env);
    assert_eq!(auth["anthropic"], json!({ "type": "api_key", "key": "kept" }));
    assert!(!env.auth_file().with_file_name("auth.json.lock").exists(), "pi's lock is free");
}

/// Except for accounts that were reported to need a login: the answer to their last token request is lost.
async fn check_that_all_accounts_still_work(env: &TestEnv) {
    fault_injection::clear(env);
    let sidecar = env.sidecar().await;
    let accounts = sidecar.accounts().await;
    let tokens = join_all(NAMES.map(|name| sidecar.token(name))).await;
    for ((account, name), token) in accounts.iter().zip(NAMES).zip(tokens) {
        let told = account.state == AccountState::NeedsLogin
            || account.reason.as_ref().is_some_and(|reason| reason.kind == "outcome_unknown");
        assert!(token.is_ok() || told, "{name}: {token:?} {account:?}");
    }
    sidecar.end().await;
}
