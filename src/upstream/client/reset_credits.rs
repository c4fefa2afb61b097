//! The two requests about reset credits.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

use super::{Bearer, MAX_USAGE_BYTES, REFUSAL_TIMEOUT, ReadBody, Upstream, network, read_body, redacted};
use crate::clock;
use crate::http::explain;
use crate::pool::{Failure, FailureKind, RedeemAnswer, ResetCreditList, Source};
use crate::upstream::classify::classify;
use crate::upstream::reset_credits::{from_list_body, from_redeem_body};
use crate::upstream::usage_reading::Asked;

const LIST_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than for a list, because the credit may be spent although the answer was not awaited.
const REDEEM_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a redemption has no answer.
#[derive(Clone, Debug)]
pub enum RedeemError {
    /// Upstream refused the request itself: the credit is not spent.
    Refused(Failure),
    /// The request may have arrived, so the credit may be spent. Only sending the same request again finds out.
    Unknown(Failure),
}

#[derive(Serialize)]
struct RedeemBody<'a> {
    redeem_request_id: &'a str,
    credit_id: &'a str,
}

impl Upstream {
    /// `GET {base}/wham/rate-limit-reset-credits`, within 10 s.
    ///
    /// # Errors
    ///
    /// Upstream's refusal, or an answer that cannot be read.
    pub async fn reset_credits(&self, bearer: &Bearer<'_>) -> Result<ResetCreditList, Failure> {
        let requested_at = clock::now();
        let client = self.http.get(&self.base).map_err(|error| network(error.to_string()))?;
        let get = client.get(self.base.join("wham/rate-limit-reset-credits")).timeout(LIST_TIMEOUT);
        let response = get.headers(headers(bearer)?).send().await.map_err(|error| network(explain(error)))?;
        let (status, headers, body) = answer(response).await;
        let asked = Asked { requested_at, answered_at: clock::now() };
        if status != StatusCode::OK {
            let text = redacted(&body, bearer);
            return Err(classify(status, &headers, &text, Source::UsageEndpoint, asked.answered_at));
        }
        if let Some(fault) = body.fault {
            return Err(network(fault));
        }
        from_list_body(&body.bytes, asked).ok_or_else(|| unreadable(status))
    }

    /// `POST {base}/wham/rate-limit-reset-credits/consume`, within 30 s. The same `request_id` may be sent again: it
    /// redeems one credit at most.
    ///
    /// # Errors
    ///
    /// Says whether the credit may be spent.
    pub async fn redeem_reset_credit(
        &self,
        bearer: &Bearer<'_>,
        request_id: &str,
        credit_id: &str,
    ) -> Result<RedeemAnswer, RedeemError> {
        let refused = RedeemError::Refused;
        let client = self.http.get(&self.base).map_err(|error| refused(network(error.to_string())))?;
        let mut sent = headers(bearer).map_err(refused)?;
        sent.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        #[expect(clippy::expect_used, reason = "two strings")]
        let body = serde_json::to_vec(&RedeemBody { redeem_request_id: request_id, credit_id })
            .expect("two strings can be written");
        let post = client.post(self.base.join("wham/rate-limit-reset-credits/consume")).headers(sent);
        let response = match post.body(body).timeout(REDEEM_TIMEOUT).send().await {
            Ok(response) => response,
            // Nothing was sent without a connection.
            Err(error) if error.is_connect() => return Err(RedeemError::Refused(network(explain(error)))),
            Err(error) => return Err(RedeemError::Unknown(network(explain(error)))),
        };
        let (status, headers, body) = answer(response).await;
        if status.is_success() {
            let told = from_redeem_body(&body.bytes).filter(|_| body.fault.is_none());
            return told.ok_or_else(|| RedeemError::Unknown(unreadable(status)));
        }
        let text = redacted(&body, bearer);
        let failure = classify(status, &headers, &text, Source::UsageEndpoint, clock::now());
        // A request that upstream refused had no effect. Something in between may have forwarded it in spite of its
        // answer.
        let is_refusal = status.is_client_error()
            && ![StatusCode::REQUEST_TIMEOUT, StatusCode::CONFLICT].contains(&status)
            && failure.is_from_upstream();
        Err(if is_refusal { RedeemError::Refused(failure) } else { RedeemError::Unknown(failure) })
    }
}

impl RedeemError {
    pub fn failure(&self) -> &Failure {
        match self {
            RedeemError::Refused(failure) | RedeemError::Unknown(failure) => failure,
        }
    }
}

fn headers(bearer: &Bearer<'_>) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    bearer.put_into(&mut headers)?;
    Ok(headers)
}

async fn answer(response: reqwest::Response) -> (StatusCode, HeaderMap, ReadBody) {
    let (status, headers) = (response.status(), response.headers().clone());
    (status, headers, read_body(Bytes::new(), response, MAX_USAGE_BYTES, REFUSAL_TIMEOUT).await)
}

fn unreadable(status: StatusCode) -> Failure {
    let why = "the answer about reset credits cannot be read";
    Failure {
        status: Some(status.as_u16()),
        ..Failure::new(FailureKind::UpstreamProtocol, Source::UsageEndpoint, why)
    }
}
