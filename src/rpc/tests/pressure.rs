//! Many requests, a client that reads slowly, and one that does not read.

use super::*;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test]
async fn every_pipelined_request_is_answered_though_the_client_reads_slowly() {
    let client = Client::connect(Config { max_requests: 100, ..Config::default() }, 4096).await;
    let Client { mut to, from, gate, served, .. } = client;
    let methods = ["ping", "echo", "nope", "wait", "panic_later"];
    let sender = tokio::spawn(async move {
        for id in 0..5000 {
            let request = format!("{{\"id\":{id},\"method\":\"{}\"}}\n", methods[id % methods.len()]);
            to.write_all(request.as_bytes()).await.expect("the server reads");
        }
        to
    });
    gate.add_permits(5000);
    let mut lines = from.lines();
    let mut answered = HashSet::new();
    while answered.len() < 5000 {
        if answered.len() % 500 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let line = tokio::time::timeout(DEADLINE, lines.next_line()).await.expect("an answer in time");
        let line = line.expect("readable").expect("not the end");
        let answer: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert!(answered.insert(answer["id"].as_u64().expect("an id")), "twice: {line}");
    }
    drop(sender.await.expect("all sent"));
    drop(lines);
    served.await.expect("no panic");
}

#[tokio::test]
async fn one_request_too_many_is_told_to_retry_and_waiting_calls_do_not_count() {
    let config = Config { max_requests: 2, uncounted: &["wait_long"], ..Config::default() };
    let mut client = Client::connect(config, 1 << 16).await;
    client.send("{\"id\":1,\"method\":\"wait_long\"}\n{\"id\":2,\"method\":\"wait_long\"}\n").await;
    client.send("[{\"id\":3,\"method\":\"wait\"},{\"id\":4,\"method\":\"wait\"}]\n{\"id\":5,\"method\":\"ping\"}\n").await;
    assert_eq!(
        client.line().await,
        r#"{"jsonrpc":"2.0","id":5,"error":{"code":-32001,"message":"Too many requests in flight; retry later","data":{"kind":"overloaded","retryable":true}}}"#
    );
    // A full server can still be cancelled.
    client.send("{\"method\":\"$/cancelRequest\",\"params\":{\"id\":3}}\n").await;
    client.send("{\"method\":\"$/cancelRequest\",\"params\":{\"id\":4}}\n").await;
    assert!(client.line().await.starts_with(r#"[{"jsonrpc":"2.0","id":3,"error":{"code":-32800"#));
    client.send("{\"id\":6,\"method\":\"ping\"}\n").await;
    assert_eq!(client.line().await, r#"{"jsonrpc":"2.0","id":6,"result":"pong"}"#);
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_a_few_messages_and_loses_none() {
    let mut client = Client::connect(Config::default(), 1024).await;
    client.send("{\"id\":1,\"method\":\"ping\"}\n").await;
    client.line().await;
    let accepted = Arc::new(AtomicUsize::new(0));
    let (outbox, count) = (client.outbox.clone(), accepted.clone());
    let sender = tokio::spawn(async move {
        for number in 0..200 {
            outbox.notify("news", &(number, "x".repeat(50_000))).await.expect("open");
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    // The queue is full once the count does not change; the writer holds one more message.
    let mut before = usize::MAX;
    while before != accepted.load(Ordering::Relaxed) {
        before = accepted.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Messages can be megabytes each, and a stalled client may cost only 64 MiB.
    assert!((1..=10).contains(&before), "{before} messages are held");
    for number in 0..200 {
        let line = client.line().await;
        assert!(
            line.starts_with(&format!(r#"{{"jsonrpc":"2.0","method":"news","params":[{number},"x"#)),
            "{number}"
        );
    }
    sender.await.expect("all sent");
}
