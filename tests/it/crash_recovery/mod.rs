//! SIGKILL at random moments around a refresh: the only damage is an answer that no process received, and it is
//! reported.

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
    // Tokens that are refreshed before every use, so that every request refreshes.
    let accounts = NAMES.map(|name| SimAccount { expires_in: 1, ..SimAccount::named(name) });
    let env = TestEnv::new(accounts);
    // So that a kill can come between the request and its answer.
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
    // Every account that was not reported as unknown still works.
    let sidecar = env.sidecar().await;
    for name in NAMES {
        let token = sidecar.token(name).await;
        // The process that was killed last may have held the lane while this one started, so it is reported now at the
        // latest.
        let reason = sidecar.account(name).await.reason;
        let unknown = reason.is_some_and(|reason| reason.kind == "outcome_unknown");
        assert!(unknown || token.is_ok(), "{name}: {token:?}");
    }
    assert_eq!(env.sim().reused(), 0);
}

/// When the kills come: at random moments while requests are in progress, or a little after, on a machine of any speed.
/// At least twenty, or `MULTICODEX_KILLS=200` for the long version, and more until both kinds of moments occurred.
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

    /// Returns whether there is another round, after this many sent tokens and this many lost answers.
    fn go_on(&mut self, sent: usize, told: usize) -> bool {
        let mean_nothing = sent < self.least / 3 || told == 0;
        assert!(self.rounds < 20 * self.least, "the kills mean nothing: {sent} refreshes, {told} unknown");
        self.rounds += 1;
        self.rounds <= self.least || mean_nothing
    }

    async fn at_any_moment<T>(&mut self, demands: impl Future<Output = T>) {
        let moment = self.span.mul_f64(f64::from(random()) / f64::from(u32::MAX));
        let in_time = tokio::time::timeout(moment, demands).await.is_ok();
        // So that about half of them come while requests are in progress.
        self.span = self.span.mul_f64(if in_time { 0.7 } else { 1.5 });
    }
}

/// A killed process may take a moment to die, and holds its locks until then.
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
