//! Adapts a client's Responses body to the ChatGPT backend. Its bytes stay as they are, except for the members that the
//! backend requires. Only the top level is parsed, so unusual spellings and lone surrogates survive.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::headers::session_key;
use super::websocket::Outline;
use super::without_member::{with_value, without_member};
use super::without_reasoning::{ReasoningHash, without_reasoning};

/// Smaller bodies are not worth compressing.
const COMPRESS_FROM: usize = 1024;
const ZSTD_LEVEL: i32 = 3;
/// No model name is nearly as long. Refused models are remembered by name.
const MAX_MODEL_BYTES: usize = 256;

/// A body that was checked and can be sent as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedBody {
    pub model: String,
    /// Returns the `prompt_cache_key` of the client, unless it is empty.
    pub cache_key: Option<String>,
    pub json: Bytes,
}

impl PreparedBody {
    /// Removes a member. Returns whether there was one.
    pub fn remove(&mut self, member: &str) -> bool {
        let rest = str::from_utf8(&self.json).ok().and_then(|json| without_member(json, member));
        let found = rest.is_some();
        if let Some(rest) = rest {
            self.json = rest.into();
        }
        found
    }
}

/// One completion's request without its account, so that the same bytes can be sent with the next account.
#[derive(Clone, Debug)]
pub struct ResponsesRequest {
    pub(super) body: Bytes,
    /// The size of the JSON, which may be compressed in `body`.
    json_len: usize,
    /// For a request that may use a WebSocket. The body is not compressed then.
    outline: Option<Arc<Outline>>,
    pub(super) headers: HeaderMap,
}

/// What a client must change about its body, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct BodyRefusal {
    /// `request`, or `request.store`.
    pub path: &'static str,
    pub message: String,
}

/// Checks the body and adds what upstream requires: `stream: true`, `store: false` (`null` counts as absent), and the
/// session id as `prompt_cache_key` when the body has none.
pub fn prepare(raw: &RawValue, session_id: Option<&str>) -> Result<PreparedBody, BodyRefusal> {
    prepare_with(raw, session_id, MayStream::Only)
}

/// The same for a body that may ask for one object instead of a stream, as the public API allows: upstream is still
/// asked for a stream. Adds only what upstream requires.
pub fn prepare_any(raw: &RawValue) -> Result<PreparedBody, BodyRefusal> {
    prepare_with(raw, None, MayStream::OrNot)
}

#[derive(Clone, Copy, PartialEq)]
enum MayStream {
    Only,
    OrNot,
}

fn prepare_with(
    raw: &RawValue,
    session_id: Option<&str>,
    may_stream: MayStream,
) -> Result<PreparedBody, BodyRefusal> {
    let text = raw.get();
    let refuse = |path, message: &str| Err(BodyRefusal { path, message: message.to_owned() });
    if !text.starts_with('{') {
        return refuse("request", "must be an object");
    }
    let members: Members<'_> = serde_json::from_str(text)
        .map_err(|error| BodyRefusal { path: "request", message: error.to_string() })?;

    let Some(model) = present(members.model) else { return refuse("request.model", "is missing") };
    let Ok(model) = serde_json::from_str::<String>(model) else {
        return refuse("request.model", "must be a string");
    };
    if model.is_empty() {
        return refuse("request.model", "must not be empty");
    }
    if model.len() > MAX_MODEL_BYTES {
        return refuse("request.model", "must have at most 256 bytes");
    }
    match present(members.stream) {
        None | Some("true") => {}
        Some("false") if may_stream == MayStream::OrNot => {}
        Some(_) if may_stream == MayStream::OrNot => {
            return refuse("request.stream", "must be true or false");
        }
        Some(_) => return refuse("request.stream", "must be true, or left out"),
    }
    if present(members.store).is_some_and(|store| store != "false") {
        return refuse("request.store", "must be false, or left out");
    }

    let mut edits = Edits { text, replaced: Vec::new(), added: String::new() };
    edits.set("stream", members.stream, "true", &["null", "false"]);
    edits.set("store", members.store, "false", &["null"]);
    if let Some(session_id) = session_id {
        let key = serde_json::Value::String(session_key(session_id)).to_string();
        edits.set("prompt_cache_key", members.prompt_cache_key, &key, &["null"]);
    }
    let cache_key =
        present(members.prompt_cache_key).and_then(|key| serde_json::from_str::<String>(key).ok());
    Ok(PreparedBody { model, cache_key: cache_key.filter(|key| !key.is_empty()), json: edits.apply() })
}

