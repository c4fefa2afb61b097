//! The simulator over real sockets: a client sees what its rows promise, and its log is true.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use multicodex::sim::{
    After, Behaviour, Break, FaultKind, Framing, Issue, LoggedRequest, Newline, ROWS, RequestEnd, Route,
    Rule, SimAccount, SimLogin, Spoken, StreamPlan,
};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::sim::bench::{Bench, BodyEnd, body, kinds, read};

#[tokio::test]
async fn every_row_does_what_it_says() {
    let bench = Bench::new().await;
    for row in ROWS {
        let behaviour = row.behaviour().unwrap();
        let route = match &behaviour {
            // Of the token endpoint, and of WebSockets.
            Behaviour::Lost(_) | Behaviour::Issue(_) | Behaviour::Close(_) => continue,
            _ => Route::Responses,
        };
        bench.handle.add_rule(Rule::next(1, behaviour.clone()).of("ada").on(route));
        let answer = bench.ask(&bench.ada).send().await.unwrap();
        let status = answer.status().as_u16();
        match behaviour {
            Behaviour::Answer(expected) => {
                assert_eq!(status, expected.status, "{}", row.name);
                assert_eq!(
                    read(answer).await != BodyEnd::Whole(String::new()),
                    !expected.body.is_null(),
                    "{}",
                    row.name
                );
            }
            Behaviour::Stream(plan) => {
                assert_eq!(status, 200, "{}", row.name);
                let breaks = plan.fault.map(|fault| fault.what);
                match (breaks, read(answer).await) {
                    (
                        Some(FaultKind::Break(Break::Hang) | FaultKind::OnlyCommentsEachMs(_)),
                        BodyEnd::Silent(_),
                    )
                    | (
                        Some(FaultKind::Break(Break::Cut | Break::Reset) | FaultKind::Close(_)),
                        BodyEnd::Broken(_),
                    ) => {}
                    (Some(FaultKind::Close(code)), end) => panic!("{}: {code} ended {end:?}", row.name),
                    (Some(FaultKind::Break(how)), end) => panic!("{}: {how:?} ended {end:?}", row.name),
                    (_, end) => assert!(matches!(end, BodyEnd::Whole(_)), "{}: {end:?}", row.name),
                }
            }
            other => panic!("{}: {other:?}", row.name),
        }
    }
}

#[tokio::test]
async fn faults_come_where_they_are_put() {
    let bench = Bench::new().await;
    let preamble = ["response.created", "response.in_progress"];
    let output = ["response.output_item.added", "response.content_part.added", "response.output_text.delta"];
    for (name, expected) in [
        ("cut_after_headers", [].to_vec()),
        ("cut_after_preamble", preamble.to_vec()),
        ("stream_usage_limit", [&preamble[..], &["response.failed"]].concat()),
        ("stream_usage_limit_first", ["error"].to_vec()),
        (
            "not_json",
            [&preamble[..], &output, &["response.output_text.delta"; 2], &["this is {not JSON"]].concat(),
        ),
    ] {
        bench.handle.set_behaviour("ada", Behaviour::row(name).unwrap());
        let end = read(bench.ask(&bench.ada).send().await.unwrap()).await;
        let (BodyEnd::Whole(text) | BodyEnd::Broken(text) | BodyEnd::Silent(text)) = end;
        assert_eq!(kinds(&text)[..expected.len()], expected, "{name}");
        assert_eq!(name == "not_json", kinds(&text).len() > expected.len(), "{name}");
    }
}

