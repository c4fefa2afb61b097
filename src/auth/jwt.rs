//! The claims of a token. Signatures are not checked: the token comes from its issuer over TLS or from the user's own
//! files, no right is granted here because of it, and upstream checks it on every request.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::pool::{AccountId, At, Identity};
use crate::secret::Secret;

/// Accepts what real encoders produce: with and without padding, with odd trailing bits.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The claims that are used (schema/upstream.md, claims). Each may be missing; a token that is not a JWT has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    pub identity: Identity,
    pub email: Option<String>,
    pub plan: Option<String>,
    pub issued_at: Option<At>,
    pub expires_at: Option<At>,
}

/// Reads the claims of an access token or an id token.
pub fn claims(token: &Secret) -> Claims {
    let Some(payload) = payload(token.expose()) else { return Claims::default() };
    let auth = payload.get("https://api.openai.com/auth").unwrap_or(&Value::Null);
    let profile = payload.get("https://api.openai.com/profile").unwrap_or(&Value::Null);
    let time = |name: &str| {
        let seconds = payload.get(name).and_then(Value::as_f64).filter(|seconds| *seconds > 0.0);
        seconds.map(|seconds| At((seconds * 1000.0) as i64))
    };
    let email = text(profile, "email").or_else(|| text(&payload, "email"));
    Claims {
        identity: Identity {
            workspace_id: text(auth, "chatgpt_account_id"),
            user_id: text(auth, "chatgpt_user_id"),
            other_user_id: text(auth, "user_id"),
            seat_id: text(auth, "chatgpt_account_user_id"),
            subject: text(&payload, "sub"),
            email: email.as_ref().map(|email| email.to_lowercase()),
            labelled_email: None,
        },
        email,
        plan: text(auth, "chatgpt_plan_type"),
        issued_at: time("iat"),
        expires_at: time("exp"),
    }
}

/// Returns whether the token belongs to a workspace under FedRAMP, which has endpoints of its own.
pub fn is_fedramp(token: &Secret) -> bool {
    let Some(payload) = payload(token.expose()) else { return false };
    let auth = payload.get("https://api.openai.com/auth").unwrap_or(&Value::Null);
    auth.get("chatgpt_account_is_fedramp").and_then(Value::as_bool) == Some(true)
}

