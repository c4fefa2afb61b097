//! The client against a raw loopback server that controls every byte and pause.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::upstream::headers::{Originator, request_headers};
use crate::upstream::{PreparedBody, StreamFault};

mod bodies;

const IDLE: Duration = Duration::from_secs(20);
const DELTA: &str = r#"{"type":"response.output_text.delta","delta":"ü"}"#;
const COMPLETED: &str = r#"{"type":"response.completed","response":{"id":"r"}}"#;

#[derive(Clone)]
enum Step {
    Send(Vec<u8>),
    Pause(Duration),
    /// Leave the connection open and silent.
    Hold,
    Close,
}

struct Request {
    head: String,
    body: Vec<u8>,
    /// Counts connections from 0.
    connection: usize,
}

struct Server {
    upstream: Upstream,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers the n-th request with the n-th script.
    async fn start(scripts: Vec<Vec<Step>>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/backend-api", listener.local_addr().unwrap()).parse().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let scripts = Arc::new(scripts);
        tokio::spawn(async move {
            for connection in 0.. {
                let (socket, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(socket, connection, Arc::clone(&seen), Arc::clone(&scripts)));
            }
        });
        Server { upstream: Upstream::new(HttpClient::new(), base), requests }
    }

    async fn respond(&self, body: &str) -> Result<Answer, Failure> {
        let body = PreparedBody {
            model: "m".into(),
            cache_key: None,
            json: Bytes::copy_from_slice(body.as_bytes()),
        };
        let headers = request_headers(Originator::default(), Some("s-1"), [("x-codex-turn-state", "t")]);
        let request = ResponsesRequest::new(&body, headers.unwrap());
        let token = Secret::new("access-1");
        self.upstream.responses(&Bearer { token: &token, workspace_id: Some("ws-1") }, &request).await
    }

    async fn events(&self, idle: Duration) -> (Vec<String>, Option<StreamFault>) {
        let Ok(Answer::Stream { mut events, .. }) = self.respond("{}").await else { panic!("no stream") };
        let mut seen = Vec::new();
        loop {
            match events.next(idle).await {
                Ok(Some(event)) => seen.push(str::from_utf8(event.json()).unwrap().to_owned()),
                Ok(None) => return (seen, None),
                Err(fault) => {
                    assert!(events.next(idle).await.unwrap().is_none(), "a fault is the end");
                    return (seen, Some(fault));
                }
            }
        }
    }
}

async fn serve(
    mut socket: TcpStream,
    connection: usize,
    requests: Arc<Mutex<Vec<Request>>>,
    scripts: Arc<Vec<Vec<Step>>>,
) {
    while let Some((head, body)) = read_request(&mut socket).await {
        let index = {
            let mut requests = requests.lock().unwrap();
            requests.push(Request { head, body, connection });
            requests.len() - 1
        };
        for step in &scripts[index] {
            match step {
                Step::Send(bytes) => {
                    if socket.write_all(bytes).await.is_err() {
                        return;
                    }
                }
                Step::Pause(pause) => tokio::time::sleep(*pause).await,
                Step::Hold => std::future::pending().await,
                Step::Close => return,
            }
        }
    }
}

async fn read_request(socket: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = memchr::memmem::find(&read, b"\r\n\r\n") {
            break end;
        }
        if socket.read_buf(&mut read).await.unwrap_or(0) == 0 {
            return None;
        }
    };
    let head = String::from_utf8(read[..end].to_vec()).unwrap();
    let mut body = read[end + 4..].to_vec();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    while body.len() < length {
        socket.read_buf(&mut body).await.unwrap();
    }
    Some((head, body))
}

fn send(text: impl AsRef<[u8]>) -> Step {
    Step::Send(text.as_ref().to_vec())
}

fn head(status: &str, more: &str) -> Step {
    send(format!("HTTP/1.1 {status}\r\n{more}\r\n"))
}

const SSE: &str = "content-type: text/event-stream\r\nconnection: close\r\n";

fn whole(status: &str, more: &str, body: &str) -> Vec<Step> {
    vec![head(status, &format!("content-length: {}\r\n{more}", body.len())), send(body)]
}

