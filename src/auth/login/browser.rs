//! The browser flow: authorization code with PKCE (S256). The answer comes from the callback or from what a person
//! pastes, whichever is first.

use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};
use tokio::sync::mpsc;
use url::Url;

use super::callback::{BrowserConnection, CALLBACK_PATH, Callbacks, Expected};
use super::redirect::Redirect;
use super::{CALLBACK_PORTS, Grant, LoginError};
use crate::auth::refresh::OauthClient;
use crate::auth::token_endpoint::CLIENT_ID;
use crate::http::BaseUrl;
use crate::secret::Secret;

/// The scopes that pi asks for (schema/upstream.md, login). Codex also asks for connectors, which are not used here.
const SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];
const STATE_BYTES: u32 = 32;
const VERIFIER_BYTES: u32 = 64;
/// Far longer than any code that was seen.
const MAX_CODE_BYTES: usize = 4096;

/// A login that waits for the browser to return.
#[derive(Debug)]
pub struct BrowserLogin {
    url: Url,
    verifier: Secret,
    redirect_uri: Url,
    expected: Expected,
    pasted: mpsc::Receiver<Result<Secret, LoginError>>,
    paste: Paste,
}

/// Accepts what a person pastes for one login. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Paste {
    state: Secret,
    answers: mpsc::Sender<Result<Secret, LoginError>>,
}

/// Why a paste is refused. The login goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasteError {
    #[error("nothing was pasted")]
    Empty,
    #[error("this address belongs to another login: its state is a different one")]
    WrongState,
    #[error("the address was cut after `&`, as a shell does; paste it between quotation marks")]
    Cut,
    #[error("there is no code in it; paste the whole address at which the browser ended")]
    NoCode,
}

impl BrowserLogin {
    /// Reserves a place at the callback and builds the address (schema/upstream.md, login). `originator` is the name of
    /// the client.
    pub async fn begin(
        auth_base: &BaseUrl,
        originator: &str,
        callbacks: &Callbacks,
        ports: &[u16],
    ) -> Result<Self, LoginError> {
        let state = CsrfToken::new_random_len(STATE_BYTES);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256_len(VERIFIER_BYTES);
        let secret_state = Secret::new(state.secret().as_str());
        let expected = callbacks.expect(&secret_state, ports).await;
        let port = expected.port.unwrap_or(CALLBACK_PORTS[0]);
        let redirect_uri = Url::parse(&format!("http://127.0.0.1:{port}{CALLBACK_PATH}"))
            .map_err(|error| LoginError::server(error.to_string()))?;
        let client = OauthClient::new(ClientId::new(CLIENT_ID.to_owned()))
            .set_auth_uri(AuthUrl::from_url(auth_base.join("oauth/authorize")))
            .set_redirect_uri(RedirectUrl::from_url(redirect_uri.clone()));
        let (url, _) = client
            .authorize_url(|| state)
            .add_scopes(SCOPES.map(|scope| Scope::new(scope.to_owned())))
            .set_pkce_challenge(challenge)
            .add_extra_param("id_token_add_organizations", "true")
            .add_extra_param("codex_cli_simplified_flow", "true")
            .add_extra_param("originator", originator)
            .url();
        let (paste, pasted) = Paste::waiting_for(secret_state);
        Ok(BrowserLogin {
            url,
            verifier: Secret::new(verifier.secret().as_str()),
            redirect_uri,
            expected,
            pasted,
            paste,
        })
    }

    /// Returns the address to open in a browser. It holds no secret: the verifier is not in it.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Returns whether the browser can return by itself.
    pub fn has_callback(&self) -> bool {
        self.expected.port.is_some()
    }

    pub fn paste(&self) -> Paste {
        self.paste.clone()
    }

    /// Waits for the answer, and returns it with the browser that brought it, if one did. Frees the port.
    pub async fn grant(mut self) -> (Result<Grant, LoginError>, Option<BrowserConnection>) {
        let (answer, visitor) = tokio::select! {
            arrival = self.expected.arrival() => (arrival.answer, Some(arrival.visitor)),
            // It cannot be closed: a sender of it is in `self`.
            Some(answer) = self.pasted.recv() => (answer, None),
        };
        tracing::debug!(pasted = visitor.is_none(), refused = answer.is_err(), "a login was answered");
        let BrowserLogin { verifier, redirect_uri, .. } = self;
        (answer.map(|code| Grant { code, verifier, redirect_uri }), visitor)
    }
}

impl Paste {
    pub(super) fn waiting_for(state: Secret) -> (Self, mpsc::Receiver<Result<Secret, LoginError>>) {
        let (answers, pasted) = mpsc::channel(1);
        (Paste { state, answers }, pasted)
    }

    /// Accepts the address of a redirect or its query, `code#state`, or a code alone. Only a code alone may come
    /// without state. After one was accepted, later ones have no effect.
    pub fn submit(&self, input: &str) -> Result<(), PasteError> {
        let answer = self.read(input)?;
        // Full or closed: another answer was first.
        let _ = self.answers.try_send(answer);
        Ok(())
    }

    pub(super) fn read(&self, input: &str) -> Result<Result<Secret, LoginError>, PasteError> {
        let input = as_one_line(input);
        let input = input.trim_matches(['"', '\'', '<', '>', '`']);
        if input.is_empty() {
            return Err(PasteError::Empty);
        }
        if let Some(query) = query_of(input) {
            let redirect = Redirect::from_query(query);
            return match (redirect.state, redirect.answer) {
                (Some(state), Some(answer)) if state == self.state => Ok(answer),
                (Some(_), Some(_)) => Err(PasteError::WrongState),
                // The other member came after an `&`.
                (None, Some(_)) | (Some(_), None) if !query.contains('&') => Err(PasteError::Cut),
                (None, Some(_)) => Err(PasteError::WrongState),
                (_, None) => Err(PasteError::NoCode),
            };
        }
        let code = match input.split_once('#') {
            Some((code, state)) if state.split('.').next() == Some(self.state.expose()) => code,
            Some(_) => return Err(PasteError::WrongState),
            None => input,
        };
        let plausible = !code.is_empty()
            && code.len() <= MAX_CODE_BYTES
            && code.bytes().all(|byte| byte.is_ascii_graphic())
            // A word, e.g. an answer to another question, is not a code.
            && !code.bytes().all(|byte| byte.is_ascii_alphabetic());
        plausible.then(|| Ok(Secret::new(code))).ok_or(PasteError::NoCode)
    }
}

/// Removes what terminals, shells and web pages add: bracketed paste marks, line breaks of a wrapped address,
/// backslashes before special characters, and `&amp;`.
fn as_one_line(input: &str) -> String {
    let input =
        input.replace("\u{1b}[200~", "").replace("\u{1b}[201~", "").replace("[200~", "").replace("[201~", "");
    let input: String =
        input.chars().filter(|c| !c.is_whitespace() && !c.is_control() && *c != '\\').collect();
    input.replace("&amp;", "&")
}

/// Returns the query of an address, with or without its beginning, or of a query alone.
fn query_of(input: &str) -> Option<&str> {
    let has_scheme = input.starts_with("http://") || input.starts_with("https://");
    if has_scheme || input.contains("/callback?") || input.contains("callback?code=") {
        let rest = input.split_once('?').map_or("", |(_, rest)| rest);
        return Some(rest.split('#').next().unwrap_or_default());
    }
    let bare = input.trim_start_matches('?');
    let is_query = ["code=", "state=", "error="].iter().any(|member| bare.starts_with(member));
    is_query.then_some(bare)
}

#[cfg(test)]
mod tests;