impl ResponsesRequest {
    /// Compresses the body when that is worth it: some milliseconds per MiB, once for all accounts that are tried.
    /// `headers` are those of [`request_headers`](super::request_headers).
    pub fn new(body: &PreparedBody, headers: HeaderMap) -> Self {
        Self::of_json(body.json.clone(), headers)
    }

    /// The same for a request that may use a WebSocket, which cannot use a compressed body.
    pub fn for_socket(body: &PreparedBody, headers: HeaderMap) -> Self {
        Self::of_plain_json(body.json.clone(), headers)
    }

    /// The request as it goes by SSE.
    #[must_use]
    pub fn packed(self) -> Self {
        match self.outline {
            Some(_) => Self::of_json(self.body, self.headers),
            None => self,
        }
    }

    /// The part for a WebSocket: the JSON, and what decides whether it continues a conversation.
    pub(super) fn plain(&self) -> Option<(&str, &Arc<Outline>)> {
        Some((str::from_utf8(&self.body).ok()?, self.outline.as_ref()?))
    }

    /// A body that does not fit into a frame is compressed at once.
    fn of_plain_json(json: Bytes, headers: HeaderMap) -> Self {
        match str::from_utf8(&json).ok().and_then(Outline::read) {
            Some(outline) => ResponsesRequest {
                json_len: json.len(),
                body: json,
                headers,
                outline: Some(Arc::new(outline)),
            },
            None => Self::of_json(json, headers),
        }
    }

    fn of_json(json: Bytes, mut headers: HeaderMap) -> Self {
        let compressed = (json.len() >= COMPRESS_FROM)
            .then(|| zstd::bulk::compress(&json, ZSTD_LEVEL))
            .transpose()
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "the request goes out uncompressed");
                None
            });
        let json_len = json.len();
        let body = match compressed {
            Some(compressed) => {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static("zstd"));
                Bytes::from(compressed)
            }
            None => json,
        };
        ResponsesRequest { body, headers, json_len, outline: None }
    }

    /// Returns the same request without a member of its body; `None` when it has no such member.
    pub fn without(&self, member: &str) -> Option<Self> {
        let json = self.json()?;
        Some(self.with_json(without_member(str::from_utf8(&json).ok()?, member)?))
    }

    /// The same request for another model, whose name needs no escaping; `None` when it names none.
    pub fn with_model(&self, model: &str) -> Option<Self> {
        let json = self.json()?;
        Some(self.with_json(with_value(str::from_utf8(&json).ok()?, "model", &format!("\"{model}\""))?))
    }

    /// Returns the same request without the reasoning in `foreign`, and how many items that were; `None` when it has
    /// none.
    pub fn without_reasoning(&self, foreign: &[ReasoningHash]) -> Option<(Self, u32)> {
        let json = self.json()?;
        let (rest, removed) = without_reasoning(str::from_utf8(&json).ok()?, |item| foreign.contains(item))?;
        Some((self.with_json(rest), removed))
    }

    /// Returns the same request without a header; `None` when it has no such header.
    pub fn without_header(&self, name: &str) -> Option<Self> {
        let mut rest = self.clone();
        rest.headers.remove(name)?;
        Some(rest)
    }

    fn json(&self) -> Option<Bytes> {
        Some(match self.headers.get(CONTENT_ENCODING) {
            Some(_) => zstd::bulk::decompress(&self.body, self.json_len).ok()?.into(),
            None => self.body.clone(),
        })
    }

    fn with_json(&self, json: String) -> Self {
        let mut headers = self.headers.clone();
        headers.remove(CONTENT_ENCODING);
        match self.outline {
            Some(_) => Self::of_plain_json(json.into(), headers),
            None => Self::of_json(json.into(), headers),
        }
    }

    /// Returns the size of the body over SSE, in bytes.
    pub fn packed_len(&self) -> usize {
        self.body.len()
    }

    /// Returns the size of the body before compression, in bytes.
    pub fn json_len(&self) -> usize {
        self.json_len
    }
}

