//! A turn sends what is new, and nothing else changes.

use multicodex::protocol::{NotContinued, TransportUsed};
use multicodex::sim::SimAccount;
use serde_json::{Value, json};

use super::Chat;
use super::chat::{turns, ways};
use crate::env::TestEnv;

#[tokio::test]
async fn turns_of_a_session_send_what_is_new_on_one_socket() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let sidecar = env.sidecar().await;
    let mut chat = Chat::new("s");
    let mut sent = Vec::new();
    for nth in 0..4 {
        sent.push(chat.body.clone());
        let end = chat.turn(&sidecar).await.expect("an answer");
        let why = if nth == 0 { Some(NotContinued::FirstTurn) } else { None };
        assert_eq!(
            (end.transport, end.continued, end.not_continued),
            (TransportUsed::WebSocket, nth > 0, why),
            "turn {nth}"
        );
        let logged = turns(env.sim()).pop().expect("a frame");
        assert_eq!(logged.frame.expect("a frame").bytes as u64, end.sent_bytes);
    }
    assert_eq!(ways(env.sim()), [Some((1, false)), Some((1, true)), Some((1, true)), Some((1, true))]);
    for (logged, sent) in turns(env.sim()).iter().zip(&sent) {
        let whole: Value = serde_json::from_str(&logged.body).expect("JSON");
        assert_eq!(whole["input"].as_array().map(Vec::len), sent["input"].as_array().map(Vec::len));
        assert_eq!(whole["model"], sent["model"]);
    }
    sidecar.end().await;
}

#[tokio::test]
async fn edited_conversations_are_sent_whole_on_the_same_socket() {
    type Edit = fn(&mut Chat);
    let edits: [(&str, Edit, NotContinued); 6] = [
        ("drop", |chat| drop(chat.input().remove(0)), NotContinued::HistoryDiffers),
        ("reorder", |chat| chat.input().swap(0, 1), NotContinued::HistoryDiffers),
        (
            "edit",
            |chat| chat.input()[1]["content"][0]["text"] = "something else".into(),
            NotContinued::HistoryDiffers,
        ),
        ("add a member", |chat| chat.input()[0]["added"] = 1.into(), NotContinued::HistoryDiffers),
        ("change a member", |chat| chat.body["model"] = "other".into(), NotContinued::MembersDiffer),
        ("add a member to the body", |chat| chat.body["reasoning"] = json!({}), NotContinued::MembersDiffer),
    ];
    let env = TestEnv::new([SimAccount::named("ada")]);
    let sidecar = env.sidecar().await;
    for (nth, (what, edit, why)) in edits.into_iter().enumerate() {
        let mut chat = Chat::new(what);
        chat.turn(&sidecar).await.expect("an answer");
        edit(&mut chat);
        let end = chat.turn(&sidecar).await.expect("an answer");
        assert_eq!((end.continued, end.not_continued), (false, Some(why)), "{what}");
        // The edited conversation is what the next turn continues.
        let end = chat.turn(&sidecar).await.expect("an answer");
        assert_eq!((end.continued, end.not_continued), (true, None), "{what}");
        let socket = nth as u64 + 1;
        let of_chat = &ways(env.sim())[3 * nth..];
        assert_eq!(of_chat, [Some((socket, false)), Some((socket, false)), Some((socket, true))], "{what}");
    }
    sidecar.end().await;
}

#[tokio::test]
async fn a_completion_without_a_session_goes_by_sse_unless_it_asks_for_a_socket() {
    use multicodex::protocol::Transport;
    let env = TestEnv::new([SimAccount::named("ada")]);
    let sidecar = env.sidecar().await;
    let mut chat = Chat::new("");
    chat.session = None;
    for (wanted, expected) in [
        (None, TransportUsed::Sse),
        (Some(Transport::Auto), TransportUsed::Sse),
        (Some(Transport::Sse), TransportUsed::Sse),
        (Some(Transport::WebSocket), TransportUsed::WebSocket),
        (Some(Transport::WebSocket), TransportUsed::WebSocket),
    ] {
        chat.transport = wanted;
        let end = chat.turn(&sidecar).await.expect("an answer");
        assert_eq!((end.transport, end.continued), (expected, false), "{wanted:?}");
    }
    assert_eq!(ways(env.sim()), [None, None, None, Some((1, false)), Some((2, false))]);
    sidecar.end().await;
}
