//! SIGKILL at random moments around refreshing: the only damage ever is an answer that no one received, and it is told.

use std::time::Duration;

use futures_util::future::join_all;
use multicodex::protocol::AccountState;
use multicodex::sim::{Behaviour, Route, Rule, SimAccount};
use multicodex::store::LockGuard;
use serde_json::json;

use crate::env::{TestEnv, email};

mod linked;

const NAMES: [&str; 3] = ["ada", "bob", "cleo"];

#[tokio::test]
async fn a_kill_at_any_moment_burns_no_token_and_loses_no_account() {
    let mut kills = Kills::new();
    // Tokens that are to be renewed before every use, so that every demand refreshes.
    let accounts = NAMES.map(|name| SimAccount { expires_in: 1, ..SimAccount::named(name) });
    let env = TestEnv::new(accounts);
    // So that a kill can fall between the request and its answer.
    env.sim().add_rule(Rule::always(Behaviour::Normal).on(Route::Token).delayed(4));
    let mut told = 0;
    while kills.go_on(NAMES.iter().map(|name| env.sim().refreshes(name)).sum(), told) {
        let round = kills.rounds;
        let sidecar = env.sidecar().await;
        for account in sidecar.accounts().await {
            assert_eq!(account.state, AccountState::Ready, "round {round}: {account:?}");
            if account.reason.is_some_and(|reason| reason.kind == "outcome_unknown") {
                told += 1;
                sign_in_again(&env, &account.label);
            }
        }
        kills.at_any_moment(join_all(NAMES.map(|name| sidecar.refresh(Some(name), true)))).await;
        drop(sidecar);
        wait_for_the_end(&env);
        let file = env.read_accounts();
        let emails: Vec<_> =
            file["accounts"].as_array().expect("a list").iter().map(|a| a["email"].clone()).collect();
        assert_eq!(emails, NAMES.map(|name| json!(email(name))), "round {round}");
        assert_eq!(env.sim().reused(), 0, "round {round}");
    }
    // Whatever was not told as unknown still works.
    let sidecar = env.sidecar().await;
    for name in NAMES {
        let token = sidecar.token(name).await;
        // The process that was killed last may have held the lane while this one started, so it is told now at the latest.
        let reason = sidecar.account(name).await.reason;
        let unknown = reason.is_some_and(|reason| reason.kind == "outcome_unknown");
        assert!(unknown || token.is_ok(), "{name}: {token:?}");
    }
    assert_eq!(env.sim().reused(), 0);
}

/// When the kills come: at random moments while the demands are under way, or a little after, however fast this machine
/// is just now. At least twenty, or `MULTICODEX_KILLS=200` for the long version, and more until they have met what they
/// are for.
struct Kills {
    rounds: usize,
    least: usize,
    span: Duration,
}

impl Kills {
    fn new() -> Self {
        let asked = std::env::var("MULTICODEX_KILLS").ok().and_then(|kills| kills.parse().ok());
        Kills { rounds: 0, least: asked.unwrap_or(20), span: Duration::from_millis(80) }
    }

    /// Whether there is another round, after so many tokens that were sent and so many answers that no one received.
    fn go_on(&mut self, sent: usize, told: usize) -> bool {
        let mean_nothing = sent < self.least / 3 || told == 0;
        assert!(self.rounds < 20 * self.least, "the kills mean nothing: {sent} refreshes, {told} unknown");
        self.rounds += 1;
        self.rounds <= self.least || mean_nothing
    }

    async fn at_any_moment<T>(&mut self, demands: impl Future<Output = T>) {
        let moment = self.span.mul_f64(f64::from(random()) / f64::from(u32::MAX));
        let in_time = tokio::time::timeout(moment, demands).await.is_ok();
        // So that about half of them come while the demands are under way.
        self.span = self.span.mul_f64(if in_time { 0.7 } else { 1.5 });
    }
}

/// A process that was killed may take a moment to die, and holds its locks until then.
fn wait_for_the_end(env: &TestEnv) {
    let lane = env.guard_dir().join("redeem.lock");
    drop(LockGuard::acquire(&lane, Duration::from_secs(30)).expect("the dead hold no lock"));
}

/// What the user would do about it.
fn sign_in_again(env: &TestEnv, label: &str) {
    let name = label.split('@').next().unwrap_or_default();
    let login = env.sim().sign_in(name).expect("the account is known");
    let mut file = env.read_accounts();
    let entries = file["accounts"].as_array_mut().expect("a list");
    let entry = entries.iter_mut().find(|entry| entry["email"] == json!(label)).expect("an entry");
    entry["accessToken"] = json!(login.access_token);
    entry["refreshToken"] = json!(login.refresh_token);
    entry["expiresAt"] = json!(login.expires_at);
    env.replace_accounts(&file.to_string());
}

fn random() -> u32 {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).expect("randomness");
    u32::from_le_bytes(bytes)
}