#[tokio::test]
async fn every_framing_tells_the_same_events() {
    let bench = Bench::with(Client::builder().gzip(true)).await;
    let plain = read(bench.ask(&bench.ada).send().await.unwrap()).await;
    let BodyEnd::Whole(plain) = plain else { panic!("{plain:?}") };
    assert_eq!(kinds(&plain).len(), 2 + 2 + 8 + 4, "{plain}");
    let joined = |text: &str| text.replace('\r', "\n").replace("{\ndata: ", "{").replace("\ndata: }", "}");
    for framing in [
        Framing { gzip: true, ..Framing::default() },
        Framing { split_bytes: Some(1), ..Framing::default() },
        Framing { newline: Newline::Cr, comments: true, ..Framing::default() },
        Framing { wrapped_data: true, event_line: false, last_blank_line: false, ..Framing::default() },
    ] {
        let plan = StreamPlan { framing: framing.clone(), ..StreamPlan::default() };
        bench.handle.set_behaviour("ada", Behaviour::Stream(plan));
        match read(bench.ask(&bench.ada).send().await.unwrap()).await {
            BodyEnd::Whole(text) => assert_eq!(kinds(&joined(&text)), kinds(&plain), "{framing:?}\n{text}"),
            end => panic!("{framing:?}: {end:?}"),
        }
    }
}

#[tokio::test]
async fn requests_are_checked_as_upstream_checks_them() {
    let bench = Bench::new().await;
    let expired = bench.handle.add_account(SimAccount::named("old").with_first_token_for(-60));
    let code = async |request: RequestBuilder| {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        (status, body["error"]["code"].as_str().or(body["detail"].as_str()).unwrap().to_owned())
    };
    let stored = json!({ "model": "m", "store": true, "stream": true }).to_string();
    let elsewhere = bench.ask(&bench.ada).header("chatgpt-account-id", "ws-bob");
    for (request, expected) in [
        (bench.ask(&expired), (401, "token_expired")),
        (bench.ask(&bench.ada).bearer_auth("access-1"), (401, "token_invalidated")),
        (bench.ask(&bench.ada).body(stored), (400, "Store must be set to false")),
        (bench.ask(&bench.ada).body("{"), (400, "The body is not a JSON object")),
        (elsewhere, (403, "The chatgpt-account-id header names another workspace than the token")),
    ] {
        let (status, code) = code(request).await;
        assert_eq!((status, code.as_str()), expected);
    }
    bench.handle.revoke_access("ada");
    assert_eq!(code(bench.ask(&bench.ada)).await, (401, "token_invalidated".to_owned()));
}

#[tokio::test]
async fn a_compressed_request_is_logged_as_text() {
    let bench = Bench::new().await;
    let plain = body().to_string();
    let packed = zstd::encode_all(plain.as_bytes(), 3).unwrap();
    let request = bench.ask(&bench.ada).header("content-encoding", "zstd").body(packed);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let logged = bench.logged(|logged| logged.end == RequestEnd::Answered).await;
    assert_eq!((logged.body, logged.status, logged.n), (plain, Some(200), 1));
    assert_eq!(
        (logged.account.as_deref(), logged.path.as_str()),
        (Some("ada"), "/backend-api/codex/responses")
    );
    assert_eq!(logged.headers["chatgpt-account-id"], "ws-ada");
}

#[tokio::test]
async fn a_client_that_goes_away_is_seen() {
    let bench = Bench::new().await;
    for (name, n) in [("hang", 1), ("hang_after_preamble", 2), ("trickle", 3)] {
        let behaviour = Behaviour::row(name).unwrap_or(Behaviour::Hang);
        bench.handle.set_behaviour("ada", behaviour);
        let request = timeout(Duration::from_millis(100), async {
            let _stays_open = bench.ask(&bench.ada).send().await.unwrap();
            std::future::pending::<()>().await
        });
        assert!(request.await.is_err());
        let logged = bench.logged(|logged| logged.n == n && logged.end != RequestEnd::Open).await;
        assert_eq!(
            (logged.end, logged.status),
            (RequestEnd::Aborted, (name != "hang").then_some(200)),
            "{name}"
        );
    }
}

