//! The same requests without a sidecar: the crate's own HTTP client and stream reader, in this thread.

use std::time::Duration;

use http::HeaderMap;
use multicodex::clock;
use multicodex::http::{BaseUrl, HttpClient};
use multicodex::secret::Secret;
use multicodex::upstream::{Answer, Asked, Bearer, EventMeaning, ResponsesRequest, Upstream, prepare};
use serde_json::value::RawValue;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::effort::Fault;
use crate::env::{BODY, BenchEnv};
use crate::sidecar::Streamed;

const IDLE: Duration = Duration::from_secs(30);
const DELTA: &[u8] = br#"{"type":"response.output_text.delta""#;

pub struct Direct {
    runtime: Runtime,
    account: Account,
}

#[derive(Clone)]
struct Account {
    upstream: Upstream,
    token: Secret,
    workspace_id: String,
}

impl Direct {
    pub fn new(env: &BenchEnv) -> Result<Self, Fault> {
        let login = env.logins.first().ok_or("no account")?;
        let base: BaseUrl = env.backend.upstream_url.parse()?;
        let account = Account {
            upstream: Upstream::new(HttpClient::new(), base),
            token: Secret::new(login.access_token.clone()),
            workspace_id: login.account.workspace_id.clone(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Direct { runtime, account })
    }

    pub fn complete(&self) -> Result<Streamed, Fault> {
        self.runtime.block_on(self.account.complete(BODY, Instant::now()))
    }

    /// So many completions at once.
    pub fn complete_at_once(&self, count: usize, body: &str) -> Result<Vec<Streamed>, Fault> {
        self.runtime.block_on(async {
            let mut running = JoinSet::new();
            let begun = Instant::now();
            for _ in 0..count {
                let (account, body) = (self.account.clone(), body.to_owned());
                running.spawn(async move {
                    account.complete(&body, begun).await.map_err(|fault| fault.to_string())
                });
            }
            let mut streamed = Vec::new();
            while let Some(ended) = running.join_next().await {
                streamed.push(ended??);
            }
            Ok(streamed)
        })
    }

    /// A request that meets a limit.
    pub fn refused(&self) -> Result<(), Fault> {
        match self.runtime.block_on(self.account.ask(BODY))? {
            Answer::Refused { .. } => Ok(()),
            Answer::Stream { .. } => Err("not refused".into()),
        }
    }
}

impl Account {
    async fn complete(&self, body: &str, begun: Instant) -> Result<Streamed, Fault> {
        let Answer::Stream { mut events, .. } = self.ask(body).await? else { return Err("refused".into()) };
        let mut streamed = Streamed::default();
        while let Some(event) = events.next(IDLE).await? {
            if streamed.first_delta.is_zero() && event.json().starts_with(DELTA) {
                streamed.first_delta = begun.elapsed();
            }
            streamed.events += 1;
            streamed.bytes += event.json().len();
            let now = clock::now();
            if let EventMeaning::Completed { .. } =
                event.meaning(Asked { requested_at: now, answered_at: now })
            {
                streamed.total = begun.elapsed();
            }
        }
        Ok(streamed)
    }

    async fn ask(&self, body: &str) -> Result<Answer, Fault> {
        let body = prepare(&RawValue::from_string(body.to_owned())?, None)?;
        let request = ResponsesRequest::new(&body, HeaderMap::new());
        let bearer = Bearer { token: &self.token, workspace_id: Some(&self.workspace_id) };
        let answer = self.upstream.responses(&bearer, &request).await;
        answer.map_err(|failure| failure.message.into())
    }
}
