//! Which requests are accepted: hosts, origins, keys, paths, bodies.

use std::io::{Read, Write};
use std::net::TcpStream;

use flate2::Compression;
use flate2::write::GzEncoder;
use multicodex::sim::{Route, SimAccount};
use reqwest::Method;
use serde_json::{Value, json};

use super::running::{Answer, RunningGateway, prompt, two_accounts};
use crate::env::{DEADLINE, TestEnv};

/// Returns the answer to a raw request with these lines: its status line and headers, and the rest.
fn raw(gateway: &RunningGateway, request: &str) -> String {
    let mut stream = TcpStream::connect(gateway.address()).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn a_page_another_host_or_a_wrong_key_gets_nothing() {
    let env = two_accounts();
    let gateway = RunningGateway::start(&env);
    let key = format!("Authorization: Bearer {}", gateway.key);
    let own = format!("Host: {}", gateway.address());
    let body = prompt("Hello", false).to_string();
    for (headers, expected) in [
        // DNS rebinding: the page's own name was made to point here.
        (vec!["Host: evil.example", &key], "403"),
        (
            vec![
                &*format!("Host: evil.example:{}", gateway.address().rsplit(':').next().expect("a port")),
                &key,
            ],
            "403",
        ),
        (vec!["Host: 0.0.0.0", &key], "403"),
        (vec![&own, "Origin: https://evil.example", &key], "403"),
        (vec![&own, "Origin: null", &key], "403"),
        (vec![&own], "401"),
        (vec![&own, "Authorization: Bearer"], "401"),
        (vec![&own, "Authorization: Bearer mcgw-wrong"], "401"),
        (vec![&own, "x-api-key: mcgw-wrong"], "401"),
        (vec![&own, "Origin: http://localhost:3000", "Authorization: Bearer wrong"], "401"),
    ] {
        for line in
            ["POST /v1/responses", "GET /v1/models", "GET /v1/usage", "OPTIONS /v1/responses", "GET /"]
        {
            let lines = headers.join("\r\n");
            let length = body.len();
            let request = format!(
                "{line} HTTP/1.1\r\n{lines}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            );
            let answer = raw(&gateway, &request);
            assert_eq!(answer.split(' ').nth(1), Some(expected), "{request}\n{answer}");
            let head = answer.to_ascii_lowercase();
            assert!(!head.contains("access-control"), "{answer}");
            assert!(!answer.contains(&gateway.key) && !answer.contains("example.com"), "{answer}");
        }
        let upgrade = format!(
            "GET /v1/responses HTTP/1.1\r\n{}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            headers.join("\r\n")
        );
        let mut stream = TcpStream::connect(gateway.address()).expect("it listens");
        stream.write_all(upgrade.as_bytes()).expect("it reads");
        let mut start = [0; 12];
        stream.read_exact(&mut start).expect("it answers");
        assert_eq!(&start[9..], expected.as_bytes(), "{upgrade}");
    }
    assert!(env.sim().log().is_empty(), "nothing went upstream");
    assert!(gateway.end().success());
}

#[tokio::test]
async fn a_wrong_key_is_refused_before_the_body_is_read() {
    let env = TestEnv::new([]);
    let gateway = RunningGateway::start(&env);
    let head = format!(
        "POST /v1/responses HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer wrong\r\nContent-Length: 1000000\r\n\r\n",
        gateway.address()
    );
    let mut stream = TcpStream::connect(gateway.address()).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut start = [0; 12];
    stream.read_exact(&mut start).expect("it answers without the body");
    assert_eq!(&start, b"HTTP/1.1 401");
}

#[tokio::test]
async fn each_path_of_the_api_is_answered() {
    let env = two_accounts();
    let gateway = RunningGateway::start(&env);
    for path in ["/v1/responses", "/responses", "/backend-api/codex/responses"] {
        let answer = Answer::of(gateway.post(path, prompt("Hello", false).to_string())).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.json()["object"], "response", "{path}");
        let upgrade = gateway.get(path).header("connection", "upgrade").header("upgrade", "websocket");
        assert_eq!(Answer::of(upgrade).await.status, 426, "{path}");
        assert_eq!(Answer::of(gateway.get(path)).await.status, 404, "{path}");
    }
    for (method, path) in [
        (Method::POST, "/v1/chat/completions"),
        (Method::GET, "/v1/nothing"),
        (Method::GET, "/"),
        (Method::DELETE, "/v1/responses"),
    ] {
        let request = gateway.bare(method, path).header("x-api-key", &gateway.key);
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.error()["message"].as_str().expect("text").contains("/v1/responses"), "{path}");
        assert_eq!(answer.error()["type"], "invalid_request_error", "{path}");
    }
    let health = Answer::of(gateway.bare(Method::GET, "/healthz")).await;
    assert_eq!((health.status.as_u16(), &health.json()["status"]), (200, &json!("ok")));
    let usage = Answer::of(gateway.get("/v1/usage")).await.json();
    assert_eq!(usage["accounts"][1]["label"], "bob@example.com");
    assert_eq!(usage["active"], usage["status"]["account"]);
}

