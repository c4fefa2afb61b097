//! The requests to the ChatGPT backend. Only this part of `upstream` uses the network and reads the time.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use zeroize::Zeroizing;

use super::body::ResponsesRequest;
use super::classify::classify;
use super::event::Event;
use super::headers::AnswerHeaders;
use super::reserve::{ASKS_FOR_RESERVE, is_of_workspace};
use super::stream::EventStream;
use super::usage_reading::{Asked, from_usage_body};
use super::websocket::Sockets;
use crate::clock;
use crate::http::{BaseUrl, HttpClient, explain};
use crate::pool::{At, Failure, FailureKind, Source, UsageReading};
use crate::secret::Secret;

mod reset_credits;

pub use reset_credits::RedeemError;

const USAGE_TIMEOUT: Duration = Duration::from_secs(10);
/// For the rest of a response that came instead of a stream.
const WHOLE_BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// For the body of a refusal: without it, its status and headers are enough.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(5);
/// How much of a refusal a client is shown.
const MAX_SHOWN_BYTES: usize = 64 << 10;
/// How much of a refusal is classified: an error may quote the request before its code.
const MAX_CLASSIFIED_BYTES: usize = 1 << 20;
/// White space that may come before the first byte of an answer.
const MAX_BLANK_BYTES: usize = 64 << 10;
const MAX_USAGE_BYTES: usize = 1 << 20;
const MAX_WHOLE_RESPONSE_BYTES: usize = 64 << 20;

/// The ChatGPT backend. Cloning is cheap; connections are shared.
#[derive(Clone, Debug)]
pub struct Upstream {
    pub(super) http: HttpClient,
    pub(super) base: BaseUrl,
    pub(super) sockets: Sockets,
}

/// The account of a request.
#[derive(Clone, Copy, Debug)]
pub struct Bearer<'a> {
    pub token: &'a Secret,
    pub workspace_id: Option<&'a str>,
}

#[derive(Debug)]
pub enum Answer {
    Stream {
        status: u16,
        headers: AnswerHeaders,
        events: EventStream,
    },
    Refused {
        failure: Failure,
        status: u16,
        headers: AnswerHeaders,
        /// Upstream's body, at most 64 KiB, with the token redacted.
        body: String,
        truncated: bool,
    },
}

impl Upstream {
    pub fn new(http: HttpClient, base: BaseUrl) -> Self {
        Upstream { http, base, sockets: Sockets::default() }
    }

    /// Sends `POST {base}/codex/responses`. An error means that there was no answer, or none that was understood. Waits
    /// for the head of the answer without a limit of its own: dropping the future aborts the request.
    pub async fn responses(
        &self,
        bearer: &Bearer<'_>,
        request: &ResponsesRequest,
    ) -> Result<Answer, Failure> {
        let requested_at = clock::now();
        let mut headers = request.headers.clone();
        bearer.put_into(&mut headers)?;
        let client = self.http.get(&self.base).map_err(|error| network(error.to_string()))?;
        let post = client.post(self.base.join("codex/responses")).headers(headers);
        let response =
            post.body(request.body.clone()).send().await.map_err(|error| network(explain(error)))?;

        let asked = Asked { requested_at, answered_at: clock::now() };
        let headers = AnswerHeaders::read(response.headers(), asked);
        if !response.status().is_success() {
            return Ok(refusal(Bytes::new(), response, bearer, headers, asked.answered_at).await);
        }
        let begun = BegunBody::read(response).await?;
        let status = begun.response.status().as_u16();
        match begun.looks_like() {
            BodyKind::Events => Ok(Answer::Stream {
                status,
                headers,
                events: EventStream::reading(begun.bytes, begun.response),
            }),
            BodyKind::Other => {
                Ok(refusal(begun.bytes, begun.response, bearer, headers, asked.answered_at).await)
            }
            BodyKind::Json => {
                let (status, head) = (begun.response.status(), begun.response.headers().clone());
                let body =
                    read_body(begun.bytes, begun.response, MAX_WHOLE_RESPONSE_BYTES, WHOLE_BODY_TIMEOUT)
                        .await;
                if let Some(fault) = body.fault {
                    return Err(Failure::new(FailureKind::StreamInterrupted, Source::Transport, fault));
                }
                match Event::from_whole_body(body.bytes.clone()).filter(|_| !body.truncated) {
                    Some(event) => Ok(Answer::Stream {
                        status: status.as_u16(),
                        headers,
                        events: EventStream::whole(event),
                    }),
                    None => Ok(refused(status, &head, body, bearer, headers, asked.answered_at)),
                }
            }
        }
    }

