//! The list of models that the backend offers an account, as it is.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::classify::classify;
use super::client::{Bearer, Upstream, network, read_body, redacted};
use crate::clock;
use crate::http::explain;
use crate::pool::{Failure, FailureKind, Source};

/// A client waits for the list at its start.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A whole list, with the instructions of every model, has some hundred KiB.
const MAX_BYTES: usize = 8 << 20;

/// An answer to `GET {base}/codex/models`.
#[derive(Clone, Debug)]
pub struct ModelList {
    pub etag: Option<HeaderValue>,
    /// `{"models": […]}`, as upstream sent it.
    pub body: Bytes,
}

impl Upstream {
    /// Returns the models for one version of the official client, within 10 s. `headers` are those of
    /// [`request_headers`](super::request_headers).
    ///
    /// # Errors
    ///
    /// The answer that came instead of a list.
    pub async fn models(
        &self,
        bearer: &Bearer<'_>,
        client_version: &str,
        mut headers: HeaderMap,
    ) -> Result<ModelList, Failure> {
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        headers.remove(CONTENT_TYPE);
        headers.remove("openai-beta");
        bearer.put_into(&mut headers)?;
        let client = self.http.get(&self.base).map_err(|error| network(error.to_string()))?;
        let mut url = self.base.join("codex/models");
        url.query_pairs_mut().append_pair("client_version", client_version);
        let response = client.get(url).headers(headers).timeout(TIMEOUT).send().await;
        let response = response.map_err(|error| network(explain(error)))?;

        let (status, headers) = (response.status(), response.headers().clone());
        let body = read_body(Bytes::new(), response, MAX_BYTES, TIMEOUT).await;
        if status != StatusCode::OK {
            let text = redacted(&body, bearer);
            return Err(classify(status, &headers, &text, Source::ResponseBody, clock::now()));
        }
        if let Some(fault) = body.fault {
            return Err(network(fault));
        }
        if !is_list(&body.bytes) {
            return Err(Failure {
                status: Some(status.as_u16()),
                ..Failure::new(
                    FailureKind::UpstreamProtocol,
                    Source::ResponseBody,
                    "the answer about models is not a list of models",
                )
            });
        }
        Ok(ModelList { etag: headers.get(ETAG).cloned(), body: body.bytes })
    }
}

fn is_list(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Models {
        #[serde(rename = "models")]
        _models: Vec<IgnoredAny>,
    }
    serde_json::from_slice::<Models>(body).is_ok()
}
