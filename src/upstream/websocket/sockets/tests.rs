use serde_json::json;
use tokio::io::{DuplexStream, duplex};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use futures_util::{SinkExt, StreamExt};

use super::super::conversation::Recording;
use super::*;

const FIXED: Fixed = Fixed { bearer: [1; 32], headers: [2; 32] };

fn key(session: &str, account: &str) -> Key {
    Key { session: session.to_owned(), account: AccountId::new(account) }
}

fn outline() -> Outline {
    Outline::read(r#"{"model":"m","input":[{"a":1}]}"#).unwrap()
}

async fn streams() -> (WebSocketStream<DuplexStream>, WebSocketStream<DuplexStream>) {
    let (client, server) = duplex(4096);
    (
        WebSocketStream::from_raw_socket(client, Role::Client, None).await,
        WebSocketStream::from_raw_socket(server, Role::Server, None).await,
    )
}

/// Opens a socket and lets it answer one turn, after which it is idle.
async fn idle_socket(sockets: &Sockets, key: &Key) -> WebSocketStream<DuplexStream> {
    let (client, mut server) = streams().await;
    let socket = sockets.reserve(key.clone(), FIXED, Instant::now()).fill(client, Instant::now());
    let mut turn = socket.begin("{}".to_owned(), Recording::new(&outline()));
    server.next().await.unwrap().unwrap();
    for event in [
        json!({ "type": "response.created", "response": { "id": "r" } }),
        json!({ "type": "response.completed", "response": { "id": "r", "status": "completed" } }),
    ] {
        server.send(Message::text(event.to_string())).await.unwrap();
    }
    while turn.next().await.is_some() {}
    server
}

fn found(sockets: &Sockets, key: &Key) -> Found {
    sockets.find(key, &FIXED, &outline(), Instant::now())
}

#[tokio::test(start_paused = true)]
async fn why_there_is_no_socket_is_remembered_by_session() {
    let sockets = Sockets::default();
    assert_eq!(found(&sockets, &key("s", "ada")), Found::Nothing(NotContinued::FirstTurn));
    let server = idle_socket(&sockets, &key("s", "ada")).await;
    assert_eq!(found(&sockets, &key("s", "ada")), Found::Idle(Err(NotContinued::HistoryDiffers)));
    assert_eq!(found(&sockets, &key("s", "bob")), Found::Nothing(NotContinued::AccountChanged));
    assert_eq!(found(&sockets, &key("t", "ada")), Found::Nothing(NotContinued::FirstTurn));
    drop(server);
    while !sockets.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(found(&sockets, &key("s", "ada")), Found::Nothing(NotContinued::NewSocket));
}

#[tokio::test(start_paused = true)]
async fn sockets_are_replaced_when_the_handshake_would_differ_or_they_are_old() {
    let sockets = Sockets::default();
    let key = key("s", "ada");
    for (what, fixed, age, why) in [
        ("token", Fixed { bearer: [9; 32], ..FIXED }, Duration::ZERO, NotContinued::NewSocket),
        ("headers", Fixed { headers: [9; 32], ..FIXED }, Duration::ZERO, NotContinued::HeadersDiffer),
        ("age", FIXED, MAX_AGE, NotContinued::NewSocket),
    ] {
        let _server = idle_socket(&sockets, &key).await;
        let just_in_time = Instant::now() + age.saturating_sub(Duration::from_millis(1));
        assert!(matches!(sockets.find(&key, &FIXED, &outline(), just_in_time), Found::Idle(_)), "{what}");
        let now = Instant::now() + age;
        assert_eq!(sockets.find(&key, &fixed, &outline(), now), Found::Nothing(why), "{what}");
        assert!(sockets.is_empty(), "{what}: it is closed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_serves_one_turn_at_a_time() {
    let sockets = Sockets::default();
    let key = key("s", "ada");
    let reservation = sockets.reserve(key.clone(), FIXED, Instant::now());
    assert_eq!(found(&sockets, &key), Found::Busy, "it is being opened");
    assert!(sockets.take(&key).is_none());
    drop(reservation);
    assert_eq!(found(&sockets, &key), Found::Nothing(NotContinued::FirstTurn), "it was not opened");
    let _server = idle_socket(&sockets, &key).await;
    assert!(sockets.take(&key).is_some());
    assert_eq!(found(&sockets, &key), Found::Busy);
    assert!(sockets.take(&key).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_longest_idle_gives_way_and_busy_ones_do_not() {
    let sockets = Sockets::default();
    let mut servers = Vec::new();
    for nth in 0..MAX_SOCKETS {
        servers.push(idle_socket(&sockets, &key(&nth.to_string(), "ada")).await);
        tokio::time::advance(Duration::from_millis(10)).await;
    }
    let busy = sockets.take(&key("0", "ada"));
    assert!(busy.is_some());
    servers.push(idle_socket(&sockets, &key("new", "ada")).await);
    assert_eq!(found(&sockets, &key("0", "ada")), Found::Busy);
    assert_eq!(found(&sockets, &key("1", "ada")), Found::Nothing(NotContinued::NewSocket));
    assert!(matches!(found(&sockets, &key("2", "ada")), Found::Idle(_)));
    assert_eq!(sockets.lock().open.len(), MAX_SOCKETS);

    for nth in 2..MAX_SOCKETS {
        sockets.take(&key(&nth.to_string(), "ada"));
    }
    sockets.take(&key("new", "ada"));
    assert_eq!(found(&sockets, &key("one more", "ada")), Found::Full);
}

#[tokio::test(start_paused = true)]
async fn idle_sockets_of_accounts_that_may_not_be_used_are_closed() {
    let sockets = Sockets::default();
    let mut ada = idle_socket(&sockets, &key("s", "ada")).await;
    let _bob = idle_socket(&sockets, &key("s", "bob")).await;
    let _busy = idle_socket(&sockets, &key("t", "ada")).await;
    let _turn = sockets.take(&key("t", "ada"));
    sockets.retain(|account| *account != AccountId::new("ada"));
    assert!(matches!(ada.next().await, Some(Ok(Message::Close(_)))));
    assert!(matches!(found(&sockets, &key("s", "bob")), Found::Idle(_)));
    assert_eq!(found(&sockets, &key("t", "ada")), Found::Busy);
}

#[tokio::test(start_paused = true)]
async fn only_the_latest_sessions_are_remembered() {
    let sockets = Sockets::default();
    for nth in 0..=MAX_SESSIONS {
        sockets.lock().remember(&key(&nth.to_string(), "ada"), Instant::now());
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    assert_eq!(sockets.lock().accounts.len(), MAX_SESSIONS);
    assert_eq!(found(&sockets, &key("0", "ada")), Found::Nothing(NotContinued::FirstTurn));
    assert_eq!(found(&sockets, &key("1", "ada")), Found::Nothing(NotContinued::NewSocket));
}
