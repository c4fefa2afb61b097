use serde_json::{Value, json};
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use super::super::outline::Outline;
use super::*;

/// Upstream's side.
type Server = WebSocketStream<DuplexStream>;

const BODY: &str = r#"{"model":"m","input":[{"a":1}]}"#;

async fn connected(kept: bool) -> (Socket, JoinHandle<()>, Server) {
    let (client, server) = duplex(64 << 10);
    let client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
    let server = WebSocketStream::from_raw_socket(server, Role::Server, None).await;
    let (socket, running) = Socket::new(client, kept);
    (socket, tokio::spawn(running), server)
}

fn recording() -> Recording {
    Recording::new(&Outline::read(BODY).expect("a body"))
}

/// Answers the next frame with a whole response.
async fn answer(server: &mut Server) {
    assert!(matches!(server.next().await, Some(Ok(Message::Text(_)))));
    for event in [
        json!({ "type": "response.created", "response": { "id": "r" } }),
        json!({ "type": "response.completed", "response": { "id": "r", "status": "completed" } }),
    ] {
        say(server, &event).await;
    }
}

async fn say(server: &mut Server, event: &Value) {
    server.send(Message::text(event.to_string())).await.expect("the socket is open");
}

async fn heard(turn: &mut SocketTurn) -> Vec<Result<String, SocketFault>> {
    let mut heard = Vec::new();
    while let Some(next) = turn.next().await {
        match next {
            Ok(Heard::Event(event)) => {
                let event: Value = serde_json::from_slice(event.json()).expect("JSON");
                heard.push(Ok(event["type"].as_str().unwrap_or_default().to_owned()));
            }
            Ok(Heard::SignOfLife) => heard.push(Ok("sign of life".to_owned())),
            Ok(Heard::Nothing) => {}
            Err(fault) => heard.push(Err(fault)),
        }
    }
    heard
}

fn is_idle(socket: &Socket) -> bool {
    matches!(*socket.state(), State::Idle { .. })
}

#[tokio::test(start_paused = true)]
async fn idle_sockets_answer_pings_and_close_after_five_minutes() {
    let (socket, running, mut server) = connected(true).await;
    let mut turn = socket.begin("{}".to_owned(), recording());
    answer(&mut server).await;
    assert_eq!(
        heard(&mut turn).await,
        [Ok("response.created".to_owned()), Ok("response.completed".to_owned())]
    );
    let idle_since = Instant::now();
    assert!(is_idle(&socket));
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        server.send(Message::Ping(Bytes::from_static(b"p"))).await.expect("open");
        assert_eq!(
            server.next().await.expect("open").expect("open"),
            Message::Pong(Bytes::from_static(b"p"))
        );
    }
    assert!(is_idle(&socket));
    assert!(matches!(server.next().await, Some(Ok(Message::Close(_)))));
    assert_eq!(idle_since.elapsed().as_secs(), IDLE.as_secs());
    running.await.expect("no panic");
    assert!(matches!(*socket.state(), State::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_close_between_turns_is_noticed_at_once() {
    let (socket, running, mut server) = connected(true).await;
    let mut turn = socket.begin("{}".to_owned(), recording());
    answer(&mut server).await;
    heard(&mut turn).await;
    drop(server);
    running.await.expect("no panic");
    assert!(matches!(*socket.state(), State::Closed));
    let mut late = socket.begin("{}".to_owned(), recording());
    let lost = Loss::Closed { code: None, heard: false };
    assert_eq!(heard(&mut late).await, [Err(SocketFault::Lost(lost))]);
}

#[tokio::test(start_paused = true)]
async fn an_event_between_turns_closes_the_socket() {
    let (socket, running, mut server) = connected(true).await;
    let mut turn = socket.begin("{}".to_owned(), recording());
    answer(&mut server).await;
    heard(&mut turn).await;
    say(&mut server, &json!({ "type": "response.output_text.delta", "delta": "late" })).await;
    running.await.expect("no panic");
    assert!(!is_idle(&socket));
}

#[tokio::test(start_paused = true)]
async fn output_before_the_response_begins_is_another_turns() {
    let (socket, running, mut server) = connected(true).await;
    let mut turn = socket.begin("{}".to_owned(), recording());
    answer(&mut server).await;
    heard(&mut turn).await;
    *socket.state() = State::Busy;
    let mut turn = socket.begin("{}".to_owned(), recording());
    assert!(matches!(server.next().await, Some(Ok(Message::Text(_)))));
    say(&mut server, &json!({ "type": "codex.rate_limits" })).await;
    say(&mut server, &json!({ "type": "response.output_text.delta", "delta": "late" })).await;
    let expected = [Ok("codex.rate_limits".to_owned()), Err(SocketFault::Lost(Loss::Foreign))];
    assert_eq!(heard(&mut turn).await, expected);
    running.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_is_dropped_closes_the_socket() {
    let (socket, running, mut server) = connected(true).await;
    let turn = socket.begin("{}".to_owned(), recording());
    assert!(matches!(server.next().await, Some(Ok(Message::Text(_)))));
    drop(turn);
    running.await.expect("no panic");
    assert!(matches!(server.next().await, Some(Ok(Message::Close(_)))));
}

#[tokio::test(start_paused = true)]
async fn closes_are_told_with_their_code() {
    for (code, begins) in [(1009, false), (1011, true)] {
        let (socket, _running, mut server) = connected(true).await;
        let mut turn = socket.begin("{}".to_owned(), recording());
        assert!(matches!(server.next().await, Some(Ok(Message::Text(_)))));
        if begins {
            say(&mut server, &json!({ "type": "response.created", "response": { "id": "r" } })).await;
        }
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        server.send(Message::Close(Some(frame))).await.expect("open");
        let lost = Loss::Closed { code: Some(code), heard: begins };
        assert_eq!(heard(&mut turn).await.pop(), Some(Err(SocketFault::Lost(lost))));
    }
}

#[tokio::test(start_paused = true)]
async fn pings_within_a_turn_are_signs_of_life() {
    let (socket, _running, mut server) = connected(false).await;
    let mut turn = socket.begin("{}".to_owned(), recording());
    assert!(matches!(server.next().await, Some(Ok(Message::Text(_)))));
    server.send(Message::Ping(Bytes::new())).await.expect("open");
    assert!(matches!(turn.next().await, Some(Ok(Heard::SignOfLife))));
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_is_not_kept_closes_after_its_turn() {
    let (socket, running, mut server) = connected(false).await;
    let mut turn = socket.begin("{}".to_owned(), recording());
    answer(&mut server).await;
    heard(&mut turn).await;
    running.await.expect("no panic");
    assert!(matches!(*socket.state(), State::Closed));
}

/// A client that does not read slows upstream down, as over SSE.
#[tokio::test(start_paused = true)]
async fn upstream_is_not_read_while_the_client_does_not_read() {
    let (socket, _running, mut server) = connected(true).await;
    let mut turn = socket.begin("{}".to_owned(), recording());
    assert!(matches!(server.next().await, Some(Ok(Message::Text(_)))));
    let delta = json!({ "type": "response.output_text.delta", "delta": "x".repeat(8 << 10) });
    let mut sent = 0;
    while timeout(Duration::from_secs(5), say(&mut server, &delta)).await.is_ok() {
        sent += 1;
        assert!(sent < 200, "all of it is taken");
    }
    // The queue, and the contents of the pipe and the socket.
    assert!((QUEUE..QUEUE + 24).contains(&sent), "{sent}");
    assert!(matches!(turn.next().await, Some(Ok(Heard::Event(_)))));
}