#[tokio::test]
async fn a_request_goes_out_as_upstream_expects_it() {
    let server = Server::start(vec![whole("200 OK", SSE, ""), whole("200 OK", SSE, "")]).await;
    server.respond(r#"{"model":"m"}"#).await.unwrap();
    let large = format!(r#"{{"model":"m","input":"{}"}}"#, "ü".repeat(5000));
    server.respond(&large).await.unwrap();

    let requests = server.requests.lock().unwrap();
    let mut lines: Vec<_> = requests[0].head.lines().collect();
    assert_eq!(lines.remove(0), "POST /backend-api/codex/responses HTTP/1.1");
    lines.retain(|line| !line.starts_with("host: "));
    lines.sort();
    let agent = crate::http::user_agent("multicodex", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        lines,
        [
            "accept-encoding: identity",
            "accept: text/event-stream",
            "authorization: Bearer access-1",
            "chatgpt-account-id: ws-1",
            "content-length: 13",
            "content-type: application/json",
            "openai-beta: responses=experimental",
            "originator: multicodex",
            "session-id: s-1",
            &format!("user-agent: {agent}"),
            "x-client-request-id: s-1",
            "x-codex-turn-state: t",
        ]
    );
    assert_eq!(requests[0].body, br#"{"model":"m"}"#);
    assert!(requests[1].head.contains("\r\ncontent-encoding: zstd"), "{}", requests[1].head);
    assert!(requests[1].body.len() < 1000);
    assert_eq!(zstd::bulk::decompress(&requests[1].body, 20_000).unwrap(), large.as_bytes());
}

#[tokio::test]
async fn events_survive_every_cut_of_their_bytes() {
    let stream =
        format!(": hello\r\n\r\nevent: x\r\ndata: {DELTA}\r\n\r\ndata: {COMPLETED}\n\ndata: [DONE]\n\n");
    let mut scripts = Vec::new();
    for size in [1, 3, 50, stream.len()] {
        let mut script = vec![head("200 OK", SSE)];
        script.extend(stream.as_bytes().chunks(size).map(send));
        script.push(Step::Close);
        scripts.push(script);
    }
    let rounds = scripts.len();
    let server = Server::start(scripts).await;
    for _ in 0..rounds {
        assert_eq!(server.events(IDLE).await, (vec![DELTA.to_owned(), COMPLETED.to_owned()], None));
    }
}

#[tokio::test]
async fn an_ended_stream_gives_its_connection_back() {
    let stream = format!("data: {COMPLETED}\n\n");
    let kept = "content-type: text/event-stream\r\n";
    let server = Server::start(vec![whole("200 OK", kept, &stream), whole("200 OK", kept, &stream)]).await;
    for _ in 0..2 {
        assert_eq!(server.events(IDLE).await, (vec![COMPLETED.to_owned()], None));
    }
    let requests = server.requests.lock().unwrap();
    assert_eq!(requests.iter().map(|request| request.connection).collect::<Vec<_>>(), [0, 0]);
}

#[tokio::test]
async fn how_a_stream_ends_is_told() {
    let chunked = format!("{SSE}transfer-encoding: chunked\r\n");
    let chunk = |text: &str| send(format!("{:x}\r\n{text}\r\n", text.len()));
    let delta = format!("data: {DELTA}\n\n");
    let check = async |script: Vec<Step>, idle: Duration, events: &[&str], fault: &str| {
        let (seen, found) = Server::start(vec![script]).await.events(idle).await;
        assert_eq!(seen, events);
        let found = found.map_or("none".to_owned(), |fault| format!("{fault:?}"));
        assert!(found.starts_with(fault), "{found} is not {fault}");
    };
    let short = Duration::from_millis(200);
    check(vec![head("200 OK", &chunked), chunk(&delta), Step::Close], IDLE, &[DELTA], "Interrupted").await;
    check(vec![head("200 OK", SSE), send(&delta), Step::Close], IDLE, &[DELTA], "none").await;
    check(vec![head("200 OK", SSE), send("data: {\"type\":"), Step::Close], IDLE, &[], "none").await;
    let unended = format!("data: {COMPLETED}\n");
    check(vec![head("200 OK", SSE), send(&unended), Step::Close], IDLE, &[COMPLETED], "none").await;
    check(vec![head("200 OK", &chunked), chunk(&unended), Step::Close], IDLE, &[COMPLETED], "Interrupted")
        .await;
    check(vec![head("200 OK", SSE), send(&delta), Step::Hold], short, &[DELTA], "Idle").await;
    check(
        vec![head("200 OK", SSE), send(format!("{delta}data: {{oops\n\n{delta}")), Step::Hold],
        IDLE,
        &[DELTA],
        "NotJson",
    )
    .await;
}

#[tokio::test]
async fn comments_are_signs_of_life() {
    let mut script = vec![head("200 OK", SSE)];
    for _ in 0..8 {
        script.extend([Step::Pause(Duration::from_millis(100)), send(": ping\n\n")]);
    }
    script.extend([send(format!("data: {COMPLETED}\n\n")), Step::Close]);
    let server = Server::start(vec![script]).await;
    assert_eq!(server.events(Duration::from_millis(400)).await, (vec![COMPLETED.to_owned()], None));
}

#[tokio::test]
async fn a_whole_response_stands_for_a_stream() {
    let json = "content-type: application/json; charset=utf-8\r\n";
    let server = Server::start(vec![
        whole("200 OK", json, r#"{"id":"r","status":"completed"}"#),
        whole("200 OK", json, "{"),
        whole("200 OK", "content-type: text/html\r\n", "<html>Just a moment...</html>"),
    ])
    .await;
    let (events, fault) = server.events(IDLE).await;
    assert_eq!(events, [r#"{"type":"response.completed","response":{"id":"r","status":"completed"}}"#]);
    assert_eq!(fault, None);
    for expected in [FailureKind::UpstreamProtocol, FailureKind::Challenge] {
        let Ok(Answer::Refused { failure, .. }) = server.respond("{}").await else { panic!("not refused") };
        assert_eq!(failure.kind, expected);
    }
}

#[tokio::test]
async fn a_refusal_comes_with_its_body_and_headers() {
    let long = "x".repeat(MAX_SHOWN_BYTES + 1);
    let server = Server::start(vec![
        whole(
            "429 Too Many Requests",
            "X-Codex-Primary-Used-Percent: 100\r\nX-Codex-Primary-Window-Minutes: 300\r\nRetry-After: 7\r\n",
            r#"{"error":{"type":"usage_limit_reached","message":"no more for access-1"}}"#,
        ),
        whole("500 Oops", "", &long),
        vec![head("401 Unauthorized", "content-length: 100\r\n"), send("{\"det"), Step::Close],
        whole("302 Found", "location: /elsewhere\r\n", ""),
    ])
    .await;
    let refused = async || match server.respond("{}").await {
        Ok(Answer::Refused { failure, status, headers, body, truncated }) => {
            (failure, status, headers, body, truncated)
        }
        other => panic!("{other:?}"),
    };

    let (failure, status, headers, body, truncated) = refused().await;
    assert_eq!((failure.kind, status, truncated), (FailureKind::UsageLimit, 429, false));
    assert_eq!(failure.retry_after, Some(Duration::from_secs(7)));
    assert_eq!(failure.message, "no more for [redacted]");
    assert_eq!(body, r#"{"error":{"type":"usage_limit_reached","message":"no more for [redacted]"}}"#);
    assert_eq!(headers.get("retry-after"), Some("7"));
    assert_eq!(headers.get("x-codex-primary-used-percent"), Some("100"));
    assert_eq!(headers.usage.unwrap().windows[0].used_percent, 100.0);

    let (failure, _, _, body, truncated) = refused().await;
    assert_eq!((failure.kind, body.len(), truncated), (FailureKind::ServerError, MAX_SHOWN_BYTES, true));
    let (failure, _, _, body, truncated) = refused().await;
    assert_eq!((failure.kind, body.as_str(), truncated), (FailureKind::Unauthorized, "{\"det", true));
    let (failure, status, ..) = refused().await;
    assert_eq!((failure.kind, status), (FailureKind::Challenge, 302));
    assert_eq!(server.requests.lock().unwrap().len(), 4, "nothing is tried again or elsewhere");
}

#[tokio::test]
async fn without_an_answer_it_is_the_network() {
    let server = Server::start(vec![vec![Step::Close]]).await;
    let failure = server.respond("{}").await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.source, failure.status),
        (FailureKind::Network, Source::Transport, None)
    );

    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", taken.local_addr().unwrap()).parse().unwrap();
    drop(taken);
    let token = Secret::new("access-1");
    let bearer = Bearer { token: &token, workspace_id: None };
    let failure = Upstream::new(HttpClient::new(), base).usage(&bearer, false).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Network);
    assert!(failure.message.contains("refused"), "{}", failure.message);
}

#[tokio::test]
async fn a_token_that_fits_no_header_is_not_sent() {
    let server = Server::start(vec![]).await;
    let token = Secret::new("access\n1");
    let failure =
        server.upstream.usage(&Bearer { token: &token, workspace_id: None }, false).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unauthorized);
    assert!(server.requests.lock().unwrap().is_empty());
}

#[test]
fn headers_do_not_show_the_token() {
    let token = Secret::new("access-1");
    let mut headers = HeaderMap::new();
    Bearer { token: &token, workspace_id: Some("ws-1") }.put_into(&mut headers).unwrap();
    let shown = format!("{headers:?}");
    assert!(shown.contains("ws-1") && !shown.contains("access-1"), "{shown}");
}

#[tokio::test]
async fn usage_is_asked_for_and_read() {
    const USAGE: &str = r#"{"plan_type":"plus","rate_limit":{"primary_window":{"used_percent":5,"limit_window_seconds":18000}}}"#;
    // USAGE, gzipped with Python's gzip.
    let gzipped = include_bytes!("tests/usage.json.gz");
    let gzip = format!("content-encoding: gzip\r\ncontent-length: {}\r\n", gzipped.len());
    let server = Server::start(vec![
        whole("200 OK", "content-type: application/json\r\n", USAGE),
        vec![head("200 OK", &gzip), send(gzipped)],
        whole("200 OK", "", "[]"),
        whole("401 Unauthorized", "", r#"{"error":{"code":"token_expired"}}"#),
        whole("402 Payment Required", "", r#"{"detail":{"code":"deactivated_workspace"}}"#),
        whole("403 Forbidden", "content-type: text/html\r\n", "<html>Cloudflare</html>"),
        whole("503 Service Unavailable", "", ""),
    ])
    .await;
    let token = Secret::new("access-1");
    let usage = async || {
        server.upstream.usage(&Bearer { token: &token, workspace_id: Some("ws-1") }, true).await.map(
            |reading| {
                let minutes: Vec<_> = reading.windows.iter().map(|window| window.window_minutes).collect();
                assert!(reading.requested_at <= reading.fetched_at);
                (reading.plan.unwrap(), minutes)
            },
        )
    };
    let expected = ("plus".to_owned(), vec![300]);
    assert_eq!(usage().await.unwrap(), expected);
    assert_eq!(usage().await.unwrap(), expected);
    for kind in [
        FailureKind::UpstreamProtocol,
        FailureKind::Unauthorized,
        FailureKind::Deactivated,
        FailureKind::Challenge,
        FailureKind::Overloaded,
    ] {
        let failure = usage().await.unwrap_err();
        assert_eq!((failure.kind, failure.source), (kind, Source::UsageEndpoint));
    }
    let requests = server.requests.lock().unwrap();
    assert!(requests[0].head.starts_with("GET /backend-api/wham/usage HTTP/1.1\r\n"));
    for line in [
        "authorization: Bearer access-1",
        "chatgpt-account-id: ws-1",
        "accept: application/json",
        "accept-encoding: gzip",
        "x-openai-codex-luna-reserve: 1",
    ] {
        assert!(requests[0].head.contains(line), "{line} is not in {}", requests[0].head);
    }
}
