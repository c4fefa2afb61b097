//! The token endpoint for the refresher, so that a test can answer instead.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::auth::{self, RefreshedTokens, TokenRefreshError};
use crate::http::{BaseUrl, HttpClient};
use crate::pool::At;
use crate::secret::Secret;

pub(crate) trait TokenEndpoint: Send + Sync {
    /// Exchanges a refresh token (RFC 6749, section 6). The token is consumed from the moment it is sent.
    fn refresh<'a>(
        &'a self,
        refresh: &'a Secret,
        now: At,
    ) -> BoxFuture<'a, Result<RefreshedTokens, TokenRefreshError>>;
}

/// The endpoint at `url`, over HTTP.
pub(crate) struct OAuthTokenEndpoint {
    pub(crate) http: HttpClient,
    pub(crate) url: BaseUrl,
}

impl TokenEndpoint for OAuthTokenEndpoint {
    fn refresh<'a>(
        &'a self,
        refresh: &'a Secret,
        now: At,
    ) -> BoxFuture<'a, Result<RefreshedTokens, TokenRefreshError>> {
        auth::refresh(&self.http, &self.url, refresh, now).boxed()
    }
}
