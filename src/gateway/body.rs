//! Reads the decoded body of a request, up to a limit.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyDataStream, BodyExt};
use hyper::body::{Body, Incoming};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt};
use tokio_util::io::StreamReader;

use super::error::ApiError;

/// How much of a refused body is read, and for how long.
const MAX_DRAINED_BYTES: usize = 16 * 1024 * 1024;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// # Errors
///
/// A body that is larger than `max` bytes, is not UTF-8 text, or has an unknown encoding.
pub(super) async fn read(headers: &HeaderMap, mut body: Incoming, max: usize) -> Result<String, ApiError> {
    let read = read_decoded(headers, &mut body, max).await;
    if read.is_err() {
        drain(&mut body).await;
    }
    read
}

/// Reads the rest of a refused body, within bounds: a connection that is closed with unread bytes is reset, and the client
/// may lose the answer that says why (RFC 9112, section 9.6).
async fn drain(body: &mut Incoming) {
    let reading = async {
        let mut drained = 0;
        while let Some(Ok(frame)) = body.frame().await {
            drained += frame.data_ref().map_or(0, Bytes::len);
            if drained > MAX_DRAINED_BYTES {
                break;
            }
        }
    };
    // A client that stops sending has no claim to the answer.
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, reading).await;
}

async fn read_decoded(headers: &HeaderMap, body: &mut Incoming, max: usize) -> Result<String, ApiError> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > max as u64) {
        return Err(too_large(max));
    }
    let encoding = headers.get(CONTENT_ENCODING).map(|encoding| encoding.to_str().unwrap_or_default().trim());
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(0).min(max);
    let body = reader(body);
    let bytes = match encoding.unwrap_or("identity").to_ascii_lowercase().as_str() {
        "" | "identity" => read_bounded(body, max, expected).await?,
        "zstd" => {
            read_bounded(async_compression::tokio::bufread::ZstdDecoder::new(body), max, expected * 4).await?
        }
        "gzip" | "x-gzip" => {
            read_bounded(async_compression::tokio::bufread::GzipDecoder::new(body), max, expected * 4).await?
        }
        "br" => {
            read_bounded(async_compression::tokio::bufread::BrotliDecoder::new(body), max, expected * 4)
                .await?
        }
        _ => {
            return Err(ApiError::invalid_request(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                Some("unsupported_content_encoding"),
                "the body may come as it is, or in zstd, gzip or br",
            ));
        }
    };
    String::from_utf8(bytes).map_err(|_| bad_body("the body is not UTF-8"))
}

fn reader(body: &mut Incoming) -> impl AsyncBufRead + Unpin {
    let chunks = BodyDataStream::new(body).map_err(io::Error::other);
    StreamReader::<_, Bytes>::new(chunks)
}

async fn read_bounded(
    reader: impl AsyncRead + Unpin,
    max: usize,
    expected: usize,
) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::with_capacity(expected.min(max));
    let read = reader.take(max as u64 + 1).read_to_end(&mut bytes).await;
    read.map_err(|error| bad_body(&format!("the body cannot be read: {error}")))?;
    if bytes.len() > max { Err(too_large(max)) } else { Ok(bytes) }
}

fn too_large(max: usize) -> ApiError {
    ApiError::invalid_request(
        StatusCode::PAYLOAD_TOO_LARGE,
        Some("message_too_large"),
        format!("the body is larger than {max} bytes (--max-message-bytes)"),
    )
}

fn bad_body(message: &str) -> ApiError {
    ApiError::invalid_request(StatusCode::BAD_REQUEST, Some("invalid_body"), message)
}