/// The members that are used, as they are spelled. A member that comes twice is refused, because upstream might read
/// the other one.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow, default, deserialize_with = "spelled")]
    model: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "spelled")]
    stream: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "spelled")]
    store: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "spelled")]
    prompt_cache_key: Option<&'a RawValue>,
}

/// Keeps `null`, which an `Option` would treat as absent, because its place in the text is needed.
fn spelled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn present(member: Option<&RawValue>) -> Option<&str> {
    member.map(RawValue::get).filter(|text| *text != "null")
}

struct Edits<'a> {
    text: &'a str,
    /// (position of a value, its length, its replacement)
    replaced: Vec<(usize, usize, String)>,
    /// Members to add at the end, each with a comma before it. The model is always before them.
    added: String,
}

impl<'a> Edits<'a> {
    /// Adds a member that is absent, and replaces one whose spelling is in `replaceable`.
    fn set(&mut self, name: &str, member: Option<&'a RawValue>, value: &str, replaceable: &[&str]) {
        match member.map(RawValue::get) {
            None => self.added.push_str(&format!(",\"{name}\":{value}")),
            Some(old) if replaceable.contains(&old) => {
                let at = old.as_ptr() as usize - self.text.as_ptr() as usize;
                self.replaced.push((at, old.len(), value.to_owned()));
            }
            Some(_) => {}
        }
    }

