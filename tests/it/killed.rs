//! SIGKILL at random moments around redeeming: the only damage ever is an answer that no one received, and it is told.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use multicodex::protocol::AccountState;
use multicodex::sim::{Behaviour, Route, Rule, SimAccount};
use serde_json::json;

use crate::stage::{Stage, email};

const NAMES: [&str; 3] = ["ada", "bob", "cleo"];

#[tokio::test]
async fn a_kill_at_any_moment_burns_no_token_and_loses_no_account() {
    // `MULTICODEX_KILLS=200` for the long version.
    let kills = std::env::var("MULTICODEX_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20);
    // Tokens that are to be renewed before every use, so that every demand redeems.
    let accounts = NAMES.map(|name| SimAccount { expires_in: 1, ..SimAccount::named(name) });
    let stage = Stage::with(accounts).await;
    // So that a kill can fall between the request and its answer.
    stage.sim.add_rule(Rule::always(Behaviour::Normal).on(Route::Token).delayed(4));
    let mut told = 0;
    for round in 0..kills {
        let sidecar = stage.sidecar().await;
        for account in sidecar.accounts().await {
            assert_eq!(account.state, AccountState::Ready, "round {round}: {account:?}");
            if account.reason.is_some_and(|reason| reason.kind == "outcome_unknown") {
                told += 1;
                sign_in_again(&stage, &account.label);
            }
        }
        {
            let demands = join_all(NAMES.map(|name| sidecar.refresh(Some(name), true)));
            let moment = Duration::from_micros(u64::from(random()) % 160_000);
            // The kill comes while they are under way, or a little after.
            let _ = tokio::time::timeout(moment, demands).await;
        }
        drop(sidecar);
        let file = stage.read_accounts();
        let emails: Vec<_> =
            file["accounts"].as_array().expect("a list").iter().map(|a| a["email"].clone()).collect();
        assert_eq!(emails, NAMES.map(|name| json!(email(name))), "round {round}");
        assert_eq!(stage.sim.reused(), 0, "round {round}");
    }
    let sent: usize = NAMES.iter().map(|name| stage.sim.redeems(name)).sum();
    assert!(
        sent >= kills / 3 && told >= 1,
        "the kills came too early to mean anything: {sent} redeems, {told} unknown"
    );
    // Whatever was not told as unknown still works.
    let sidecar = stage.sidecar().await;
    let unknown: HashMap<String, bool> = sidecar
        .accounts()
        .await
        .into_iter()
        .map(|account| (account.label, account.reason.is_some_and(|reason| reason.kind == "outcome_unknown")))
        .collect();
    for name in NAMES {
        let token = sidecar.token(name).await;
        assert!(unknown[&email(name)] || token.is_ok(), "{name}: {token:?}");
    }
    assert_eq!(stage.sim.reused(), 0);
}

/// What the user would do about it.
fn sign_in_again(stage: &Stage, label: &str) {
    let name = label.split('@').next().unwrap_or_default();
    let login = stage.sim.sign_in(name).expect("the account is known");
    let mut file = stage.read_accounts();
    let entries = file["accounts"].as_array_mut().expect("a list");
    let entry = entries.iter_mut().find(|entry| entry["email"] == json!(label)).expect("an entry");
    entry["accessToken"] = json!(login.access_token);
    entry["refreshToken"] = json!(login.refresh_token);
    entry["expiresAt"] = json!(login.expires_at);
    stage.write_accounts(&file.to_string());
}

fn random() -> u32 {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).expect("randomness");
    u32::from_le_bytes(bytes)
}
