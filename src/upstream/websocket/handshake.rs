//! The upgrade: an ordinary request of the one HTTP client, so that proxies, certificates and the rules for addresses
//! are the same. Its answer becomes a socket.

use std::time::Duration;

use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use url::Url;

use super::super::sse::MAX_EVENT_BYTES;
use super::canonical::Digest;
use crate::http::explain;

const DEADLINE: Duration = Duration::from_secs(10);

/// The header that enables upstream's WebSockets.
const BETA: &str = "responses_websockets=2026-02-06";

/// Larger events than this also end the stream over SSE.
const MAX_MESSAGE_BYTES: usize = MAX_EVENT_BYTES;
/// Held while the socket is open.
const READ_BUFFER_BYTES: usize = 4 << 10;

/// Headers of one turn. They are sent with the handshake, and do not prevent a later turn from using its socket.
const OF_ONE_TURN: [&str; 2] = ["x-client-request-id", "x-codex-turn-metadata"];

pub type Stream = WebSocketStream<reqwest::Upgraded>;

/// What a WebSocket runs over.
pub trait Connection: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection for T {}

/// The result of the handshake.
#[derive(Debug)]
pub enum Upgrade {
    Socket(Box<Stream>, HeaderMap),
    Answered(reqwest::Response),
    /// As text: no answer in time, no connection, or an answer that is not WebSocket.
    Failed(String),
}

/// Sends the upgrade for the request with these headers, which hold the token.
pub async fn upgrade(client: &reqwest::Client, url: Url, headers: HeaderMap) -> Upgrade {
    match tokio::time::timeout(DEADLINE, upgrade_patiently(client, url, headers)).await {
        Ok(upgrade) => upgrade,
        Err(_) => Upgrade::Failed(format!("no answer within {} s", DEADLINE.as_secs())),
    }
}

async fn upgrade_patiently(client: &reqwest::Client, url: Url, mut headers: HeaderMap) -> Upgrade {
    for name in [ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, CONTENT_ENCODING] {
        headers.remove(name);
    }
    headers.insert(HeaderName::from_static("openai-beta"), HeaderValue::from_static(BETA));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    let key = generate_key();
    if let Ok(key) = HeaderValue::from_str(&key) {
        headers.insert(SEC_WEBSOCKET_KEY, key);
    }
    let answer = match client.get(url).headers(headers).send().await {
        Ok(answer) => answer,
        Err(error) => return Upgrade::Failed(explain(error)),
    };
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Upgrade::Answered(answer);
    }
    let accepted = answer.headers().get(SEC_WEBSOCKET_ACCEPT);
    if accepted.is_none_or(|accepted| accepted.as_bytes() != derive_accept_key(key.as_bytes()).as_bytes()) {
        return Upgrade::Failed("the answer is to another handshake".to_owned());
    }
    let headers = answer.headers().clone();
    match answer.upgrade().await {
        Ok(upgraded) => {
            let config = WebSocketConfig::default()
                .read_buffer_size(READ_BUFFER_BYTES)
                .write_buffer_size(0)
                .max_message_size(Some(MAX_MESSAGE_BYTES))
                .max_frame_size(Some(MAX_MESSAGE_BYTES));
            let stream = WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await;
            Upgrade::Socket(Box::new(stream), headers)
        }
        Err(error) => Upgrade::Failed(explain(error)),
    }
}

/// Returns the digest of what a socket's handshake fixes for its turns. A turn with another digest needs another
/// socket.
pub fn headers_digest(headers: &HeaderMap) -> Digest {
    let mut said: Vec<(&str, &[u8])> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .filter(|(name, _)| !OF_ONE_TURN.contains(name) && *name != CONTENT_ENCODING.as_str())
        .collect();
    said.sort_unstable();
    let mut digest = Sha256::new();
    for part in said.into_iter().flat_map(|(name, value)| [name.as_bytes(), value]) {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_headers_of_one_turn_may_change_on_a_socket() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            let parsed = pairs
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            headers_digest(&parsed.collect())
        };
        let plain = headers(&[("session-id", "s"), ("originator", "pi")]);
        let same = [
            ("originator", "pi"),
            ("x-client-request-id", "1"),
            ("content-encoding", "zstd"),
            ("session-id", "s"),
        ];
        assert_eq!(plain, headers(&same));
        assert_ne!(plain, headers(&[("session-id", "s"), ("originator", "codex")]));
        assert_ne!(plain, headers(&[("session-id", "s")]));
        assert_ne!(plain, headers(&[("session-id", "s"), ("originator", "pi"), ("x-codex-window-id", "w")]));
    }
}