    fn apply(mut self) -> Bytes {
        self.replaced.sort();
        let end = self.text.rfind('}').unwrap_or(self.text.len());
        let mut json = String::with_capacity(self.text.len() + self.added.len() + 64);
        let mut copied = 0;
        for (at, len, value) in &self.replaced {
            json.push_str(&self.text[copied..*at]);
            json.push_str(value);
            copied = at + len;
        }
        json.push_str(&self.text[copied..end]);
        json.push_str(&self.added);
        json.push_str(&self.text[end..]);
        Bytes::from(json)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn prepared(text: &str, session_id: Option<&str>) -> Result<PreparedBody, BodyRefusal> {
        prepare(serde_json::from_str::<&RawValue>(text).unwrap(), session_id)
    }

    #[test]
    fn only_what_must_be_there_is_put_in() {
        let check = |text: &str, session_id: Option<&str>, expected: &str| {
            let body = prepared(text, session_id).unwrap();
            assert_eq!(str::from_utf8(&body.json).unwrap(), expected);
            assert_eq!(body.model, "m");
        };
        check(r#"{"model":"m"}"#, None, r#"{"model":"m","stream":true,"store":false}"#);
        check(
            r#"{"model":"m"}"#,
            Some("s\"1"),
            r#"{"model":"m","stream":true,"store":false,"prompt_cache_key":"s\"1"}"#,
        );
        check(
            r#"{"stream":true,"model":"m","store":false,"prompt_cache_key":"mine"}"#,
            Some("s"),
            r#"{"stream":true,"model":"m","store":false,"prompt_cache_key":"mine"}"#,
        );
        check(
            r#"{ "store" : null, "model":"m", "stream":null , "x": null }"#,
            None,
            r#"{ "store" : false, "model":"m", "stream":true , "x": null }"#,
        );
        check(
            r#"{"prompt_cache_key":null,"model":"m"}"#,
            Some("s"),
            r#"{"prompt_cache_key":"s","model":"m","stream":true,"store":false}"#,
        );
        check(
            r#"{"prompt_cache_key":null,"model":"m","stream":true,"store":false}"#,
            None,
            r#"{"prompt_cache_key":null,"model":"m","stream":true,"store":false}"#,
        );
        check(
            "{\"model\":\"\\u006d\",\"input\":[\"\\ud800\",1.50e+02,12345678901234567890123,{\"stream\":false}],\"\\u0061\":1,\n\"b\":\"}\"}",
            None,
            "{\"model\":\"\\u006d\",\"input\":[\"\\ud800\",1.50e+02,12345678901234567890123,{\"stream\":false}],\"\\u0061\":1,\n\"b\":\"}\",\"stream\":true,\"store\":false}",
        );
    }

    #[test]
    fn a_body_that_asks_for_one_object_becomes_a_request_for_a_stream() {
        let check = |text: &str, expected: &str| {
            let body = prepare_any(serde_json::from_str::<&RawValue>(text).unwrap()).unwrap();
            assert_eq!(str::from_utf8(&body.json).unwrap(), expected);
        };
        check(
            r#"{"model":"m","stream": false ,"input":"false"}"#,
            r#"{"model":"m","stream": true ,"input":"false","store":false}"#,
        );
        check(r#"{"model":"m"}"#, r#"{"model":"m","stream":true,"store":false}"#);
        check(r#"{"model":"m","stream":true,"store":null}"#, r#"{"model":"m","stream":true,"store":false}"#);
        let refused = |text: &str| prepare_any(serde_json::from_str::<&RawValue>(text).unwrap()).unwrap_err();
        assert_eq!(refused(r#"{"model":"m","stream":1}"#).path, "request.stream");
        assert_eq!(refused(r#"{"model":"m","store":true}"#).path, "request.store");
    }

    #[test]
    fn a_long_session_id_is_hashed_as_cache_key() {
        let body = prepared(r#"{"model":"m"}"#, Some(&"s".repeat(65))).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&body.json).unwrap();
        let key = json["prompt_cache_key"].as_str().unwrap();
        assert!(key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");
    }

    #[test]
    fn what_upstream_would_refuse_is_refused_here() {
        let check = |text: &str, path: &str| {
            let refusal = prepared(text, None).unwrap_err();
            assert_eq!(refusal.path, path, "{text}: {refusal}");
        };
        check("[]", "request");
        check("null", "request");
        check("\"model\"", "request");
        check("{}", "request.model");
        check(r#"{"model":null}"#, "request.model");
        check(r#"{"model":""}"#, "request.model");
        check(r#"{"model":7}"#, "request.model");
        check(&format!(r#"{{"model":"{}"}}"#, "m".repeat(257)), "request.model");
        check(r#"{"model":"m","stream":false}"#, "request.stream");
        check(r#"{"model":"m","stream":"true"}"#, "request.stream");
        check(r#"{"model":"m","store":true}"#, "request.store");
        check(r#"{"model":"m","store":0}"#, "request.store");
        check(r#"{"model":"m","store":false,"store":true}"#, "request");
    }

    #[test]
    fn a_deep_body_needs_no_stack() {
        let deep = format!(r#"{{"input":{}{},"model":"m"}}"#, "[".repeat(100_000), "]".repeat(100_000));
        let raw = RawValue::from_string(deep).unwrap();
        assert_eq!(prepare(&raw, None).unwrap().model, "m");
    }

    #[test]
    fn requests_can_go_without_a_member() {
        for filler in [0, 5000] {
            let json = |member: &str| format!(r#"{{"model":"m",{member}"input":"{}"}}"#, "x".repeat(filler));
            let body = PreparedBody {
                model: "m".into(),
                cache_key: None,
                json: json(r#""max_output_tokens":16,"#).into(),
            };
            let request = ResponsesRequest::new(&body, HeaderMap::new());
            let rest = request.without("max_output_tokens").unwrap();
            assert_eq!(rest.json_len(), json("").len());
            let sent = match rest.headers.get(CONTENT_ENCODING) {
                Some(_) => zstd::bulk::decompress(&rest.body, 10_000).unwrap().into(),
                None => rest.body.clone(),
            };
            assert_eq!(sent, json(""));
            assert!(rest.without("max_output_tokens").is_none());
        }
    }

    #[test]
    fn large_bodies_are_compressed_once() {
        let check = |bytes: usize, compressed: bool| {
            let body =
                PreparedBody { model: "m".into(), cache_key: None, json: Bytes::from("x".repeat(bytes)) };
            let request = ResponsesRequest::new(&body, HeaderMap::new());
            let encoding = request.headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap());
            assert_eq!(encoding, compressed.then_some("zstd"), "{bytes}");
            if compressed {
                assert_eq!(zstd::bulk::decompress(&request.body, bytes).unwrap(), body.json);
            } else {
                assert_eq!(request.body, body.json);
            }
        };
        check(1023, false);
        check(1024, true);
        check(1 << 20, true);
    }
}
