//! One request, from its checks to its answer.

use std::convert::Infallible;
use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONNECTION, UPGRADE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::sync::Semaphore;

use super::admission::{check_source, presented_keys};
use super::endpoint::Endpoint;
use super::error::ApiError;
use super::event_stream::Body;
use super::key::GatewayKey;
use super::models::ModelCache;
use super::{health, models, responses, usage};
use crate::sidecar::Sidecar;

/// What all requests to a gateway share.
pub(super) struct Shared {
    pub(super) sidecar: Arc<Sidecar>,
    pub(super) key: GatewayKey,
    pub(super) models: ModelCache,
    pub(super) running: Arc<Semaphore>,
    /// Of a decoded body.
    pub(super) max_body_bytes: usize,
}

pub(super) async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = answer_or_refuse(&shared, request).await.unwrap_or_else(ApiError::into_response);
    tracing::debug!(%method, path, status = response.status().as_u16(), "answered over HTTP");
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Nothing of the body is read before the key was checked.
async fn answer_or_refuse(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, ApiError> {
    check_source(request.uri(), request.headers()).map_err(|stranger| {
        ApiError::invalid_request(StatusCode::FORBIDDEN, Some("forbidden"), stranger.to_string())
    })?;
    let endpoint = Endpoint::of(request.method(), request.uri().path(), request.headers());
    if endpoint == Endpoint::Health {
        return Ok(health::answer(&shared.key, request.uri()));
    }
    if !presented_keys(request.headers()).any(|key| shared.key.is(key)) {
        return Err(ApiError::wrong_key());
    }
    match endpoint {
        Endpoint::Responses => responses::respond(shared, request).await,
        Endpoint::ResponsesUpgrade => Err(no_websocket()),
        Endpoint::Models => Ok(models::answer(shared, request.uri(), request.headers()).await),
        Endpoint::Usage => usage::answer(&shared.sidecar).await,
        Endpoint::Health => Ok(health::answer(&shared.key, request.uri())),
        Endpoint::ChatCompletions => {
            Err(not_found("chat completions are not served; the Responses API is: POST /v1/responses"))
        }
        Endpoint::Unknown => {
            Err(not_found("there is no such endpoint; the Responses API is served: POST /v1/responses"))
        }
    }
}

/// After this status Codex continues over HTTP at once; after others it tries several times.
fn no_websocket() -> ApiError {
    let message = "WebSockets are not served; send the request over HTTP";
    let mut error =
        ApiError::invalid_request(StatusCode::UPGRADE_REQUIRED, Some("upgrade_required"), message);
    error.headers.push((UPGRADE, HeaderValue::from_static("HTTP/1.1")));
    error.headers.push((CONNECTION, HeaderValue::from_static("upgrade")));
    error
}

fn not_found(message: &str) -> ApiError {
    ApiError::invalid_request(StatusCode::NOT_FOUND, Some("not_found"), message)
}
