//! Many streams and many processes at once.

use std::time::Duration;

use futures_util::future::join_all;
use multicodex::sim::{After, Behaviour, Break, FaultKind, SimAccount, Spoken, StreamFault, StreamPlan};
use serde_json::json;
use tokio::time::timeout;

use super::running::{Answer, RunningGateway, prompt};
use crate::env::{TestEnv, eventually, expired};

/// Nothing that is held back is released within this time, unless there is a reason.
const A_WHILE: Duration = Duration::from_secs(3);

#[tokio::test]
async fn preambles_of_all_streams_together_are_bounded_and_the_oldest_go_out() {
    let env = TestEnv::unlogged([SimAccount::named("ada")]);
    let created =
        json!({"type": "response.created", "response": {"id": "r", "filler": "x".repeat(1_000_000)}});
    let output = json!({"type": "response.output_text.delta", "delta": "a"});
    let plan = StreamPlan {
        spoken: Spoken::Events(vec![created.to_string(), output.to_string()]),
        fault: Some(StreamFault { after: After::Preamble, what: FaultKind::Break(Break::Hang) }),
        ..StreamPlan::default()
    };
    env.sim().set_behaviour("ada", Behaviour::Stream(plan));
    let gateway = RunningGateway::start(&env);
    // 72 MB, of which 64 MiB, or 67.1 MB, may be held.
    let asked = (0..72).map(|_| async {
        let request = gateway.stream("Hello").timeout(Duration::from_secs(60)).send();
        timeout(A_WHILE, request).await.is_ok_and(|answer| answer.is_ok_and(|answer| answer.status() == 200))
    });
    let released = join_all(asked).await.into_iter().filter(|released| *released).count();
    assert!((4..=9).contains(&released), "{released} of 72");
}

#[tokio::test]
async fn two_gateways_and_eight_sidecars_refresh_five_expired_tokens_five_times() {
    let names = ["ada", "bob", "cleo", "dan", "eve"];
    let env = TestEnv::new(names.map(expired));
    let gateway = RunningGateway::start(&env);
    let script = "echo ready; read line";
    let mut other = env
        .async_command(&["run", "--", "sh", "-c", script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    let key_file = || {
        let names = std::fs::read_dir(env.state_dir()).into_iter().flatten().flatten();
        names.map(|entry| entry.path()).find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            name.starts_with("gateway-")
        })
    };
    let mut second = None;
    eventually("the second gateway listens", async || {
        let record = key_file().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        let record: serde_json::Value = serde_json::from_slice(&record).unwrap_or_default();
        second = record["url"]
            .as_str()
            .zip(record["key"].as_str())
            .map(|(url, key)| (url.to_owned(), key.to_owned()));
        second.is_some()
    })
    .await;
    let (url, key) = second.expect("an address");
    let sidecars = join_all((0..8).map(|_| env.sidecar())).await;
    let over_stdio = join_all(sidecars.iter().map(|sidecar| sidecar.refresh(None, false)));
    let over_http = join_all((0..10).map(|number| {
        let body = prompt("Hello", false).to_string();
        let request = match number % 2 {
            0 => gateway.post("/v1/responses", body),
            _ => super::running::client().post(format!("{url}/v1/responses")).bearer_auth(&key).body(body),
        };
        Answer::of(request.header("session-id", format!("s-{number}")))
    }));
    let (_, answers) = tokio::join!(over_stdio, over_http);
    for answer in answers {
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let refreshes: usize = names.iter().map(|name| env.sim().refreshes(name)).sum();
    assert_eq!((refreshes, env.sim().reused()), (5, 0));
    for sidecar in sidecars {
        sidecar.end().await;
    }
    drop(other.stdin.take());
    other.wait().await.expect("a child");
}

#[tokio::test]
async fn no_token_is_in_any_answer_of_the_gateway() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let file = env.read_accounts();
    let token = file["accounts"][0]["accessToken"].as_str().expect("a token").to_owned();
    let gateway = RunningGateway::start(&env);
    let quoted = format!("bad bearer {token}");
    let refusal = json!({"error": {"code": "policy", "message": quoted, "type": "invalid_request_error"}});
    let failed = json!({"type": "response.failed", "response": {"error": {"code": "cyber_policy", "message": quoted}}});
    let event = StreamPlan { spoken: Spoken::Events(vec![failed.to_string()]), ..StreamPlan::default() };
    for behaviour in [
        Behaviour::Answer(multicodex::sim::Answer::json(400, refusal.clone())),
        Behaviour::Answer(multicodex::sim::Answer::json(500, refusal)),
        Behaviour::Stream(event),
    ] {
        env.sim().set_behaviour("ada", behaviour);
        for streams in [true, false] {
            let answer =
                Answer::of(gateway.post("/v1/responses", prompt("Hello", streams).to_string())).await;
            let shown = format!("{} {:?}", answer.text, answer.headers);
            assert!(shown.contains("bad bearer"), "the words of upstream are shown: {shown}");
            assert!(!shown.contains(&token) && !shown.contains("eyJ"), "{shown}");
        }
    }
    for path in ["/v1/usage", "/v1/models", "/v1/models?client_version=1.0.0", "/healthz?nonce=n"] {
        let answer = Answer::of(gateway.get(path)).await;
        assert!(
            !answer.text.contains("eyJ") && !answer.text.contains(&gateway.key),
            "{path}: {}",
            answer.text
        );
    }
}
