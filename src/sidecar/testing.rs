//! The owners with real files in their own directory, a simulated clock, and endpoints that answer as the test wants.
#![expect(clippy::expect_used, reason = "tests")]

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::accounts::AccountRegistry;
use super::credentials::{RefreshTiming, TokenEndpoint, TokenRefresher};
use super::import::Imports;
use super::notify::notifier::Notifier;
use crate::auth::testing::jwt;
use crate::auth::{RefreshedTokens, TokenRefreshError, claims};
use crate::clock::simulated;
use crate::pool::{AccountId, At, Credential};
use crate::secret::Secret;
use crate::store::{PathOptions, Paths, ProcessEnv, RefreshJournal};

pub(crate) const NOW: At = At::from_secs(1_790_000_000);

/// The owners up to the refresher, with the accounts file of the test.
pub(crate) struct Owners {
    pub(crate) paths: Paths,
    pub(crate) notifier: Arc<Notifier>,
    pub(crate) registry: Arc<AccountRegistry>,
    pub(crate) imports: Arc<Imports>,
    pub(crate) refresher: Arc<TokenRefresher>,
    pub(crate) endpoint: Arc<FakeTokenEndpoint>,
    _dir: TempDir,
}

impl Owners {
    /// Each account has an access token that expires after this many minutes. Call it within a runtime.
    pub(crate) fn with_accounts(accounts: &[(&str, i64)]) -> Self {
        Owners::with_spacing(accounts, Duration::ZERO)
    }

    /// The same, with a pause between two refreshes.
    pub(crate) fn with_spacing(accounts: &[(&str, i64)], spacing: Duration) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let options = PathOptions { agent_dir: Some(dir.path().join("agent")), ..PathOptions::default() };
        let env = ProcessEnv {
            home: Some(dir.path().to_owned()),
            state_dir: Some(dir.path().join("state")),
            current_dir: "/".into(),
        };
        let paths = Paths::resolve(&options, |_| None, &env).expect("paths");
        fs::create_dir_all(&paths.agent_dir).expect("made");
        fs::create_dir_all(&paths.guard_dir).expect("made");
        let entries: Vec<Value> = accounts.iter().map(|(name, minutes)| entry(name, *minutes)).collect();
        write_json(&paths.accounts_file, &json!({ "accounts": entries }));
        let notifier = Arc::new(Notifier::default());
        let journal = RefreshJournal::new(paths.guard_dir.clone(), &paths.state_dir);
        let clock = simulated::starting_at(NOW);
        let registry = Arc::new(AccountRegistry::new(&paths, journal.clone(), notifier.clone(), clock));
        registry.load();
        let imports = Arc::new(Imports::new(&paths, registry.clone(), notifier.clone()));
        let endpoint = Arc::new(FakeTokenEndpoint::default());
        let refresher = Arc::new(TokenRefresher::new(
            registry.clone(),
            imports.clone(),
            notifier.clone(),
            journal,
            Box::new(endpoint.clone()),
            RefreshTiming {
                spacing,
                upkeep_interval: Duration::from_secs(60),
                lock_patience: Duration::ZERO,
            },
        ));
        Owners { paths, notifier, registry, imports, refresher, endpoint, _dir: dir }
    }

    pub(crate) fn id(&self, name: &str) -> AccountId {
        self.registry.decide(|pool, _| pool.select(&label(name)).expect("an account"))
    }

    /// Returns the credential in memory.
    pub(crate) fn held(&self, name: &str) -> Credential {
        let id = self.id(name);
        self.registry.decide(|pool, _| pool.get(&id).expect("an account").credential.clone())
    }

    /// Returns the refresh token in the accounts file.
    pub(crate) fn stored(&self, name: &str) -> Option<String> {
        let file: Value = serde_json::from_str(&fs::read_to_string(&self.paths.accounts_file).ok()?).ok()?;
        let entry = file["accounts"].as_array()?.iter().find(|entry| entry["email"] == label(name))?.clone();
        entry["refreshToken"].as_str().map(str::to_owned)
    }
}

pub(crate) fn label(name: &str) -> String {
    format!("{name}@example.com")
}

/// An access token of the account `name`, the `number`th of its kind.
pub(crate) fn access(name: &str, number: u32, expires_at: At) -> String {
    jwt(&json!({
        "exp": expires_at.millis() / 1000,
        "iat": NOW.millis() / 1000 - 3600 + i64::from(number),
        "https://api.openai.com/auth": {
            "chatgpt_account_id": format!("workspace-{name}"),
            "chatgpt_user_id": format!("user-{name}"),
        },
        "https://api.openai.com/profile": { "email": label(name) },
    }))
}

/// pi's auth.json with the `number`th login of the account `name`.
pub(crate) fn pi_login(name: &str, number: u32, expires_at: At) -> Value {
    json!({ "openai-codex": {
        "type": "oauth",
        "access": access(name, number, expires_at),
        "refresh": format!("refresh-{name}-{number}"),
        "expires": expires_at.millis(),
        "accountId": format!("workspace-{name}"),
    }})
}

pub(crate) fn write_json(path: &Path, value: &Value) {
    fs::write(path, value.to_string()).expect("written");
}

fn entry(name: &str, minutes: i64) -> Value {
    let expires_at = At(NOW.millis() + minutes * 60_000);
    json!({
        "email": label(name),
        "accessToken": access(name, 0, expires_at),
        "refreshToken": format!("refresh-{name}-0"),
        "expiresAt": expires_at.millis(),
        "accountId": format!("workspace-{name}"),
    })
}

type Hook = Box<dyn FnOnce() + Send>;

/// Answers with what the test queued, and records the refresh tokens that it received.
#[derive(Default)]
pub(crate) struct FakeTokenEndpoint {
    answers: Mutex<VecDeque<Result<RefreshedTokens, TokenRefreshError>>>,
    sent: Mutex<Vec<String>>,
    before_answer: Mutex<Option<Hook>>,
}

impl FakeTokenEndpoint {
    pub(crate) fn answer(&self, answer: Result<RefreshedTokens, TokenRefreshError>) {
        self.answers.lock().expect("not poisoned").push_back(answer);
    }

    /// Answers with the `number`th credential of the account `name`.
    pub(crate) fn answer_tokens(&self, name: &str, number: u32) {
        let expires_at = NOW + Duration::from_secs(24 * 60 * 60);
        let access = Secret::new(access(name, number, expires_at));
        let claims = claims(&access);
        let refresh = Secret::new(format!("refresh-{name}-{number}"));
        let credential = Credential { access, refresh, expires_at };
        self.answer(Ok(RefreshedTokens { credential, claims, refresh_replaced: true }));
    }

    /// Runs `hook` after the token was sent and before the answer arrives.
    pub(crate) fn before_answer(&self, hook: impl FnOnce() + Send + 'static) {
        *self.before_answer.lock().expect("not poisoned") = Some(Box::new(hook));
    }

    pub(crate) fn sent(&self) -> Vec<String> {
        self.sent.lock().expect("not poisoned").clone()
    }
}

impl TokenEndpoint for Arc<FakeTokenEndpoint> {
    fn refresh<'a>(
        &'a self,
        refresh: &'a Secret,
        _: At,
    ) -> BoxFuture<'a, Result<RefreshedTokens, TokenRefreshError>> {
        self.sent.lock().expect("not poisoned").push(refresh.expose().to_owned());
        if let Some(hook) = self.before_answer.lock().expect("not poisoned").take() {
            hook();
        }
        let answer = self.answers.lock().expect("not poisoned").pop_front();
        ready(answer.expect("an answer was queued")).boxed()
    }
}
