//! Refreshes a token: one request, with an exact outcome. Locks, journal and writing belong to the caller. Nothing is
//! repeated here, because a second request may cost the account.

use std::time::Duration;

use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AuthType, Client, ClientId, ExtraTokenFields, RefreshToken, RequestTokenError, StandardRevocableToken,
    StandardTokenResponse, TokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};

use super::jwt::{Claims, claims};
use super::token_endpoint::{CLIENT_ID, PATH, TokenRefreshError, send};
use crate::http::{BaseUrl, HttpClient};
use crate::pool::{At, Credential};
use crate::secret::Secret;

/// The expiry when neither the answer nor the token says it: short, so that the token is refreshed again soon.
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The result of a refresh.
#[derive(Clone, Debug, PartialEq)]
pub struct RefreshedTokens {
    /// Holds the old refresh token when the answer had none.
    pub credential: Credential,
    /// The claims of the access token, completed with e-mail and plan of the id token. The caller compares the identity
    /// before it stores anything.
    pub claims: Claims,
    /// The old refresh token is consumed.
    pub refresh_replaced: bool,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct IdToken {
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

impl ExtraTokenFields for IdToken {}

/// The tokens that the endpoint returned, for either grant.
pub(super) struct Issued {
    pub access: Secret,
    pub refresh: Option<Secret>,
    pub expires_at: At,
    /// The claims of the access token, completed with e-mail and plan of the id token.
    pub claims: Claims,
    /// The workspace of the id token, if there is one.
    pub id_claims: Claims,
}

pub(super) type Answer = StandardTokenResponse<IdToken, BasicTokenType>;
pub(super) type OauthClient = Client<
    BasicErrorResponse,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

/// Sends `POST {auth_base}/oauth/token`, form-encoded, within 30 s. `now` is the time of sending, from which the expiry
/// counts.
pub async fn refresh(
    http: &HttpClient,
    auth_base: &BaseUrl,
    old: &Secret,
    now: At,
) -> Result<RefreshedTokens, TokenRefreshError> {
    let client = OauthClient::new(ClientId::new(CLIENT_ID.to_owned()))
        .set_auth_type(AuthType::RequestBody)
        .set_token_uri(TokenUrl::from_url(auth_base.join(PATH)));
    let refresh_token = RefreshToken::new(old.expose().to_owned());
    // A closure that only borrows gives a future that cannot be spawned.
    let transport = |request| {
        let (http, auth_base) = (http.clone(), auth_base.clone());
        async move { send(&http, &auth_base, request).await }
    };
    let answer = client.exchange_refresh_token(&refresh_token).request_async(&transport).await;
    answer.map(|answer| refreshed(&answer, old, now)).map_err(|error| told(error).without(old))
}

pub(super) fn issued(answer: &Answer, now: At) -> Issued {
    let access = Secret::new(answer.access_token().secret().as_str());
    let mut found = claims(&access);
    let id_token = answer.extra_fields().id_token.as_deref();
    let id_claims = id_token.map(|token| claims(&Secret::new(token))).unwrap_or_default();
    found.email = found.email.or_else(|| id_claims.email.clone());
    found.plan = found.plan.or_else(|| id_claims.plan.clone());
    let expires_at = answer.expires_in().map(|lifetime| now + lifetime);
    Issued {
        access,
        refresh: answer.refresh_token().map(|token| Secret::new(token.secret().as_str())),
        expires_at: expires_at.or(found.expires_at).unwrap_or(now + UNKNOWN_LIFETIME),
        claims: found,
        id_claims,
    }
}

/// The crate's other errors are not shown: its parse error holds the raw body.
pub(super) fn told(error: RequestTokenError<TokenRefreshError, BasicErrorResponse>) -> TokenRefreshError {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(_) | RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            TokenRefreshError::OutcomeUnknown {
                message: "the answer of the token endpoint cannot be read".to_owned(),
            }
        }
    }
}

fn refreshed(answer: &Answer, old: &Secret, now: At) -> RefreshedTokens {
    let Issued { access, refresh, expires_at, claims, .. } = issued(answer, now);
    let refresh = refresh.unwrap_or_else(|| old.clone());
    RefreshedTokens {
        refresh_replaced: refresh != *old,
        credential: Credential { access, refresh, expires_at },
        claims,
    }
}

#[cfg(test)]
mod tests;