    /// Reads `GET {base}/wham/usage`, within 10 s. `with_reserve` also asks for Luna Reserve.
    pub async fn usage(&self, bearer: &Bearer<'_>, with_reserve: bool) -> Result<UsageReading, Failure> {
        let requested_at = clock::now();
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        if with_reserve {
            headers.insert(ASKS_FOR_RESERVE, HeaderValue::from_static("1"));
        }
        bearer.put_into(&mut headers)?;
        let client = self.http.get(&self.base).map_err(|error| network(error.to_string()))?;
        let get = client.get(self.base.join("wham/usage")).headers(headers).timeout(USAGE_TIMEOUT);
        let response = get.send().await.map_err(|error| network(explain(error)))?;

        let (status, headers) = (response.status(), response.headers().clone());
        let body = read_body(Bytes::new(), response, MAX_USAGE_BYTES, REFUSAL_TIMEOUT).await;
        let asked = Asked { requested_at, answered_at: clock::now() };
        if status != StatusCode::OK {
            let text = redacted(&body, bearer);
            return Err(classify(status, &headers, &text, Source::UsageEndpoint, asked.answered_at));
        }
        if let Some(fault) = body.fault {
            return Err(network(fault));
        }
        let mut reading = from_usage_body(&body.bytes, asked).ok_or_else(|| Failure {
            status: Some(status.as_u16()),
            ..Failure::new(
                FailureKind::UpstreamProtocol,
                Source::UsageEndpoint,
                "the answer about usage is not a JSON object",
            )
        })?;
        reading.reserve.take_if(|_| !is_of_workspace(&body.bytes, bearer.workspace_id));
        Ok(reading)
    }
}

impl Bearer<'_> {
    pub(super) fn put_into(&self, headers: &mut HeaderMap) -> Result<(), Failure> {
        let bearer = Zeroizing::new(format!("Bearer {}", self.token.expose()));
        let mut value = HeaderValue::from_str(&bearer).map_err(|_| {
            Failure::new(
                FailureKind::Unauthorized,
                Source::Transport,
                "the access token holds characters that are not allowed in a header",
            )
        })?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
        // Upstream never issued an id that a header cannot hold, so upstream decides by the token then.
        if let Some(id) = self.workspace_id.and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert("chatgpt-account-id", id);
        }
        Ok(())
    }
}

pub(super) struct ReadBody {
    pub(super) bytes: Bytes,
    truncated: bool,
    /// Why the rest could not be read.
    pub(super) fault: Option<String>,
}

impl ReadBody {
    /// Whether there was more than this.
    fn is_cut(&self) -> bool {
        self.truncated || self.fault.is_some()
    }
}

/// The beginning of a successful body. Its first bytes count more than its content type.
struct BegunBody {
    bytes: Bytes,
    response: reqwest::Response,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyKind {
    Events,
    Json,
    /// A page, a text of a portal, or another answer that is not upstream's.
    Other,
}

impl BegunBody {
    /// Reads on until something other than white space arrives. The caller limits the time.
    async fn read(mut response: reqwest::Response) -> Result<Self, Failure> {
        let mut bytes = Bytes::new();
        while first_byte(&bytes).is_none() && bytes.len() < MAX_BLANK_BYTES {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.is_empty() => bytes = chunk,
                Ok(Some(chunk)) => bytes = [bytes, chunk].concat().into(),
                Ok(None) => break,
                Err(error) => {
                    return Err(Failure::new(
                        FailureKind::StreamInterrupted,
                        Source::Transport,
                        explain(error),
                    ));
                }
            }
        }
        Ok(BegunBody { bytes, response })
    }

