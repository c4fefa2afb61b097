//! A request as it was received, its body decoded.

use std::collections::BTreeMap;
use std::io::{self, Read};

use bytes::Bytes;
use http::request::Parts;
use serde_json::Value;

#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) method: String,
    /// Without the query.
    pub(super) path: String,
    pub(super) path_and_query: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Received {
    /// # Errors
    ///
    /// A body that cannot be decoded.
    pub(super) fn new(parts: &Parts, body: &Bytes) -> io::Result<Self> {
        let headers: BTreeMap<String, String> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let body = match headers.get("content-encoding").map(String::as_str) {
            Some("zstd") => zstd::decode_all(&body[..])?,
            Some("gzip") => {
                let mut plain = Vec::new();
                flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain)?;
                plain
            }
            _ => body.to_vec(),
        };
        let path_and_query = parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
        Ok(Received {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            path_and_query,
            headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(super) fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.path_and_query.split_once('?')?;
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    pub(super) fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.body).ok()
    }

    /// Returns a member of a body that is JSON or a form, because the token endpoint accepts both.
    pub(super) fn member(&self, name: &str) -> Option<String> {
        if self.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
            return self.json()?.get(name)?.as_str().map(str::to_owned);
        }
        let mut pairs = url::form_urlencoded::parse(self.body.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn received(content_type: &str, encoding: &str, body: &[u8]) -> Received {
        let request = http::Request::post("http://sim/oauth/token?a=b")
            .header("Content-Type", content_type)
            .header("Content-Encoding", encoding)
            .header("Authorization", "Bearer access-1");
        Received::new(&request.body(()).unwrap().into_parts().0, &Bytes::copy_from_slice(body)).unwrap()
    }

    #[test]
    fn bodies_are_read_in_every_encoding() {
        let json = br#"{"grant_type":"refresh_token"}"#;
        let zstd = zstd::encode_all(&json[..], 3).unwrap();
        for received in [
            received("application/json", "identity", json),
            received("application/json", "zstd", &zstd),
            received("application/x-www-form-urlencoded", "identity", b"a=%20&grant_type=refresh_token"),
        ] {
            assert_eq!(received.member("grant_type").as_deref(), Some("refresh_token"));
            assert_eq!(received.member("client_id"), None);
            assert_eq!((received.bearer(), received.path.as_str()), (Some("access-1"), "/oauth/token"));
            assert_eq!(received.path_and_query, "/oauth/token?a=b");
        }
    }
}
