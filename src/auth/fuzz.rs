//! Properties of any text that is read as a token. `tests/fuzz` generates the text.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::Value;

pub use super::login::fuzz::{callback, pasted};
use super::{account_id, claims};
use crate::secret::Secret;

/// The bytes as a token claim nothing wrong. As the payload of a token they give the same claims in each encoding, and
/// the claims are those of the payload.
pub fn jwt(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    check_id(&text);
    let encoded = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].map(|engine| engine.encode(data));
    let [first, others @ ..] = encoded.map(|payload| claims(&Secret::new(format!("h.{payload}.s"))));
    assert!(others.iter().all(|other| *other == first), "{first:?} {others:?}");
    let value: Value = serde_json::from_slice(data).unwrap_or_default();
    let auth = &value["https://api.openai.com/auth"];
    let told = |claim: &Option<String>, value: &Value| match claim {
        Some(text) => value == text.as_str() && !text.is_empty(),
        None => value.as_str().is_none_or(str::is_empty),
    };
    assert!(told(&first.identity.workspace_id, &auth["chatgpt_account_id"]), "{first:?}");
    assert!(told(&first.plan, &auth["chatgpt_plan_type"]), "{first:?}");
    assert!(first.expires_at.is_none_or(|at| at.millis() >= 0 && value["exp"].is_number()), "{first:?}");
}

fn check_id(text: &str) {
    let claims = claims(&Secret::new(text));
    let id = account_id(&claims.identity, text).to_string();
    let digits = id.strip_prefix("acc_").unwrap_or_default();
    assert!(digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!(id, account_id(&claims.identity, &text.to_lowercase()).to_string());
}
