//! A running gateway, and a client of it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use multicodex::sim::SimAccount;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::env::{DEADLINE, TestEnv, eventually_blocking};

/// `multicodex gateway` on a free port. Dropping it sends SIGKILL.
#[derive(Debug)]
pub struct RunningGateway {
    child: Child,
    pub url: String,
    pub key: String,
    http: reqwest::Client,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl RunningGateway {
    pub fn start(env: &TestEnv) -> Self {
        Self::spawn(env.command(&["gateway", "--port", "0"]), env)
    }

    pub fn spawn(mut command: Command, env: &TestEnv) -> Self {
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().expect("it starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("text");
        let url = line.trim().strip_prefix("multicodex gateway listens at ");
        let url = url.unwrap_or_else(|| panic!("no address: {line:?}")).to_owned();
        let file = std::fs::read(env.state_dir().join("gateway.json")).expect("the gateway's file");
        let file: Value = serde_json::from_slice(&file).expect("JSON");
        let key = file["key"].as_str().expect("a key").to_owned();
        RunningGateway { child, url, key, http: client() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// A request without a key.
    pub fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).timeout(DEADLINE)
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.bare(Method::GET, path).bearer_auth(&self.key)
    }

    pub fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.bare(Method::POST, path).bearer_auth(&self.key).body(body)
    }

    /// A completion that streams.
    pub fn stream(&self, input: &str) -> RequestBuilder {
        self.post("/v1/responses", prompt(input, true).to_string())
    }

    /// Ends it in order.
    pub fn end(mut self) -> ExitStatus {
        signal(self.child.id(), rustix::process::Signal::TERM);
        let mut ended = None;
        eventually_blocking("the gateway ends", || {
            ended = self.child.try_wait().expect("a child");
            ended.is_some()
        });
        ended.expect("it has ended")
    }
}

impl Drop for RunningGateway {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Answer {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, text: response.text().await.expect("a whole body") }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn error(&self) -> Value {
        self.json()["error"].clone()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    /// Returns the data of the events, after a check that each has its own name.
    pub fn events(&self) -> Vec<String> {
        events(&self.text)
    }
}

pub fn events(text: &str) -> Vec<String> {
    let blocks = text.split_terminator("\n\n").filter(|block| !block.starts_with(':'));
    blocks
        .map(|block| {
            let (name, data) = block.split_once("\ndata: ").unwrap_or_else(|| panic!("no event: {block}"));
            // A value could not hold everything that JSON can.
            let event: Typed = serde_json::from_str(data).expect("JSON with a type");
            assert_eq!(name, format!("event: {}", event.r#type));
            data.to_owned()
        })
        .collect()
}

#[derive(Deserialize)]
struct Typed {
    r#type: String,
}

pub fn prompt(input: &str, stream: bool) -> Value {
    json!({"model": "gpt-6.1-sol", "input": input, "stream": stream})
}

pub fn client() -> reqwest::Client {
    // An error means that a provider is already installed.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().no_proxy().pool_idle_timeout(Duration::from_secs(5)).build().expect("a client")
}

pub fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("small")).expect("not 0");
    rustix::process::kill_process(pid, signal).expect("our own child");
}

/// A backend with ada and bob.
pub fn two_accounts() -> TestEnv {
    TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")])
}
