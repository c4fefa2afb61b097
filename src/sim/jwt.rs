//! Unsigned JWTs: enough for every client of upstream, because none checks a signature (schema/upstream.md, claims).

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::Value;

/// Returns a JWT with these claims. Its payload uses only characters that base64 and base64url share, because some
/// clients decode it with `atob`.
pub fn jwt(claims: &Value) -> String {
    let part = |text: &str| STANDARD_NO_PAD.encode(escaped(text));
    format!("{}.{}.{}", part(r#"{"alg":"none","typ":"JWT"}"#), part(&claims.to_string()), part("simulated"))
}

/// The two alphabets differ in the digits 62 and 63. In ASCII these come only from the characters that are escaped
/// here, and everything outside ASCII is escaped, too.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for unit in json.chars() {
        if unit.is_ascii() && !matches!(unit, '>' | '?' | '~' | '\u{7f}') {
            out.push(unit);
        } else {
            let mut units = [0; 2];
            for unit in unit.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn both_alphabets_read_the_same_claims(text in any::<String>(), pad in "[?>~a-z]{0,8}") {
            let claims = json!({ "sub": text, "pad": pad });
            let token = jwt(&claims);
            let parts: Vec<&str> = token.split('.').collect();
            prop_assert_eq!(parts.len(), 3);
            prop_assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.'), "{}", token);
            let payload = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
            prop_assert_eq!(serde_json::from_slice::<Value>(&payload).unwrap(), claims);
        }
    }
}