#[tokio::test]
async fn refresh_tokens_are_refreshed_once() {
    let bench = Bench::new().await;
    let (status, issued) = bench.refresh(&bench.ada.refresh_token).await;
    assert_eq!((status.as_u16(), issued["expires_in"].as_i64()), (200, Some(864_000)));
    let newer =
        SimLogin { access_token: issued["access_token"].as_str().unwrap().to_owned(), ..bench.ada.clone() };
    assert_eq!(bench.ask(&newer).send().await.unwrap().status(), 200);

    let (status, refused) = bench.refresh(&bench.ada.refresh_token).await;
    assert_eq!((status.as_u16(), &refused["error"]["code"]), (401, &json!("refresh_token_reused")));
    assert_eq!((bench.handle.refreshes("ada"), bench.handle.reused(), bench.handle.posts("ada")), (2, 1, 1));
    assert_eq!(bench.refresh("rt_sim_unknown").await.1["error"], "invalid_grant");

    // As a form, with the refresh token kept.
    let kept = Issue { omit: vec!["refresh_token".to_owned()], ..Issue::default() };
    bench.handle.add_rule(Rule::next(1, Behaviour::Issue(kept)).on(Route::Token));
    let refresh = issued["refresh_token"].as_str().unwrap();
    let form = format!("grant_type=refresh_token&refresh_token={refresh}&client_id=c");
    let answer = bench
        .client
        .post(format!("{}/oauth/token", bench.sim.auth_url()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .unwrap();
    let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!((answer.get("refresh_token"), answer["access_token"].is_string()), (None, true));
    assert_eq!(bench.refresh(refresh).await.0, 200);
}

#[tokio::test]
async fn a_lost_answer_costs_the_refresh_token() {
    let bench = Bench::new().await;
    bench.handle.add_rule(Rule::next(1, Behaviour::row("token_lost").unwrap()).of("ada").on(Route::Token));
    let url = format!("{}/oauth/token", bench.sim.auth_url());
    let body = json!({ "grant_type": "refresh_token", "refresh_token": bench.ada.refresh_token }).to_string();
    let lost = bench.client.post(url).header("content-type", "application/json").body(body).send().await;
    assert!(lost.is_err(), "{lost:?}");
    assert_eq!(bench.refresh(&bench.ada.refresh_token).await.1["error"]["code"], "refresh_token_reused");
    assert_eq!(bench.handle.log()[0].end, RequestEnd::Broken);
}

#[tokio::test]
async fn nothing_is_done_for_a_refresh_that_is_cut() {
    let bench = Bench::new().await;
    for how in [Behaviour::Cut, Behaviour::Reset] {
        bench.handle.add_rule(Rule::next(1, how).of("ada").on(Route::Token));
        let url = format!("{}/oauth/token", bench.sim.auth_url());
        let body =
            json!({ "grant_type": "refresh_token", "refresh_token": bench.ada.refresh_token }).to_string();
        let request = bench.client.post(url).header("content-type", "application/json").body(body);
        assert!(request.send().await.is_err());
    }
    assert_eq!(bench.refresh(&bench.ada.refresh_token).await.0, 200);
}

#[tokio::test]
async fn usage_is_told_by_the_endpoint_and_in_the_headers() {
    let bench = Bench::new().await;
    bench.handle.add_account(SimAccount::named("bob"));
    let ada = bench.handle.add_account(SimAccount::named("ada").with_weekly_usage(97.5));
    let answer = bench
        .client
        .get(format!("{}/wham/usage", bench.sim.upstream_url()))
        .bearer_auth(&ada.access_token)
        .header("chatgpt-account-id", "ws-ada")
        .send()
        .await
        .unwrap();
    let usage: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let week = &usage["rate_limit"]["secondary_window"];
    assert_eq!((&week["used_percent"], &week["limit_window_seconds"]), (&json!(97.5), &json!(604_800)));
    assert_eq!(usage["rate_limit"]["primary_window"]["used_percent"], json!(12));
    let headers = bench.ask(&ada).send().await.unwrap().headers().clone();
    assert_eq!(headers["x-codex-secondary-used-percent"], "97.5");
    assert_eq!(headers["x-codex-secondary-window-minutes"], "10080");
    assert_eq!(headers["x-codex-secondary-reset-at"].to_str().unwrap(), week["reset_at"].to_string());
}

#[tokio::test]
async fn an_account_that_is_charged_meets_its_limit() {
    let bench = Bench::new().await;
    let mut account = SimAccount::named("ada").with_weekly_usage(90.0);
    account.usage.cost_percent = 6.0;
    let ada = bench.handle.add_account(account);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(bench.ask(&ada).send().await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 429]);
    let refused = bench.ask(&ada).send().await.unwrap();
    assert_eq!(refused.headers()["x-codex-secondary-used-percent"], "100");
    let body: Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    let left = body["error"]["resets_in_seconds"].as_i64().unwrap();
    assert!((565_100..=565_200).contains(&left), "{body}");
}

#[tokio::test]
async fn a_stream_rendered_once_is_the_same_for_all() {
    let bench = Bench::new().await;
    let plan = StreamPlan {
        rendered_once: true,
        spoken: Spoken::Deltas { count: 1000, size: 8 },
        ..StreamPlan::default()
    };
    bench.handle.set_behaviour("ada", Behaviour::Stream(plan));
    let first = read(bench.ask(&bench.ada).send().await.unwrap()).await;
    let BodyEnd::Whole(text) = &first else { panic!("{first:?}") };
    assert_eq!(kinds(text).len(), 1008);
    assert_eq!(read(bench.ask(&bench.ada).send().await.unwrap()).await, first);
}

#[tokio::test]
async fn it_speaks_http2_with_prior_knowledge() {
    let bench = Bench::with(Client::builder().http2_prior_knowledge()).await;
    let answer = bench.ask(&bench.ada).send().await.unwrap();
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    assert!(matches!(read(answer).await, BodyEnd::Whole(text) if kinds(&text).len() > 10));
    bench.handle.set_behaviour(
        "ada",
        Behaviour::Stream(
            StreamPlan::deltas(9, 4).with_fault(After::Output(5), FaultKind::Break(Break::Cut)),
        ),
    );
    assert!(matches!(read(bench.ask(&bench.ada).send().await.unwrap()).await, BodyEnd::Broken(_)));
}

#[tokio::test]
async fn the_admin_endpoint_is_the_handle() {
    let bench = Bench::new().await;
    let (status, bob) = bench.admin("account", &json!({ "name": "bob", "plan": "team" })).await;
    assert_eq!((status.as_u16(), &bob["account"]["plan"]), (200, &json!("team")));
    let rule = json!({ "account": "ada", "when": { "nth": 2 }, "behaviour": "overloaded" });
    assert_eq!(bench.admin("behaviour", &rule).await.0, 200);
    assert_eq!(bench.ask(&bench.ada).send().await.unwrap().status(), 200);
    assert_eq!(bench.ask(&bench.ada).send().await.unwrap().status(), 503);
    assert_eq!(bench.admin("revoke_access", &json!({ "account": "ada" })).await.0, 200);
    assert_eq!(bench.ask(&bench.ada).send().await.unwrap().status(), 401);
    let log = bench.client.get(format!("{}/__sim/log", bench.sim.auth_url())).send().await.unwrap();
    let log: Vec<LoggedRequest> = serde_json::from_str(&log.text().await.unwrap()).unwrap();
    assert_eq!(log.iter().map(|logged| logged.status).collect::<Vec<_>>(), [Some(200), Some(503), Some(401)]);
    assert_eq!(bench.admin("reset", &json!({})).await.0, 200);
    assert_eq!(bench.handle.log(), []);
    for (what, body) in [
        ("account", json!({ "plan": "team" })),
        ("behaviour", json!({ "behaviour": "no such row" })),
        ("behaviour", json!({ "account": "nobody", "behaviour": "overloaded" })),
        ("usage", json!({ "account": "nobody", "usage": {} })),
        ("nonsense", json!({})),
    ] {
        assert_eq!(bench.admin(what, &body).await.0, 400, "{what}");
    }
}
