//! A simulator, a client of it, and one account that is logged in.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use multicodex::sim::{LoggedRequest, Sim, SimAccount, SimConfig, SimHandle, SimLogin};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

const PATIENCE: Duration = Duration::from_secs(10);

pub struct Bench {
    pub sim: Sim,
    pub handle: SimHandle,
    pub client: Client,
    pub ada: SimLogin,
}

/// How a body ended.
#[derive(Debug, PartialEq)]
pub enum BodyEnd {
    Whole(String),
    Broken(String),
    Silent(String),
}

impl Bench {
    pub async fn new() -> Self {
        Bench::with(Client::builder()).await
    }

    pub async fn with(client: reqwest::ClientBuilder) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let sim = Sim::start(SimConfig::default()).await.unwrap();
        let handle = sim.handle();
        let ada = handle.add_account(SimAccount::named("ada"));
        let client = client.no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Bench { sim, handle, client, ada }
    }

    pub fn ask(&self, login: &SimLogin) -> RequestBuilder {
        self.client
            .post(format!("{}/codex/responses", self.sim.upstream_url()))
            .bearer_auth(&login.access_token)
            .header("chatgpt-account-id", &login.account.workspace_id)
            .header("content-type", "application/json")
            .body(body().to_string())
    }

    pub async fn refresh(&self, refresh_token: &str) -> (StatusCode, Value) {
        let body = json!({ "grant_type": "refresh_token", "client_id": "c", "refresh_token": refresh_token });
        let answer = self
            .client
            .post(format!("{}/oauth/token", self.sim.auth_url()))
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        (answer.status(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }

    pub async fn admin(&self, what: &str, body: &Value) -> (StatusCode, Value) {
        let url = format!("{}/__sim/{what}", self.sim.auth_url());
        let answer = self.client.post(url).body(body.to_string()).send().await.unwrap();
        (answer.status(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
    }

    pub async fn logged(&self, what: impl Fn(&LoggedRequest) -> bool) -> LoggedRequest {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(logged) = self.handle.log().into_iter().find(|logged| what(logged)) {
                return logged;
            }
            assert!(Instant::now() < deadline, "not in the log: {:#?}", self.handle.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub fn body() -> Value {
    json!({
        "model": "gpt-6.1-sol", "instructions": "Be brief.", "store": false, "stream": true,
        "input": [{ "role": "user", "content": [{ "type": "input_text", "text": "Why?" }] }],
    })
}

/// Reads to the end, or until nothing came for 300 ms, or only comments for 3 s.
pub async fn read(mut answer: Response) -> BodyEnd {
    let mut text = Vec::new();
    let told = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    let enough = Instant::now() + Duration::from_secs(3);
    loop {
        if Instant::now() > enough {
            return BodyEnd::Silent(told(&text));
        }
        match timeout(Duration::from_millis(300), answer.chunk()).await {
            Ok(Ok(Some(chunk))) => text.extend_from_slice(&chunk),
            Ok(Ok(None)) => return BodyEnd::Whole(told(&text)),
            Ok(Err(_)) => return BodyEnd::Broken(told(&text)),
            Err(_) => return BodyEnd::Silent(told(&text)),
        }
    }
}

pub fn kinds(stream: &str) -> Vec<String> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    let kind = |data: &str| Some(serde_json::from_str::<Value>(data).ok()?["type"].as_str()?.to_owned());
    data.map(|data| kind(data).unwrap_or_else(|| data.to_owned())).collect()
}
