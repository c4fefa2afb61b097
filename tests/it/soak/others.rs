//! Other users of the same files: pi, which refreshes and rewrites its login, and the user, who logs in again where
//! that is needed.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use multicodex::auth::{self, TokenRefreshError};
use multicodex::clock;
use multicodex::http::HttpClient;
use multicodex::pool::{At, Credential};
use multicodex::protocol::AccountState;
use multicodex::secret::Secret;
use multicodex::sim::SimLogin;
use multicodex::store::{AccountsFile, LockDirectory};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::tally::Tally;
use super::{Day, LINKED};
use crate::env::{TestEnv, email};

pub fn log_in_to_pi(env: &TestEnv) {
    let login = env.sim().sign_in(LINKED).expect("it is known");
    let file = json!({ "anthropic": { "type": "api_key", "key": "kept" }, "openai-codex": entry(&login) });
    write_in_place(&env.auth_file(), &file);
}

pub fn auth_file(env: &TestEnv) -> Value {
    let text = fs::read_to_string(env.auth_file()).expect("auth.json is there");
    serde_json::from_str(&text).expect("whoever holds pi's lock finds a whole file")
}

/// Checks its login every second or so, and refreshes its token when it expires soon, all under its lock, as pi does.
pub async fn pi(day: Day, env: Arc<TestEnv>, tally: Arc<Tally>) {
    let mut random = day.random(3);
    let http = HttpClient::new();
    let auth_url = env.auth_url().parse().expect("a base");
    while !day.is_over() {
        sleep(Duration::from_millis(random.u64(300..2000))).await;
        let path = env.auth_file();
        let lock =
            tokio::task::spawn_blocking(move || LockDirectory::acquire(&path, Duration::from_secs(60)));
        let lock = lock.await.expect("it does not panic").expect("the lock comes free");
        let mut file = auth_file(&env);
        let count = file["pi"]["count"].as_u64().unwrap_or_default();
        file["pi"] = json!({ "count": count + 1 });
        let expires = file["openai-codex"]["expires"].as_i64().expect("a login");
        if At(expires).since(clock::now()) < Duration::from_secs(305) {
            let refresh = Secret::new(file["openai-codex"]["refresh"].as_str().expect("a login"));
            match auth::refresh(&http, &auth_url, &refresh, clock::now()).await {
                Ok(refreshed) => {
                    tally.pi_renewed();
                    let Credential { access, refresh, expires_at } = refreshed.credential;
                    file["openai-codex"]["access"] = json!(access.expose());
                    file["openai-codex"]["refresh"] = json!(refresh.expose());
                    file["openai-codex"]["expires"] = json!(expires_at.millis());
                }
                Err(TokenRefreshError::Terminal { .. }) => {
                    tally.pi_was_refused();
                    file["openai-codex"] = entry(&env.sim().sign_in(LINKED).expect("it is known"));
                }
                Err(TokenRefreshError::AccessTokenMissing { refresh }) => {
                    file["openai-codex"]["refresh"] = json!(refresh.expose());
                }
                Err(TokenRefreshError::Transient { .. } | TokenRefreshError::OutcomeUnknown { .. }) => {}
            }
        }
        assert!(lock.is_still_ours(), "nobody takes pi's lock from it");
        write_in_place(&env.auth_file(), &file);
    }
}

/// Logs in again where an answer was lost with a killed sidecar, as the account's state says.
pub async fn user(day: Day, env: Arc<TestEnv>) {
    let sidecar = env.sidecar().await;
    let file = AccountsFile::new(env.accounts_file(), &env.guard_dir());
    while !day.is_over() {
        sleep(Duration::from_millis(500)).await;
        for account in sidecar.accounts().await {
            let lost = account.reason.is_some_and(|reason| reason.kind == "outcome_unknown");
            if !lost && account.state != AccountState::NeedsLogin || account.label == email(LINKED) {
                continue;
            }
            let name = account.label.split('@').next().expect("a label");
            let login = env.sim().sign_in(name).expect("it is known");
            let credential = Credential {
                access: Secret::new(login.access_token),
                refresh: Secret::new(login.refresh_token),
                expires_at: At(login.expires_at),
            };
            let (file, label) = (file.clone(), account.label);
            let stored = tokio::task::spawn_blocking(move || {
                file.change(|document| document.set_credential(&label, &credential))
            });
            stored.await.expect("it does not panic").expect("the file is writable").expect("it is there");
        }
    }
    sidecar.end().await;
}

fn entry(login: &SimLogin) -> Value {
    json!({
        "type": "oauth",
        "access": login.access_token,
        "refresh": login.refresh_token,
        "expires": login.expires_at,
        "accountId": login.account.workspace_id,
    })
}

/// As pi writes: the file is empty for a moment.
fn write_in_place(path: &Path, file: &Value) {
    fs::write(path, format!("{file:#}")).expect("written");
}
