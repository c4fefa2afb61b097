//! Refreshes against a raw loopback server.
#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::auth::testing::jwt;
use crate::pool::Identity;

const NOW: At = At::from_secs(1_790_000_000);

fn answer(status: &str, more: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{more}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

/// Sends `refresh-1` to a server that answers with these bytes and then closes the connection. Also returns the
/// requests that it received.
async fn refresh_against(answer: &str) -> (Result<RefreshedTokens, TokenRefreshError>, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base: BaseUrl = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let (answer, mut requests) = (answer.to_owned(), Vec::new());
    let http = HttpClient::new();
    let refresh = Secret::new("refresh-1");
    let refreshing = super::refresh(&http, &base, &refresh, NOW);
    tokio::pin!(refreshing);
    let outcome = loop {
        tokio::select! {
            outcome = &mut refreshing => break outcome,
            accepted = listener.accept() => {
                let (mut socket, _) = accepted.unwrap();
                let mut request = Vec::new();
                let mut serve = async || {
                    while !request.ends_with(CLIENT_ID.as_bytes()) {
                        socket.read_buf(&mut request).await.unwrap();
                    }
                    socket.write_all(answer.as_bytes()).await.unwrap();
                    socket.shutdown().await.unwrap();
                    // Waits until the client has closed the connection.
                    let _ = socket.read(&mut [0; 64]).await;
                };
                let finished = tokio::select! {
                    outcome = &mut refreshing => Some(outcome),
                    () = serve() => None,
                };
                requests.push(String::from_utf8(request).unwrap());
                if let Some(outcome) = finished {
                    break outcome;
                }
            }
        }
    };
    (outcome, requests)
}

#[tokio::test]
async fn a_token_is_refreshed_with_one_form() {
    let access = jwt(&json!({"exp": 1, "https://api.openai.com/auth":
        {"chatgpt_account_id": "ws-1", "chatgpt_user_id": "user-1", "chatgpt_plan_type": "plus"}}));
    let id_token = jwt(&json!({"email": "a@example.com"}));
    let body = json!({"access_token": access, "refresh_token": "refresh-2", "id_token": id_token,
        "token_type": "Bearer", "expires_in": 864000, "scope": "openid"});
    let (outcome, requests) =
        refresh_against(&answer("200 OK", "content-type: application/json\r\n", &body.to_string())).await;
    assert_eq!(
        outcome.unwrap(),
        RefreshedTokens {
            credential: Credential {
                access: Secret::new(access),
                refresh: Secret::new("refresh-2"),
                expires_at: NOW + Duration::from_secs(864000),
            },
            claims: Claims {
                identity: Identity {
                    workspace_id: Some("ws-1".into()),
                    user_id: Some("user-1".into()),
                    ..Identity::default()
                },
                email: Some("a@example.com".into()),
                plan: Some("plus".into()),
                expires_at: Some(At::from_secs(1)),
                ..Claims::default()
            },
            refresh_replaced: true,
        }
    );
    assert_eq!(requests.len(), 1);
    let (head, form) = requests[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /oauth/token HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-www-form-urlencoded"), "{head}");
    assert!(!head.contains("authorization"), "{head}");
    assert_eq!(form, format!("grant_type=refresh_token&refresh_token=refresh-1&client_id={CLIENT_ID}"));
}

#[tokio::test]
async fn what_the_answer_leaves_out_is_made_up_for() {
    let check = async |body: Value, refresh: &str, expires_at: At| {
        let (outcome, _) = refresh_against(&answer("200 OK", "", &body.to_string())).await;
        let refreshed = outcome.unwrap();
        let credential = &refreshed.credential;
        assert_eq!((credential.refresh.expose(), credential.expires_at), (refresh, expires_at), "{body}");
        assert_eq!(refreshed.refresh_replaced, refresh != "refresh-1");
    };
    let exp = jwt(&json!({"exp": 1_796_219_000}));
    check(json!({"access_token": exp}), "refresh-1", At::from_secs(1_796_219_000)).await;
    check(json!({"access_token": "opaque"}), "refresh-1", NOW + UNKNOWN_LIFETIME).await;
    check(
        json!({"access_token": exp, "refresh_token": "refresh-2", "expires_in": "60"}),
        "refresh-2",
        NOW + Duration::from_secs(60),
    )
    .await;
    check(
        json!({"access_token": exp, "refresh_token": null, "expires_in": 60.5, "token_type": null}),
        "refresh-1",
        NOW + Duration::from_secs(60),
    )
    .await;
}

#[tokio::test]
async fn every_other_outcome_says_what_became_of_the_token() {
    let check = async |answer: &str, expected: &str| {
        let (outcome, requests) = refresh_against(answer).await;
        let error = outcome.unwrap_err();
        let said = match &error {
            TokenRefreshError::Terminal { code, status, .. } => format!("terminal {status} {code:?}"),
            TokenRefreshError::Transient { status, retry_after, .. } => {
                format!("transient {status:?} {retry_after:?}")
            }
            TokenRefreshError::OutcomeUnknown { .. } => "unknown".to_owned(),
            TokenRefreshError::AccessTokenMissing { refresh } => format!("kept {}", refresh.expose().len()),
        };
        assert_eq!(said, expected, "{answer}");
        assert_eq!(requests.len(), 1, "sent once: {answer}");
        let shown = format!("{error} {error:?} {:?}", error.failure());
        assert!(!shown.contains("canary") && !shown.contains("refresh-1"), "{shown}");
    };
    let reused = r#"{"error":{"code":"refresh_token_reused","message":"canary"}}"#;
    check(&answer("401 Unauthorized", "", reused), r#"terminal 401 Some("refresh_token_reused")"#).await;
    let grant = r#"{"error":"invalid_grant","error_description":"canary"}"#;
    check(&answer("400 Bad Request", "", grant), r#"terminal 400 Some("invalid_grant")"#).await;
    check(&answer("429 Slow", "retry-after: 7\r\n", "canary"), "transient Some(429) Some(7s)").await;
    check(&answer("500 Oops", "", "<html>canary</html>"), "transient Some(500) None").await;
    check(&answer("200 OK", "", "canary"), "unknown").await;
    check(&answer("200 OK", "", "{}"), "unknown").await;
    check(&answer("200 OK", "", "<html>canary</html>"), "unknown").await;
    check(&answer("200 OK", "", r#"{"refresh_token":"canary"}"#), "kept 6").await;
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"refresh_token\":\"canary\",\"acc";
    check(cut, "kept 6").await;
    check(&answer("302 Found", "location: /canary\r\n", ""), "transient Some(302) None").await;
    check("", "unknown").await;
    check("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"access_token\":\"canary", "unknown").await;
    check("HTTP/1.1 401 No\r\ncontent-length: 100\r\n\r\n{\"error\"", "transient Some(401) None").await;
}

#[tokio::test]
async fn a_token_that_was_not_sent_is_kept() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", taken.local_addr().unwrap()).parse().unwrap();
    drop(taken);
    let error = super::refresh(&HttpClient::new(), &base, &Secret::new("refresh-1"), NOW).await.unwrap_err();
    assert!(matches!(error, TokenRefreshError::Transient { status: None, .. }), "{error:?}");
}

#[tokio::test]
async fn no_kept_connection_is_trusted_with_a_token() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base: BaseUrl = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let http = HttpClient::new();
    let refresh = Secret::new("refresh-1");
    let body = r#"{"access_token":"access-2"}"#;
    let mut kept_open = Vec::new();
    for _ in 0..2 {
        let serve = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(CLIENT_ID.as_bytes()) {
                socket.read_buf(&mut request).await.unwrap();
            }
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            socket.write_all(answer.as_bytes()).await.unwrap();
            socket
        };
        let both = async { tokio::join!(super::refresh(&http, &base, &refresh, NOW), serve) };
        let (outcome, socket) = tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
        assert_eq!(outcome.unwrap().credential.access.expose(), "access-2");
        kept_open.push(socket);
    }
}
