//! Logging in: the two flows by which a person grants us an account, from the address to the tokens. Which account it
//! is and where it is stored is decided elsewhere. No error here holds a code, verifier or token.
//!
//! Either flow ends in a [`Grant`], and [`exchange`] turns it into tokens:
//!
//! - [`BrowserLogin`]: authorization code with PKCE, answered by the loopback [`Callbacks`] or by a [`Paste`].
//! - [`DeviceLogin`]: a short code that is typed on another device, and polled until it is granted.

mod browser;
mod callback;
mod device;
mod exchange;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzz;
mod opener;
mod page;
mod redirect;

pub use browser::{BrowserLogin, Paste, PasteError};
pub use callback::{BrowserConnection, CALLBACK_PORTS, Callbacks};
pub use device::DeviceLogin;
pub use exchange::{SignedIn, exchange};
pub use opener::open_in_browser;
pub use page::Page;

use url::Url;

use super::token_endpoint::TokenRefreshError;
use crate::secret::Secret;

/// The result of a flow: a code that can be exchanged once, and the proof that we asked for it.
#[derive(Debug)]
pub struct Grant {
    code: Secret,
    verifier: Secret,
    redirect_uri: Url,
}

/// Why there are no tokens. The next step is always a new login.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LoginError {
    /// The person, or a rule of the workspace, refused; holds a word like `access_denied`.
    #[error("the login was refused ({0})")]
    Denied(String),
    #[error("Codex is not enabled for this workspace; ask its administrator, or log in to another workspace")]
    NotEntitled,
    /// The server ended the login before its time was over.
    #[error("the login was not finished in time")]
    Expired,
    #[error("this server does not offer logins by device code; use the browser flow")]
    NoDeviceLogins,
    #[error("the login server refused the request: {message}")]
    Server { status: Option<u16>, message: String },
    #[error("the code was not exchanged: {0}")]
    Exchange(TokenRefreshError),
    #[error("the tokens cannot be used: {0}")]
    Incomplete(&'static str),
}

impl LoginError {
    fn server(message: impl Into<String>) -> Self {
        LoginError::Server { status: None, message: message.into() }
    }
}
