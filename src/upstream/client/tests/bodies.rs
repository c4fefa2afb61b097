//! Bodies that are compressed, long, late, or labelled wrongly.

use super::*;

const USED_UP: &str =
    r#"{"error":{"type":"usage_limit_reached","message":"The usage limit has been reached"}}"#;

/// `USED_UP` as Node's zlib writes it.
const COMPRESSED: [(&str, &[u8]); 3] = [
    ("gzip", include_bytes!("refusal.json.gz")),
    ("deflate", include_bytes!("refusal.json.deflate")),
    ("br", include_bytes!("refusal.json.br")),
];

fn encoded(status: &str, encoding: &str, body: &[u8]) -> Vec<Step> {
    let headers = format!("content-encoding: {encoding}\r\ncontent-length: {}\r\n", body.len());
    vec![head(status, &headers), send(body)]
}

async fn refusal(server: &Server) -> (FailureKind, String, bool) {
    match server.respond("{}").await {
        Ok(Answer::Refused { failure, body, truncated, .. }) => (failure.kind, body, truncated),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn compressed_refusals_are_decoded() {
    let zstd = zstd::bulk::compress(USED_UP.as_bytes(), 3).unwrap();
    let all = COMPRESSED.into_iter().chain([("zstd", zstd.as_slice())]);
    let server = Server::start(all.map(|(name, body)| encoded("429 Oops", name, body)).collect()).await;
    for _ in 0..4 {
        assert_eq!(refusal(&server).await, (FailureKind::UsageLimit, USED_UP.to_owned(), false));
    }
}

#[tokio::test]
async fn compressed_streams_are_decoded() {
    let stream = format!("data: {DELTA}\n\ndata: {COMPLETED}\n\n");
    let zstd = zstd::bulk::compress(stream.as_bytes(), 3).unwrap();
    let mut script = encoded("200 OK", "zstd", &zstd);
    script.push(Step::Close);
    let server = Server::start(vec![script]).await;
    assert_eq!(server.events(IDLE).await, (vec![DELTA.to_owned(), COMPLETED.to_owned()], None));
}

#[tokio::test]
async fn decoded_refusals_are_bounded() {
    // 300 MiB of zeros in about 30 KB: reading stops at the size that is classified.
    let bomb = zstd::bulk::compress(&vec![b' '; 300 << 20], 1).unwrap();
    let server = Server::start(vec![encoded("503 Oops", "zstd", &bomb)]).await;
    let (kind, body, truncated) = refusal(&server).await;
    assert_eq!((kind, body.len(), truncated), (FailureKind::Overloaded, MAX_SHOWN_BYTES, true));
}

#[tokio::test]
async fn bodies_that_cannot_be_decoded_are_classified_by_status_and_headers() {
    let server = Server::start(vec![
        encoded("503 Oops", "zstd", b"not zstd"),
        encoded("401 Oops", "gzip", b"not gzip"),
        encoded("402 Oops", "br", b"\xff\xff\xff"),
    ])
    .await;
    for expected in [FailureKind::Overloaded, FailureKind::Unauthorized, FailureKind::Credits] {
        let (kind, _, truncated) = refusal(&server).await;
        assert_eq!((kind, truncated), (expected, true));
    }
}

#[tokio::test]
async fn refusals_are_classified_from_up_to_a_mebibyte() {
    let after = |filler: usize| {
        format!(r#"{{"request":"{}","error":{{"code":"usage_limit_reached"}}}}"#, "x".repeat(filler))
    };
    let bodies = [after(70 << 10), after(500 << 10), after((1 << 20) - 100), after(1 << 20)];
    let scripts = bodies.iter().map(|body| whole("400 Bad Request", "", body)).collect();
    let server = Server::start(scripts).await;
    for expected in [FailureKind::UsageLimit; 3].into_iter().chain([FailureKind::RequestRejected]) {
        let (kind, body, truncated) = refusal(&server).await;
        assert_eq!((kind, body.len(), truncated), (expected, MAX_SHOWN_BYTES, true));
    }
}

#[tokio::test]
async fn refusals_whose_body_stalls_are_classified_within_five_seconds() {
    let stalled = |status: &str, headers: &str, begin: &str| {
        vec![head(status, &format!("content-length: 1000\r\n{headers}")), send(begin), Step::Hold]
    };
    let began = tokio::time::Instant::now();
    let check = async |script: Vec<Step>, expected: FailureKind| {
        let (kind, _, truncated) = refusal(&Server::start(vec![script]).await).await;
        assert_eq!((kind, truncated), (expected, true));
    };
    tokio::join!(
        check(stalled("429 Oops", "retry-after: 7\r\n", "{\"error\""), FailureKind::RateLimit),
        check(stalled("429 Oops", "x-codex-primary-used-percent: 100\r\n", ""), FailureKind::UsageLimit),
        check(stalled("503 Oops", "", "{"), FailureKind::Overloaded),
    );
    let waited = began.elapsed();
    assert!(waited >= REFUSAL_TIMEOUT && waited < REFUSAL_TIMEOUT + IDLE, "{waited:?}");
}

#[tokio::test]
async fn first_bytes_outweigh_the_content_type() {
    let stream = format!("data: {COMPLETED}\n\n");
    let event = format!("event: response.completed\ndata: {COMPLETED}\n\n");
    let labelled = |label: &str, body: &str| {
        whole("200 OK", &format!("content-type: {label}\r\nconnection: close\r\n"), body)
    };
    let scripts = vec![
        labelled("application/json", &stream),
        labelled("text/html", &event),
        labelled("text/plain", &format!(": hello\n\n{stream}")),
        labelled("application/octet-stream", &format!("\u{feff}id: 1\n{stream}")),
        labelled("application/json", &format!("\r\n\r\nretry: 1\n{stream}")),
    ];
    let rounds = scripts.len();
    let server = Server::start(scripts).await;
    for _ in 0..rounds {
        assert_eq!(server.events(IDLE).await, (vec![COMPLETED.to_owned()], None));
    }
    let json = r#"{"id":"r","status":"completed"}"#;
    let server = Server::start(vec![
        labelled("text/event-stream", json),
        labelled("text/event-stream", "<html>Welcome</html>"),
        labelled("text/event-stream", r#"{"detail":"Unauthorized"}"#),
    ])
    .await;
    assert_eq!(
        server.events(IDLE).await.0,
        [r#"{"type":"response.completed","response":{"id":"r","status":"completed"}}"#]
    );
    for expected in [FailureKind::Challenge, FailureKind::UpstreamProtocol] {
        assert_eq!(refusal(&server).await.0, expected);
    }
}

#[tokio::test]
async fn data_that_is_no_object_is_skipped() {
    let odd = "data: null\n\ndata: 7\n\ndata: [1,{}]\n\ndata: \"error\"\n\ndata: true\n\n";
    let stream = format!("{odd}data: {DELTA}\n\n{odd}data: {COMPLETED}\n\n");
    let server = Server::start(vec![whole("200 OK", SSE, &stream)]).await;
    assert_eq!(server.events(IDLE).await, (vec![DELTA.to_owned(), COMPLETED.to_owned()], None));
}

#[tokio::test]
async fn headers_of_a_200_that_is_no_response_are_read() {
    let json = r#"{"error":{"code":"rate_limit_exceeded","message":"slow"}}"#;
    let server =
        Server::start(vec![whole("200 OK", "retry-after: 9\r\nx-codex-active-limit: codex_b\r\n", json)])
            .await;
    let Ok(Answer::Refused { failure, .. }) = server.respond("{}").await else { panic!("not refused") };
    assert_eq!(
        (failure.kind, failure.retry_after, failure.limit_id.as_deref()),
        (FailureKind::RateLimit, Some(Duration::from_secs(9)), Some("codex_b"))
    );
}
