//! Answers whose bodies are compressed, long or late, from a raw loopback server to the real binary.

use std::time::Duration;

use multicodex::sim::SimAccount;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::network::{collect, command};
use crate::env::{Sidecar, TestEnv};

const USED_UP: &str = r#"{"error":{"type":"usage_limit_reached","message":"used up"}}"#;

/// What the server does after the body.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Close,
    Stall,
}

/// Answers every completion with these bytes. Returns its origin.
async fn serve(status: &str, headers: &str, body: Vec<u8>, then: Then) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
    let origin = format!("http://{}", listener.local_addr().expect("it is bound"));
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n").into_bytes();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = [head.clone(), body.clone()].concat();
            tokio::spawn(async move { answer_one(stream, &answer, then).await });
        }
    });
    origin
}

async fn answer_one(mut stream: TcpStream, answer: &[u8], then: Then) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    stream.write_all(answer).await?;
    if then == Then::Stall {
        // Until the sidecar has read enough.
        while stream.read(&mut [0; 1024]).await? > 0 {}
    }
    stream.shutdown().await?;
    while stream.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

/// Returns the kind and status of ada's failure.
async fn refused_as(status: &str, headers: &str, body: Vec<u8>, then: Then) -> (String, u64) {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let origin = serve(status, headers, body, then).await;
    let sidecar = Sidecar::start(command(&env, &origin)).await;
    let refused = collect(&sidecar.client).await.expect_err("it is a refusal");
    let reason = sidecar.account("ada").await.reason.expect("a reason");
    sidecar.end().await;
    (reason.kind, refused.data["status"].as_u64().unwrap_or_default())
}

#[tokio::test]
async fn compressed_refusals_are_understood() {
    let gzip = include_bytes!("../../../src/upstream/client/tests/refusal.json.gz").to_vec();
    let deflate = include_bytes!("../../../src/upstream/client/tests/refusal.json.deflate").to_vec();
    let brotli = include_bytes!("../../../src/upstream/client/tests/refusal.json.br").to_vec();
    let zstd = zstd::bulk::compress(USED_UP.as_bytes(), 3).expect("it compresses");
    for (encoding, body) in [("gzip", gzip), ("deflate", deflate), ("br", brotli), ("zstd", zstd)] {
        let headers = format!("content-encoding: {encoding}\r\n");
        let refused = refused_as("400 Bad Request", &headers, body, Then::Close).await;
        assert_eq!(refused, ("usage_limit".to_owned(), 400), "{encoding}");
    }
}

#[tokio::test]
async fn codes_behind_a_long_quotation_are_found() {
    for kibibytes in [65, 300, 1000] {
        let quoted = "x".repeat(kibibytes << 10);
        let body = json!({"a": quoted, "error": {"code": "usage_limit_reached"}}).to_string();
        let refused = refused_as("400 Bad Request", "", body.into_bytes(), Then::Close).await;
        assert_eq!(refused, ("usage_limit".to_owned(), 400), "{kibibytes}");
    }
}

#[tokio::test]
async fn stalled_refusals_are_understood_by_status_and_headers() {
    let check = async |status: &str, headers: &str, kind: &str| {
        let headers = format!("content-length: 1000\r\n{headers}");
        let refused = refused_as(status, &headers, b"{\"err".to_vec(), Then::Stall);
        let (found, _) = tokio::time::timeout(Duration::from_secs(15), refused).await.expect("in time");
        assert_eq!(found, kind, "{status} {headers}");
    };
    tokio::join!(
        check("429 Too Many Requests", "x-codex-primary-used-percent: 100\r\n", "usage_limit"),
        check("429 Too Many Requests", "retry-after: 30\r\n", "rate_limit"),
        check("402 Payment Required", "", "credits"),
    );
}