    fn looks_like(&self) -> BodyKind {
        let says = |kind: &str| {
            let content_type = self.response.headers().get(http::header::CONTENT_TYPE);
            content_type.is_some_and(|value| value.as_bytes().starts_with(kind.as_bytes()))
        };
        let text = without_bom(&self.bytes).trim_ascii_start();
        let is_field = ["event:", "data:", "id:", "retry:", ":"].iter().any(|field| {
            let common = field.len().min(text.len());
            // A chunk may end within the name of the field.
            !text.is_empty() && field.as_bytes()[..common] == text[..common]
        });
        match first_byte(&self.bytes) {
            _ if is_field => BodyKind::Events,
            Some(b'{') => BodyKind::Json,
            Some(b'<') => BodyKind::Other,
            _ if says("text/event-stream") || (self.bytes.is_empty() && !says("application/json")) => {
                BodyKind::Events
            }
            _ => BodyKind::Other,
        }
    }
}

fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

fn first_byte(bytes: &[u8]) -> Option<u8> {
    without_bom(bytes).iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

pub(super) async fn refusal(
    begun: Bytes,
    response: reqwest::Response,
    bearer: &Bearer<'_>,
    shown: AnswerHeaders,
    now: At,
) -> Answer {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = read_body(begun, response, MAX_CLASSIFIED_BYTES, REFUSAL_TIMEOUT).await;
    refused(status, &headers, body, bearer, shown, now)
}

fn refused(
    status: StatusCode,
    headers: &HeaderMap,
    body: ReadBody,
    bearer: &Bearer<'_>,
    shown: AnswerHeaders,
    now: At,
) -> Answer {
    let text = redacted(&body, bearer);
    let failure = classify(status, headers, &text, Source::ResponseBody, now);
    let (body_text, cut) = match text.get(..text.floor_char_boundary(MAX_SHOWN_BYTES)) {
        Some(start) if start.len() < text.len() => (start.to_owned(), true),
        _ => (text, false),
    };
    Answer::Refused {
        failure,
        status: status.as_u16(),
        headers: shown,
        truncated: cut || body.is_cut(),
        body: body_text,
    }
}

/// Reads the body within the limits of time and size. A refusal whose body does not arrive is classified by status and
/// headers.
pub(super) async fn read_body(
    begun: Bytes,
    mut response: reqwest::Response,
    max: usize,
    within: Duration,
) -> ReadBody {
    let mut bytes = begun.to_vec();
    let (mut truncated, mut fault) = (false, None);
    let reading = async {
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() <= max => bytes.extend_from_slice(&chunk),
                Ok(Some(chunk)) => {
                    bytes.extend_from_slice(&chunk[..max.saturating_sub(bytes.len())]);
                    truncated = true;
                    break;
                }
                Ok(None) => break,
                Err(error) => {
                    fault = Some(explain(error));
                    break;
                }
            }
        }
    };
    if tokio::time::timeout(within, reading).await.is_err() {
        fault = Some(format!("the answer did not end within {} s", within.as_secs()));
    }
    ReadBody { bytes: bytes.into(), truncated, fault }
}

/// Removes the token from a text, in case upstream quotes it.
pub(super) fn redacted(body: &ReadBody, bearer: &Bearer<'_>) -> String {
    let text = String::from_utf8_lossy(&body.bytes);
    bearer.token.strike_out(text, body.is_cut()).into_owned()
}

pub(super) fn network(message: String) -> Failure {
    Failure::new(FailureKind::Network, Source::Transport, message)
}

#[cfg(test)]
mod tests;