#[tokio::test]
async fn models_come_from_an_account_once_in_a_while() {
    let env = two_accounts();
    let gateway = RunningGateway::start(&env);
    let own = Answer::of(gateway.get("/v1/models?client_version=0.171.0").header("version", "0.171.0")).await;
    assert_eq!(own.json()["models"][0]["slug"], "gpt-6.2-sol");
    assert!(own.header("etag").is_some());
    for path in ["/models", "/backend-api/codex/models", "/v1/models"] {
        let again = Answer::of(gateway.get(&format!("{path}?client_version=0.171.0"))).await;
        assert_eq!((again.text.as_str(), again.header("etag")), (own.text.as_str(), own.header("etag")));
    }
    let public = Answer::of(gateway.get("/v1/models")).await.json();
    assert_eq!(public["object"], "list");
    assert_eq!(public["data"][0]["id"], "gpt-6.2-sol");
    assert_eq!(public["data"][0]["context_length"], 500_000);
    let asked: Vec<_> =
        env.sim().log().into_iter().filter(|logged| logged.route == Some(Route::Models)).collect();
    assert_eq!(asked.len(), 1, "one version of Codex, asked once");
    assert_eq!(asked[0].headers["version"], "0.171.0");
}

#[tokio::test]
async fn without_an_account_the_list_of_models_is_empty() {
    let env = TestEnv::new([]);
    let gateway = RunningGateway::start(&env);
    let own = Answer::of(gateway.get("/v1/models?client_version=0.171.0")).await;
    assert_eq!((own.status.as_u16(), own.text.as_str()), (200, r#"{"models":[]}"#));
    let public = Answer::of(gateway.get("/v1/models")).await;
    assert_eq!(public.json(), json!({"object": "list", "data": []}));
}

#[tokio::test]
async fn bodies_come_plain_or_compressed_and_are_bounded_unfolded() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let mut command = env.command(&["gateway", "--port", "0", "--max-message-bytes", "20000"]);
    command.env("MULTICODEX_LOG", "warn");
    let gateway = RunningGateway::spawn(command, &env);
    let text = prompt(&"Hello ".repeat(1000), false).to_string();
    let gzip = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).expect("memory");
        encoder.finish().expect("memory")
    };
    let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 3).expect("memory");
    let too_large = prompt(&"x".repeat(30_000), false).to_string();
    let post = |encoding: &str, body: Vec<u8>| {
        Answer::of(gateway.post("/v1/responses", body).header("content-encoding", encoding))
    };
    for (encoding, body) in
        [("identity", text.clone().into_bytes()), ("zstd", zstd(&text)), ("gzip", gzip(&text))]
    {
        assert_eq!(post(encoding, body).await.status, 200, "{encoding}");
        let sent = env.sim().log().pop().expect("a request").body;
        let sent: Value = serde_json::from_str(&sent).expect("JSON");
        assert_eq!(sent["input"], "Hello ".repeat(1000), "{encoding}");
    }
    for (encoding, body) in
        [("identity", too_large.clone().into_bytes()), ("zstd", zstd(&too_large)), ("gzip", gzip(&too_large))]
    {
        let answer = post(encoding, body).await;
        assert_eq!(answer.status, 413, "{encoding}");
        assert_eq!(answer.error()["code"], "message_too_large", "{encoding}");
    }
    assert_eq!(post("compress", text.clone().into_bytes()).await.status, 415);
    assert_eq!(post("zstd", text.into_bytes()).await.status, 400);
    assert_eq!(env.sim().posts("ada"), 3);
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_named() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let gateway = RunningGateway::start(&env);
    for (body, param) in [
        (json!({"model": "m", "store": true}).to_string(), "store"),
        (json!({"model": "m", "stream": "yes"}).to_string(), "stream"),
        (json!({"input": "Hello"}).to_string(), "model"),
        (json!({"model": 7}).to_string(), "model"),
    ] {
        let answer = Answer::of(gateway.post("/v1/responses", body.clone())).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.error()["param"], param, "{body}");
        assert_eq!(answer.error()["type"], "invalid_request_error", "{body}");
    }
    for body in ["", "{", "[]", "7", "\u{1}"] {
        let answer = Answer::of(gateway.post("/v1/responses", body)).await;
        assert_eq!(answer.status, 400, "{body:?}");
    }
    assert_eq!(Answer::of(gateway.post("/v1/responses", vec![0xff, 0xfe])).await.status, 400);
    assert!(env.sim().log().is_empty(), "nothing went upstream");
}

#[tokio::test]
async fn more_requests_than_may_be_in_flight_are_told_to_wait() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    env.sim().set_behaviour("ada", multicodex::sim::Behaviour::row("hang_after_output").expect("a row"));
    let gateway =
        RunningGateway::spawn(env.command(&["gateway", "--port", "0", "--max-requests", "1"]), &env);
    let mut first = gateway.stream("Hello").send().await.expect("an answer");
    first.chunk().await.expect("it streams").expect("it has begun");
    let second = Answer::of(gateway.stream("Hello")).await;
    assert_eq!((second.status.as_u16(), second.header("retry-after")), (429, Some("1")));
    assert_eq!(second.error()["code"], "overloaded");
    drop(first);
    env.sim().reset();
    crate::env::eventually("there is a place again", async || {
        Answer::of(gateway.stream("Hello")).await.status == 200
    })
    .await;
}
