//! Cancelling, shutting down, and every way a connection ends.

use super::*;
use tokio::time::Instant;

const CANCELLED: &str =
    r#""error":{"code":-32800,"message":"Cancelled","data":{"kind":"cancelled","retryable":false}}}"#;

#[tokio::test]
async fn a_cancelled_request_is_answered_once() {
    let mut client = Client::connect(Config::default(), 1 << 20).await;
    client.send("{\"id\":\"w\",\"method\":\"wait\"}\n{\"id\":1,\"method\":\"wait\"}\n").await;
    let cancel = "{\"method\":\"$/cancelRequest\",\"params\":{\"id\":1}}\n";
    client.send(&cancel.replace('1', "99")).await;
    client.send(&cancel.replace('1', "-1")).await;
    client.send(&cancel.replace("{\"id\":1}", "[1]")).await;
    client.send(cancel).await;
    client.send(cancel).await;
    assert_eq!(client.line().await, format!(r#"{{"jsonrpc":"2.0","id":1,{CANCELLED}"#));
    client.gate.add_permits(1);
    assert_eq!(client.line().await, r#"{"jsonrpc":"2.0","id":"w","result":"waited"}"#);
    client.send(cancel).await;
    client.close().await;
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn a_batch_waits_for_all_and_cancels_one() {
    let mut client = Client::connect(Config::default(), 1 << 20).await;
    client.send("[{\"id\":1,\"method\":\"wait\"},{\"id\":2,\"method\":\"ping\"},{\"id\":3,\"method\":\"wait\"}]\n").await;
    client.send("{\"method\":\"$/cancelRequest\",\"params\":{\"id\":3}}\n").await;
    client.gate.add_permits(1);
    let answer = client.line().await;
    let first = answer.starts_with(
        r#"[{"jsonrpc":"2.0","id":1,"result":"waited"},{"jsonrpc":"2.0","id":2,"result":"pong"}"#,
    );
    assert!(first && answer.ends_with(&format!(r#","id":3,{CANCELLED}]"#)), "{answer}");
}

#[tokio::test]
async fn an_id_in_flight_cannot_be_used_again_until_it_is_answered() {
    let mut client = Client::connect(Config::default(), 1 << 20).await;
    client.send("{\"id\":1,\"method\":\"wait\"}\n{\"id\":1,\"method\":\"ping\"}\n").await;
    let refused = client.line().await;
    assert!(
        refused.contains(r#""id":1,"error":{"code":-32600,"message":"A request with this id is still"#),
        "{refused}"
    );
    client.gate.add_permits(1);
    assert_eq!(client.line().await, r#"{"jsonrpc":"2.0","id":1,"result":"waited"}"#);
    client.send("{\"id\":1,\"method\":\"ping\"}\n").await;
    assert_eq!(client.line().await, r#"{"jsonrpc":"2.0","id":1,"result":"pong"}"#);
}

#[tokio::test]
async fn after_shutdown_only_exit_is_obeyed() {
    let mut client = Client::connect(Config::default(), 1 << 20).await;
    client.send("{\"id\":1,\"method\":\"shutdown\"}\n{\"id\":2,\"method\":\"ping\"}\n{\"id\":3,\"method\":\"shutdown\"}\n").await;
    assert_eq!(client.line().await, r#"{"jsonrpc":"2.0","id":1,"result":null}"#);
    for id in [2, 3] {
        let refused = client.line().await;
        assert!(
            refused.starts_with(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32600,"#)),
            "{refused}"
        );
    }
    client.send("{\"method\":\"exit\"}\n{\"id\":4,\"method\":\"ping\"}\n").await;
    assert_eq!(client.rest().await, "");
    let ended = client.ended().await;
    assert_eq!((ended, ended.exit_code()), (Ended::Exit { after_shutdown: true }, 0));
}

#[tokio::test]
async fn exit_without_shutdown_is_exit_code_1() {
    let mut client = Client::connect(Config::default(), 1 << 20).await;
    client.send("{\"id\":1,\"method\":\"ping\"}\n{\"method\":\"exit\"}\n").await;
    assert_eq!(client.rest().await, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"pong\"}\n");
    let ended = client.ended().await;
    assert_eq!((ended, ended.exit_code()), (Ended::Exit { after_shutdown: false }, 1));
}

#[tokio::test]
async fn at_the_end_what_is_nearly_done_is_answered_and_the_rest_cancelled() {
    let config = Config { uncounted: &["wait_long"], ..Config::default() };
    let mut client = Client::connect(config, 1 << 20).await;
    client.send("{\"id\":1,\"method\":\"wait_long\"}\n{\"id\":2,\"method\":\"wait\"}\n{\"id\":3,\"method\":\"wait\"}\n").await;
    let began = Instant::now();
    client.close().await;
    assert_eq!(client.line().await, format!(r#"{{"jsonrpc":"2.0","id":1,{CANCELLED}"#));
    client.gate.add_permits(1);
    assert_eq!(client.line().await, r#"{"jsonrpc":"2.0","id":2,"result":"waited"}"#);
    assert_eq!(client.rest().await, format!("{{\"jsonrpc\":\"2.0\",\"id\":3,{CANCELLED}\n"));
    let ended = client.ended().await;
    assert_eq!((ended, ended.exit_code()), (Ended::Eof, 0));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn without_anything_left_to_do_the_end_comes_at_once() {
    let mut client = Client::connect(Config::default(), 1 << 20).await;
    client.send("{\"id\":1,\"method\":\"count\",\"params\":{\"n\":1}}\n").await;
    client.line().await;
    client.line().await;
    // A running subscription must not keep the connection open.
    client.send("{\"id\":2,\"method\":\"linger\"}\n").await;
    client.line().await;
    let began = Instant::now();
    client.close().await;
    assert_eq!(client.rest().await, "");
    assert_eq!(client.ended().await, Ended::Eof);
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_signal_ends_the_connection_although_the_client_does_not_read() {
    let (terminate, asked) = tokio::sync::oneshot::channel::<()>();
    let mut client = Client::connect_until(Config::default(), 512, async move {
        let _ = asked.await;
    })
    .await;
    client.send("{\"id\":1,\"method\":\"count\",\"params\":{\"n\":1000000}}\n").await;
    assert_eq!(client.line().await, r#"{"jsonrpc":"2.0","id":1,"result":"c1"}"#);
    let began = Instant::now();
    terminate.send(()).expect("still serving");
    let Client { served, to, from, .. } = client;
    let ended = tokio::time::timeout(DEADLINE, served).await.expect("an end in time").expect("no panic");
    assert_eq!((ended, ended.exit_code()), (Ended::Signalled, 0));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    drop((to, from));
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_the_connection() {
    let client = Client::connect(Config::default(), 1 << 20).await;
    let Client { mut to, from, served, outbox, .. } = client;
    to.write_all(b"{\"id\":1,\"method\":\"wait\"}\n").await.expect("the server reads");
    drop((to, from));
    // Either end of the pipe may be noticed first.
    while outbox.notify("news", &[1]).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let ended = tokio::time::timeout(DEADLINE, served).await.expect("an end in time").expect("no panic");
    assert!(matches!(ended, Ended::OutputClosed | Ended::Eof), "{ended:?}");
}

#[tokio::test]
async fn the_clean_up_runs_while_notifications_still_arrive() {
    let (client, server) = tokio::io::duplex(1 << 16);
    let (from, to) = tokio::io::split(server);
    let outbox = std::sync::OnceLock::<Outbox>::new();
    let connection = serve(
        Input::from_reader(from),
        Output::from_writer(to),
        Config::default(),
        |given| {
            outbox.set(given).expect("once");
            Methods::new()
        },
        async {},
        async { outbox.get().expect("built").notify("bye", &[1]).await.expect("open") },
    );
    assert_eq!(connection.await, Ended::Signalled);
    let mut said = String::new();
    BufReader::new(client).read_to_string(&mut said).await.expect("readable");
    assert_eq!(said, "{\"jsonrpc\":\"2.0\",\"method\":\"bye\",\"params\":[1]}\n");
}
