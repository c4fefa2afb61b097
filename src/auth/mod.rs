//! Credentials of ChatGPT accounts: what a token says about its owner, redeeming refresh tokens, and logging in. Whether and when
//! a token is redeemed, and where the result is kept, is decided elsewhere.

mod fingerprint;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod jwt;
mod login;
mod redeem;
mod token_endpoint;
mod token_hash;

pub use fingerprint::fingerprint;
pub use jwt::{Claims, account_id, claims};
pub use login::{
    BrowserLogin, CALLBACK_PORTS, Callbacks, DeviceLogin, Grant, LoginError, Page, Paste, PasteError,
    SignedIn, Visitor, exchange, open_in_browser,
};
pub use redeem::{Redeemed, redeem};
pub use token_endpoint::{CLIENT_ID, RedeemError};
pub use token_hash::token_hash;
