//! Credentials of ChatGPT accounts: the claims of a token, refreshing tokens, and logging in. When a token is
//! refreshed, and where the result is stored, is decided elsewhere.

mod fingerprint;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod jwt;
mod login;
mod refresh;
#[cfg(test)]
pub(crate) mod testing;
mod token_endpoint;
mod token_hash;

pub use fingerprint::fingerprint;
pub use jwt::{Claims, account_id, claims, is_fedramp};
pub use login::{
    BrowserConnection, BrowserLogin, CALLBACK_PORTS, Callbacks, DeviceLogin, Grant, LoginError, Page, Paste,
    PasteError, SignedIn, exchange, open_in_browser,
};
pub use refresh::{RefreshedTokens, refresh};
pub use token_endpoint::{CLIENT_ID, TokenRefreshError};
pub use token_hash::token_hash;
