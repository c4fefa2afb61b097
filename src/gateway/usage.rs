//! `GET /v1/usage`: the answers of the methods `accounts` and `status` in one object.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::error::ApiError;
use super::event_stream::Body;
use crate::protocol::{AccountsParams, RpcError, Status, StatusParams};
use crate::sidecar::Sidecar;
use crate::sidecar::methods::{accounts, status};

pub(super) async fn answer(sidecar: &Arc<Sidecar>) -> Result<Response<Body>, ApiError> {
    #[derive(Serialize)]
    struct Usage<L> {
        #[serde(flatten)]
        accounts: L,
        status: Status,
    }
    let failed = |error: RpcError| {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", None, error.message)
    };
    let accounts = accounts::list(sidecar.clone(), AccountsParams::default()).await.map_err(failed)?;
    let status = status::show(sidecar, StatusParams::default()).map_err(failed)?;
    let text = serde_json::to_string(&Usage { accounts, status }).map_err(|error| {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", None, error.to_string())
    })?;
    let mut response = Response::new(Body::whole(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
