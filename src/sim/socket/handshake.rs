//! From an HTTP request to a socket.

use std::sync::Arc;

use http::header::{CONNECTION, HeaderMap, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use http::{HeaderValue, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use serde_json::json;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::session::Session;
use crate::clock;
use crate::sim::answer::Answer;
use crate::sim::checks;
use crate::sim::connection::{Dropped, Link};
use crate::sim::dispatch::{Reply, behave, date, finished};
use crate::sim::log::RequestEnd;
use crate::sim::received::Received;
use crate::sim::rule::Route;
use crate::sim::server::Shared;
use crate::sim::sse_body::{Body, whole};
use crate::sim::state::begin;
use crate::sim::wham;

const BETA: &str = "responses_websockets=2026-02-06";

pub(in crate::sim) fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Answers the handshake and returns the session that begins with it.
pub(in crate::sim) async fn upgrade(
    shared: &Arc<Shared>,
    link: &Link,
    received: Received,
    upgraded: OnUpgrade,
) -> Result<(Response<Body>, Option<Session>), Dropped> {
    let now = clock::now();
    let turn = begin(shared, Some(Route::Socket), &received, now);
    let refused = checks::refuse(shared, Route::Socket, &received, now).or_else(|| refuse(&received));
    let reply = match refused {
        Some(answer) => Ok(Reply::Whole(answer)),
        None => behave(shared, link, Route::Socket, &received, &turn).await,
    };
    let mut tracked = turn.tracked;
    match reply {
        Err(Dropped) => {
            tracked.ended(RequestEnd::Broken);
            Err(Dropped)
        }
        Ok(Reply::Whole(answer)) => {
            tracked.answered_with(answer.status);
            tracked.ended(RequestEnd::Answered);
            Ok((finished(&answer, now), None))
        }
        Ok(reply) => {
            let close_at_once = match reply {
                Reply::Close(code) => Some(code),
                _ => None,
            };
            let mut response = Response::new(whole(bytes::Bytes::new()));
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let key = received.header("sec-websocket-key").unwrap_or_default();
            let headers = response.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            if let Ok(accept) = HeaderValue::try_from(derive_accept_key(key.as_bytes())) {
                headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
            }
            // The checks let no request without an account through.
            let owner = turn.owner.unwrap_or_default();
            let quota = wham::quota_headers(&shared.state().accounts[owner], now);
            let id = shared.state().next_socket();
            let said = [("x-request-id".to_owned(), format!("req_socket{id}"))];
            for (name, value) in said.into_iter().chain(quota) {
                if let (Ok(name), Ok(value)) =
                    (http::HeaderName::try_from(name), HeaderValue::try_from(value))
                {
                    headers.insert(name, value);
                }
            }
            headers.extend(date(shared.state().ahead_ms, now));
            tracked.answered_with(101);
            let session = Session {
                shared: shared.clone(),
                link: link.clone(),
                upgraded,
                received,
                tracked,
                id,
                close_at_once,
            };
            Ok((response, Some(session)))
        }
    }
}

fn refuse(received: &Received) -> Option<Answer> {
    let detail = |text: &str| Some(Answer::json(400, json!({ "detail": text })));
    if received.header("sec-websocket-version") != Some("13")
        || received.header("sec-websocket-key").is_none()
    {
        return detail("This is no WebSocket handshake");
    }
    if received.header("openai-beta") != Some(BETA) {
        return detail("WebSockets need the header openai-beta: responses_websockets=2026-02-06");
    }
    None
}
