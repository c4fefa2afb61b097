//! Tokens for tests.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// Returns an unsigned token with these claims.
pub(crate) fn jwt(claims: &Value) -> String {
    format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims.to_string()))
}
