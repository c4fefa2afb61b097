//! Completions: reads a request of the Responses API and returns its events or its whole response. The status is
//! decided when an account answers, or when none can.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::body;
use super::error::ApiError;
use super::event_stream::{Body, COMMENT_EVERY, EventBody};
use super::failure::Refusal;
use super::service::Shared;
use super::session::session;
use crate::clock;
use crate::protocol::RpcError;
use crate::sidecar::{CollectError, RelayRequest, Relayed, collect_relayed, relay};
use crate::upstream::may_be_relayed;

pub(super) async fn respond(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, ApiError> {
    let Ok(running) = shared.running.clone().try_acquire_owned() else {
        let kind = "rate_limit_exceeded";
        let message = "too many requests are in flight (--max-requests)";
        return Err(
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, kind, Some("overloaded"), message).retry_after(1)
        );
    };
    let (parts, body) = request.into_parts();
    let text = body::read(&parts.headers, body, shared.max_body_bytes).await?;
    let streams = wants_a_stream(&text)?;
    let request = RelayRequest {
        session: session(&parts.headers, &text),
        headers: relayed_headers(&parts.headers),
        body: RawValue::from_string(text).map_err(|error| {
            ApiError::invalid_request(StatusCode::BAD_REQUEST, Some("invalid_json"), error.to_string())
        })?,
    };
    if streams { stream(shared, &request, running).await } else { collect(shared, &request).await }
}

async fn stream(
    shared: &Arc<Shared>,
    request: &RelayRequest,
    running: OwnedSemaphorePermit,
) -> Result<Response<Body>, ApiError> {
    let mut relay = relay(&shared.sidecar, request).map_err(refused)?;
    let mut commit_at = None;
    let piece = loop {
        let patience = async {
            match commit_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            piece = relay.recv() => match piece {
                Some(Relayed::Waits) => {
                    commit_at.get_or_insert_with(|| Instant::now() + COMMENT_EVERY);
                }
                piece => break piece,
            },
            () = patience => return Ok(streamed(EventBody::waiting(relay, running), Vec::new())),
        }
    };
    match piece {
        Some(Relayed::Accepted { headers }) => Ok(streamed(EventBody::accepted(relay, running), headers)),
        Some(Relayed::Failed(failed)) => Ok(Refusal::of(&failed, clock::now()).into_response()),
        _ => Err(broken("the completion ended without an answer")),
    }
}

async fn collect(shared: &Arc<Shared>, request: &RelayRequest) -> Result<Response<Body>, ApiError> {
    match collect_relayed(&shared.sidecar, request).await {
        Ok(collected) => {
            let text: Box<str> = Box::<RawValue>::into(collected.response);
            let mut response = Response::new(Body::whole(Bytes::from(String::from(text))));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Ok(response)
        }
        Err(CollectError::Refused(error)) => Err(refused(error)),
        Err(CollectError::Failed(failed)) => {
            Ok(Refusal::without_event(&failed, clock::now()).into_response())
        }
        Err(CollectError::Broken(error)) => Err(broken(&error.message)),
    }
}

fn streamed(events: EventBody, headers: Vec<(String, String)>) -> Response<Body> {
    let mut response = Response::new(Body::Events(Box::new(events)));
    for (name, value) in headers {
        // A header that cannot be sent did not come in one.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response.headers_mut().extend(stream_headers());
    response
}

pub(super) fn stream_headers() -> [(HeaderName, HeaderValue); 2] {
    [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ]
}

/// The request was not sent: `data.path` says what is wrong with it.
fn refused(error: RpcError) -> ApiError {
    let path = error.data.path.as_deref().unwrap_or_default();
    let param = path.strip_prefix("request.").unwrap_or(path).to_owned();
    let message = error.message.strip_prefix("request.").unwrap_or(&error.message).to_owned();
    ApiError::invalid_request(StatusCode::BAD_REQUEST, Some("invalid_params"), message).about(param)
}

fn broken(message: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_GATEWAY, "server_error", Some("upstream_protocol"), message)
}

/// Returns those headers of the client that upstream may see. None of them names the caller.
fn relayed_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    headers.iter().filter(|(name, _)| may_be_relayed(name.as_str())).filter_map(text).collect()
}

/// Unlike upstream, the public API streams only on request.
fn wants_a_stream(body: &str) -> Result<bool, ApiError> {
    #[derive(Deserialize)]
    struct Wanted {
        stream: Option<bool>,
    }
    match serde_json::from_str::<Wanted>(body) {
        Ok(wanted) => Ok(wanted.stream.unwrap_or(false)),
        Err(error) if error.is_data() => {
            Err(ApiError::invalid_request(StatusCode::BAD_REQUEST, Some("invalid_params"), error.to_string())
                .about("stream"))
        }
        Err(error) => {
            Err(ApiError::invalid_request(StatusCode::BAD_REQUEST, Some("invalid_json"), error.to_string()))
        }
    }
}
