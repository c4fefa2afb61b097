//! Logging in: the two ways a person can grant an account to us, from the address they open to the tokens. Which
//! account it becomes, and where it is kept, is decided elsewhere. No error here holds a code, verifier or token.
//!
//! Either flow ends in a [`Grant`], and [`exchange`] turns it into tokens:
//!
//! - [`BrowserLogin`]: authorization code with PKCE, answered by the loopback [`Callbacks`] or by a [`Paste`].
//! - [`DeviceLogin`]: a short code that is typed on another device, and asked after until it is granted.

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

/// What a finished flow holds: a code that can be exchanged once, and what proves that we asked for it.
#[derive(Debug)]
pub struct Grant {
    code: Secret,
    verifier: Secret,
    redirect_uri: Url,
}

/// Why there are no tokens. Whatever it was, the way on is a new login.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LoginError {
    /// The person, or the workspace's rules, said no; holds a word like `access_denied`.
    #[error("the login was refused ({0})")]
    Denied(String),
    #[error("Codex is not enabled for this workspace; ask its administrator, or log in to another workspace")]
    NotEntitled,
    /// The server ended it before we did.
    #[error("the login was not finished in time")]
    Expired,
    #[error("this server does not offer logins by device code; use the browser flow")]
    NoDeviceLogins,
    #[error("the login server did not go along: {message}")]
    Server { status: Option<u16>, message: String },
    #[error("the code was not exchanged: {0}")]
    Exchange(TokenRefreshError),
    #[error("the tokens are of no use: {0}")]
    Incomplete(&'static str),
}

impl LoginError {
    fn server(message: impl Into<String>) -> Self {
        LoginError::Server { status: None, message: message.into() }
    }
}
