//! One client and its sidecar: it sends various requests, cancels some, and sometimes the sidecar is killed.

use std::sync::Arc;
use std::time::Duration;

use jsonrpsee::core::client::{Error, SubscriptionKind};
use jsonrpsee::types::SubscriptionId;
use multicodex::protocol::{
    Accounts, AccountsParams, AccountsToken, CancelComplete, CompleteCancel, CompleteCollect, CompleteParams,
    Method, NoParams, Refresh, RefreshParams, ShowPaths, TokenParams,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::gauge::Gauge;
use super::tally::Tally;
use super::{Day, LASTING, NAMES};
use crate::env::{Sidecar, TestEnv, email};

/// Nothing takes longer unless it was forgotten: an idle upstream is given up after a second, and six accounts may be
/// tried twice.
const DEADLINE: Duration = Duration::from_secs(60);

struct Visit {
    sidecar: Sidecar,
    random: fastrand::Rng,
    tally: Arc<Tally>,
}

pub async fn live(day: Day, index: usize, env: Arc<TestEnv>, tally: Arc<Tally>, gauge: Arc<Gauge>) {
    let random = day.random(100 + index as u64);
    let mut visit = Visit { sidecar: env.sidecar().await, random, tally };
    let mut leaves_at = visit.leaves_at(day);
    let mut looked = 0;
    while !day.is_over() {
        let left = day.ends.duration_since(Instant::now()).as_secs();
        if index < LASTING && looked != left {
            looked = left;
            gauge.look(index, visit.sidecar.client.process_id().expect("it runs"));
        }
        visit.ask_something().await;
        if index >= LASTING && Instant::now() >= leaves_at {
            leaves_at = visit.leaves_at(day);
            if visit.random.u8(..4) == 0 {
                visit.tally.restarted();
                visit.sidecar.end().await;
                visit.sidecar = env.sidecar().await;
            } else {
                visit = visit.killed(&env).await;
            }
        }
        sleep(Duration::from_millis(visit.random.u64(..40))).await;
    }
    visit.sidecar.end().await;
}

impl Visit {
    /// When this client leaves and another one comes.
    fn leaves_at(&mut self, day: Day) -> Instant {
        let longest = (day.seconds * 1000 / 4).min(20_000);
        Instant::now() + Duration::from_millis(self.random.u64(longest / 8..longest))
    }

    async fn ask_something(&mut self) {
        let name = NAMES[self.random.usize(..NAMES.len())];
        match self.random.u8(..100) {
            0..60 => self.complete(None).await,
            60..72 => {
                let after = self.random.u32(..8);
                self.complete(Some(after)).await;
            }
            72..78 => {
                let params = self.completion();
                self.request::<CompleteCollect>(&params).await;
            }
            78..88 => self.request::<Accounts>(&AccountsParams::default()).await,
            88..92 => self.request::<ShowPaths>(&NoParams::default()).await,
            92..96 => {
                let params = RefreshParams { account: Some(email(name)), force: None };
                self.request::<Refresh>(&params).await;
            }
            _ => {
                let params = TokenParams { account: Some(email(name)), min_valid_ms: None };
                self.request::<AccountsToken>(&params).await;
            }
        }
    }

    /// There must be an answer, good or bad.
    async fn request<M: Method>(&self, params: &M::Params)
    where
        M::Params: Serialize + Sync,
        M::Result: DeserializeOwned,
    {
        self.tally.asked(M::NAME);
        let answer = timeout(DEADLINE, self.sidecar.client.request::<M>(params)).await;
        match answer.expect(M::NAME) {
            Ok(_) | Err(Error::Call(_)) => self.tally.answered(M::NAME),
            Err(error) => panic!("{}: {error}", M::NAME),
        }
    }

    /// Runs to the terminal notice; cancels after this many notices.
    async fn complete(&mut self, cancel_after: Option<u32>) {
        let params = self.completion();
        self.tally.asked("complete");
        let mut notices = timeout(DEADLINE, self.sidecar.client.complete(&params))
            .await
            .expect("an answer")
            .expect("an id");
        self.tally.answered("complete");
        let mut seen = 0;
        let mut output = false;
        loop {
            if cancel_after == Some(seen) {
                let SubscriptionKind::Subscription(SubscriptionId::Str(subscription)) = notices.kind() else {
                    panic!("{:?}", notices.kind())
                };
                let subscription = subscription.clone().into_owned();
                self.request::<CompleteCancel>(&CancelComplete { subscription }).await;
            }
            let notice =
                timeout(DEADLINE, notices.next()).await.expect("a notice").expect("the sidecar lives");
            let notice: Value = serde_json::from_str(notice.expect("raw JSON").get()).expect("JSON");
            seen += 1;
            match notice["type"].as_str().expect("a type") {
                "rotated" => {
                    assert!(!output, "nothing moves after output");
                    self.tally.rotated();
                }
                "accepted" | "event" => output = true,
                "error" => return self.tally.ended(notice["error"]["kind"].as_str().expect("a kind")),
                end => return self.tally.ended(end),
            }
        }
    }

    fn completion(&mut self) -> CompleteParams {
        let request = json!({"model": "gpt-6.1-sol", "input": [{"role": "user", "content": "Hello"}]});
        CompleteParams {
            request: to_raw_value(&request).expect("JSON"),
            session_id: Some(format!("session-{}", self.random.u8(..20))),
            account: None,
            headers: None,
            deadline_ms: None,
            idle_timeout_ms: Some(1000),
            transport: None,
            allow_reserve: None,
        }
    }

    /// SIGKILL while a completion and a refresh are in progress; the next sidecar continues from there.
    async fn killed(mut self, env: &TestEnv) -> Visit {
        let params = self.completion();
        let name = NAMES[self.random.usize(..NAMES.len())];
        let moment = Duration::from_millis(self.random.u64(..60));
        {
            let completion = self.sidecar.client.complete(&params);
            let renewal = self.sidecar.token(name);
            let both = futures_util::future::join(completion, renewal);
            let _ = timeout(moment, both).await;
        }
        self.tally.killed();
        drop(self.sidecar);
        Visit { sidecar: env.sidecar().await, random: self.random, tally: self.tally }
    }
}