/// Returns `acc_` and the first 16 hex digits of a SHA-256 over the identity, or over the label when nothing of the
/// identity is known.
pub fn account_id(identity: &Identity, fallback_label: &str) -> AccountId {
    let mut hash = Sha256::new();
    // Each part is preceded by its kind and length, so that no two identities give the same bytes.
    let mut part = |kind: u8, text: &str| {
        hash.update([kind]);
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    if let Some(workspace_id) = &identity.workspace_id {
        part(b'w', workspace_id);
    }
    if let Some((kind, user)) = identity.user() {
        // Both kinds of user id have the same letter, so that ids stay what they were; so have both kinds of e-mail.
        part(b"uusbee"[kind], user);
    }
    if *identity == Identity::default() {
        part(b'l', &fallback_label.to_lowercase());
    }
    let digits: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    AccountId::new(format!("acc_{digits}"))
}

fn payload(token: &str) -> Option<Value> {
    let encoded = token.split('.').nth(1)?.replace('-', "+").replace('_', "/");
    serde_json::from_slice(&LENIENT.decode(encoded).ok()?).ok()
}

fn text(object: &Value, name: &str) -> Option<String> {
    object.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD as PLAIN, URL_SAFE, URL_SAFE_NO_PAD};
    use serde_json::json;

    use super::*;

    fn token(payload: &Value) -> Secret {
        Secret::new(format!("e30.{}.x", URL_SAFE_NO_PAD.encode(payload.to_string())))
    }

    fn identity(workspace_id: Option<&str>, user_id: Option<&str>) -> Identity {
        Identity {
            workspace_id: workspace_id.map(str::to_owned),
            user_id: user_id.map(str::to_owned),
            ..Identity::default()
        }
    }

    #[test]
    fn claims_are_read_where_they_are() {
        let check =
            |payload: Value, expected: Claims| assert_eq!(claims(&token(&payload)), expected, "{payload}");
        check(
            json!({"exp": 1796219000, "iat": 1795355000,
                "https://api.openai.com/auth": {"chatgpt_account_id": "acc-1", "chatgpt_plan_type": "plus",
                    "chatgpt_user_id": "user-1", "user_id": "other", "chatgpt_account_user_id": "seat-1"},
                "sub": "auth0|1",
                "https://api.openai.com/profile": {"email": "a@example.com", "email_verified": true}}),
            Claims {
                identity: Identity {
                    other_user_id: Some("other".into()),
                    seat_id: Some("seat-1".into()),
                    subject: Some("auth0|1".into()),
                    email: Some("a@example.com".into()),
                    ..identity(Some("acc-1"), Some("user-1"))
                },
                email: Some("a@example.com".into()),
                plan: Some("plus".into()),
                issued_at: Some(At::from_secs(1795355000)),
                expires_at: Some(At::from_secs(1796219000)),
            },
        );
        check(
            json!({"email": "B@example.com", "exp": 1796219000.5, "https://api.openai.com/auth": {"user_id": "user-2"}}),
            Claims {
                identity: Identity {
                    other_user_id: Some("user-2".into()),
                    email: Some("b@example.com".into()),
                    ..Identity::default()
                },
                email: Some("B@example.com".into()),
                expires_at: Some(At(1796219000500)),
                ..Claims::default()
            },
        );
        check(
            json!({"https://api.openai.com/auth": {"chatgpt_account_id": ""}, "exp": "soon"}),
            Claims::default(),
        );
        check(
            json!({"https://api.openai.com/auth": null, "https://api.openai.com/profile": 1, "exp": -1}),
            Claims::default(),
        );
        check(json!([1]), Claims::default());
    }

    #[test]
    fn every_base64_is_read_and_everything_else_is_no_claims() {
        // The umlauts and question marks yield `+`, `/`, `-`, `_` and padding.
        let payload = json!({"email": "ü?>~ÿ@example.com"}).to_string();
        let encodings = [PLAIN.encode(&payload), URL_SAFE.encode(&payload), URL_SAFE_NO_PAD.encode(&payload)];
        assert!(encodings[0] != encodings[1] && encodings[1] != encodings[2], "{encodings:?}");
        for encoded in encodings {
            let claims = claims(&Secret::new(format!("e30.{encoded}.")));
            assert_eq!(claims.email.as_deref(), Some("ü?>~ÿ@example.com"), "{encoded}");
        }
        for text in ["", "access-1", "a.b", "a.!!.c", "..", "e30.e30.e30", "a.bnVsbA.c"] {
            assert_eq!(claims(&Secret::new(text)), Claims::default(), "{text}");
        }
    }

    #[test]
    fn account_ids_are_as_different_as_identities() {
        let ids = [
            account_id(&identity(Some("w"), Some("u")), "l"),
            account_id(&identity(Some("u"), Some("w")), "l"),
            account_id(&identity(Some("wu"), None), "l"),
            account_id(&identity(None, Some("wu")), "l"),
            account_id(&identity(Some("w"), None), "l"),
            account_id(&identity(None, None), "l"),
            account_id(&identity(None, None), "w"),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len(), "{ids:?}");
        assert_eq!(ids[0], account_id(&identity(Some("w"), Some("u")), "another label"));
        assert_eq!(ids[5], account_id(&identity(None, None), "L"));
        for id in ids {
            let digits = id.as_str().strip_prefix("acc_").unwrap_or_default();
            assert!(digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        }
        // Users store and type these ids, so they must never change.
        assert_eq!(account_id(&identity(Some("ws-1"), Some("user-1")), "").as_str(), "acc_972a0f5e5dcf1309");
    }
}
