//! `GET /healthz`: shows that a gateway listens, and on request proves that it has the key. Before a client gets a key,
//! the listener must prove that it already has it, because another program may have taken the port.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, Uri};
use serde::{Deserialize, Serialize};

use super::event_stream::Body;
use super::key::{GatewayKey, new_key, proof};
use crate::http::{BaseUrl, HttpClient};
use crate::secret::Secret;

const LONGEST_NONCE: usize = 128;

/// Why a listener does not count as the gateway.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    #[error("nothing answers at {url}: {why}; start `multicodex gateway`")]
    Silent { url: String, why: String },
    #[error(
        "the program at {url} is not this gateway: it does not have the key; another program uses the port"
    )]
    Stranger { url: String },
}

#[derive(Serialize, Deserialize)]
struct Health {
    status: String,
    version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof: Option<String>,
}

pub(super) fn answer(key: &GatewayKey, uri: &Uri) -> Response<Body> {
    let mut pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let nonce = pairs.find(|(name, nonce)| name == "nonce" && nonce.len() <= LONGEST_NONCE);
    let health = Health {
        status: "ok".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        proof: nonce.map(|(_, nonce)| key.proof(&nonce)),
    };
    let mut response = Response::new(Body::whole(serde_json::to_string(&health).unwrap_or_default()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Asks the listener at `url` to prove that it has `key`.
///
/// # Errors
///
/// Nothing listens there, or a program without the key.
pub async fn proves_key(url: &str, key: &Secret) -> Result<(), ProofError> {
    let silent = |why: String| ProofError::Silent { url: url.to_owned(), why };
    let base: BaseUrl = url.parse().map_err(|error| silent(format!("{error}")))?;
    if !base.is_loopback() {
        return Err(ProofError::Stranger { url: url.to_owned() });
    }
    let nonce = new_key().map_err(|error| silent(error.to_string()))?;
    let answer = HttpClient::new().fetch(&base, "healthz", &[("nonce", nonce.expose())]).await;
    let health = serde_json::from_slice::<Health>(&answer.map_err(silent)?);
    let is_proven =
        health.ok().and_then(|health| health.proof).is_some_and(|shown| shown == proof(key, nonce.expose()));
    if is_proven { Ok(()) } else { Err(ProofError::Stranger { url: url.to_owned() }) }
}
