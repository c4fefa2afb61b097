//! The models. Codex gets the backend's own list, which also decides what it sends; other clients get the form of the
//! public API.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, Response, Uri};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::event_stream::Body;
use super::service::Shared;
use crate::sidecar::{self, Sidecar};
use crate::upstream::ModelList;

/// As long as Codex itself keeps a list.
const FRESH_FOR: Duration = Duration::from_secs(300);

/// For how many versions of Codex lists are kept; a user has one or two.
const MOST_VERSIONS: usize = 8;

const LONGEST_VERSION: usize = 64;

/// The version of Codex that the backend is given for other clients. The list depends on it.
const NO_CODEX: &str = "0.171.0";

/// The last lists, by the version of Codex.
#[derive(Default)]
pub(super) struct ModelCache(Mutex<BTreeMap<String, (Instant, ModelList)>>);

pub(super) async fn answer(shared: &Arc<Shared>, uri: &Uri, headers: &HeaderMap) -> Response<Body> {
    let version = client_version(uri);
    let list = shared.models.get(&shared.sidecar, version.as_deref().unwrap_or(NO_CODEX), headers).await;
    let mut response = match (&list, &version) {
        (Some(list), Some(_)) => Response::new(Body::whole(list.body.clone())),
        // With an empty list Codex continues with its own; after an error it asks again and again.
        (None, Some(_)) => Response::new(Body::whole(r#"{"models":[]}"#)),
        (list, None) => Response::new(Body::whole(public_list(list.as_ref()))),
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let (Some(etag), Some(_)) = (list.and_then(|list| list.etag), version) {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}

impl ModelCache {
    /// Returns the list, or an older one if there is no other. Only one request at a time asks for it.
    async fn get(&self, sidecar: &Arc<Sidecar>, version: &str, headers: &HeaderMap) -> Option<ModelList> {
        let mut lists = self.0.lock().await;
        let known = lists.get(version);
        if let Some((_, list)) = known.filter(|(since, _)| since.elapsed() < FRESH_FOR) {
            return Some(list.clone());
        }
        let own: Vec<(&str, &str)> = ["originator", "user-agent", "version"]
            .into_iter()
            .filter_map(|name| Some((name, headers.get(name)?.to_str().ok()?)))
            .collect();
        let Some(list) = sidecar::list_models(sidecar, version, &own).await else {
            return known.map(|(_, list)| list.clone());
        };
        if lists.len() >= MOST_VERSIONS
            && let Some(oldest) =
                lists.iter().min_by_key(|(_, (since, _))| *since).map(|(version, _)| version.clone())
        {
            lists.remove(&oldest);
        }
        lists.insert(version.to_owned(), (Instant::now(), list.clone()));
        Some(list)
    }
}

fn client_version(uri: &Uri) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(uri.query()?.as_bytes());
    let version = pairs.find(|(name, _)| name == "client_version")?.1;
    Some(version.chars().filter(|c| c.is_ascii_graphic()).take(LONGEST_VERSION).collect())
}

/// `{"object":"list","data":[…]}`.
fn public_list(list: Option<&ModelList>) -> String {
    #[derive(Deserialize)]
    struct Models {
        models: Vec<Value>,
    }
    #[derive(Serialize)]
    struct PublicList {
        object: &'static str,
        data: Vec<PublicModel>,
    }
    #[derive(Serialize)]
    struct PublicModel {
        id: String,
        object: &'static str,
        created: i64,
        owned_by: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        context_length: Option<u64>,
    }
    let models =
        list.and_then(|list| serde_json::from_slice(&list.body).ok()).map(|list: Models| list.models);
    let public = |model: Value| {
        let is_listed = model["visibility"].as_str().is_none_or(|visibility| visibility == "list");
        Some(PublicModel {
            id: model["slug"].as_str().filter(|_| is_listed)?.to_owned(),
            object: "model",
            // The backend does not say when.
            created: 0,
            owned_by: "openai",
            context_length: model["context_window"].as_u64(),
        })
    };
    let data = models.unwrap_or_default().into_iter().filter_map(public).collect();
    serde_json::to_string(&PublicList { object: "list", data }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_codex_is_read_from_the_query() {
        let check = |uri: &'static str, expected: Option<&str>| {
            assert_eq!(client_version(&Uri::from_static(uri)).as_deref(), expected, "{uri}");
        };
        check("/v1/models?client_version=0.171.0", Some("0.171.0"));
        check("/v1/models?a=b&client_version=0.171.0%0d%0a-x", Some("0.171.0-x"));
        check("/v1/models", None);
        check("/v1/models?version=1", None);
    }

    #[test]
    fn listed_models_get_the_shape_of_the_public_api() {
        let body = br#"{"models":[{"slug":"a","context_window":5,"visibility":"list"},{"slug":"b","visibility":"hide"},{"slug":"c"},{}]}"#;
        let list = ModelList { etag: None, body: body[..].into() };
        assert_eq!(
            public_list(Some(&list)),
            r#"{"object":"list","data":[{"id":"a","object":"model","created":0,"owned_by":"openai","context_length":5},{"id":"c","object":"model","created":0,"owned_by":"openai"}]}"#
        );
        assert_eq!(public_list(None), r#"{"object":"list","data":[]}"#);
    }
}
