//! Exchanges a grant for tokens: the one request for which a code can be used (schema/upstream.md, login).

use oauth2::{AuthType, AuthorizationCode, ClientId, PkceCodeVerifier, RedirectUrl, TokenUrl};

use super::{Grant, LoginError};
use crate::auth::refresh::{Issued, OauthClient, issued, told};
use crate::auth::token_endpoint::{CLIENT_ID, PATH, send};
use crate::http::{BaseUrl, HttpClient};
use crate::pool::{At, Credential, Identity};

/// The result of a login.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedIn {
    pub credential: Credential,
    /// It always has a workspace id.
    pub identity: Identity,
    pub email: Option<String>,
    pub plan: Option<String>,
}

/// `POST {auth_base}/oauth/token`, form-encoded, within 30 s and never twice. `now` is when it is sent.
pub async fn exchange(
    http: &HttpClient,
    auth_base: &BaseUrl,
    grant: Grant,
    now: At,
) -> Result<SignedIn, LoginError> {
    let client = OauthClient::new(ClientId::new(CLIENT_ID.to_owned()))
        .set_auth_type(AuthType::RequestBody)
        .set_token_uri(TokenUrl::from_url(auth_base.join(PATH)))
        .set_redirect_uri(RedirectUrl::from_url(grant.redirect_uri));
    // A closure that only borrows gives a future that cannot be spawned.
    let transport = |request| {
        let (http, auth_base) = (http.clone(), auth_base.clone());
        async move { send(&http, &auth_base, request).await }
    };
    let answer = client
        .exchange_code(AuthorizationCode::new(grant.code.expose().to_owned()))
        .set_pkce_verifier(PkceCodeVerifier::new(grant.verifier.expose().to_owned()))
        .request_async(&transport)
        .await
        .map_err(|error| LoginError::Exchange(told(error).without(&grant.code).without(&grant.verifier)))?;
    signed_in(issued(&answer, now))
}

fn signed_in(issued: Issued) -> Result<SignedIn, LoginError> {
    let Issued { access, refresh, expires_at, claims, id_claims } = issued;
    let refresh = refresh.ok_or(LoginError::Incomplete("there is no refresh token"))?;
    // The user id comes from the access token alone, because only that is stored, and the account must have the same
    // identity when it is read again.
    let workspace_id = claims.identity.workspace_id.or(id_claims.identity.workspace_id);
    if workspace_id.is_none() {
        return Err(LoginError::Incomplete("they do not say which workspace they are for"));
    }
    Ok(SignedIn {
        credential: Credential { access, refresh, expires_at },
        identity: Identity { workspace_id, ..claims.identity },
        email: claims.email,
        plan: claims.plan,
    })
}
