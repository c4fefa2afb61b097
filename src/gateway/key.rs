//! The key of a gateway: generated once, stored in the gateway's file, and read again when that file changes.

use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;

use crate::secret::Secret;
use crate::store::{GatewayFile, GatewayStamp};

/// Distinguishes a proof from every other use of the key.
const PROOF_OF: &[u8] = b"multicodex gateway, asked for: ";

/// Returns a new key: 256 random bits.
///
/// # Errors
///
/// The system has no randomness.
pub fn new_key() -> Result<Secret, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(Secret::new(format!("mcgw-{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))))
}

/// The key of a running gateway.
pub(super) struct GatewayKey {
    file: GatewayFile,
    current: Mutex<(GatewayStamp, Secret)>,
}

impl GatewayKey {
    /// `file` already holds `key`.
    pub(super) fn new(file: GatewayFile, key: Secret) -> Self {
        let stamp = file.stamp();
        GatewayKey { file, current: Mutex::new((stamp, key)) }
    }

    /// Returns whether `presented` is the key, in a time that does not depend on how much of it is right.
    pub(super) fn is(&self, presented: &str) -> bool {
        let key = self.current();
        // The constant-time comparison is that of two authentication codes.
        let code = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
        let expected = hmac::sign(&code, key.expose().as_bytes());
        hmac::verify(&code, presented.as_bytes(), expected.as_ref()).is_ok()
    }

    /// Proves to a client with the key that the gateway has it, too.
    pub(super) fn proof(&self, nonce: &str) -> String {
        proof(&self.current(), nonce)
    }

    /// Returns the present key of the file. If the file cannot be read, or holds no key, the previous key stays.
    fn current(&self) -> Secret {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.file.stamp();
        if stamp != current.0 {
            current.0 = stamp;
            match self.file.read() {
                Ok(record) => {
                    if let Some(key) = record.and_then(|record| record.key) {
                        current.1 = key;
                    }
                }
                Err(error) => tracing::warn!(%error, "the gateway's file cannot be read; its key stays"),
            }
        }
        current.1.clone()
    }
}

/// Returns the answer of a gateway with `key` to `nonce`, in hex.
pub(super) fn proof(key: &Secret, nonce: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(PROOF_OF);
    context.update(nonce.as_bytes());
    context.sign().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn keys_are_long_and_never_the_same() {
        let (one, other) = (new_key().unwrap(), new_key().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.expose().len(), "mcgw-".len() + 43);
    }

    #[test]
    fn a_key_is_right_as_a_whole_only_and_follows_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = GatewayFile::permanent(dir.path());
        let write = |key: &str| {
            file.change(|record| record.key = Some(Secret::new(key))).unwrap();
        };
        write("first-key");
        let key = GatewayKey::new(file.clone(), Secret::new("first-key"));
        assert!(key.is("first-key"));
        for wrong in ["", "first-ke", "first-key ", "First-key", "second-key"] {
            assert!(!key.is(wrong), "{wrong:?}");
        }
        write("second-key");
        assert!(key.is("second-key") && !key.is("first-key"));
        std::fs::write(file.path(), "{").unwrap();
        assert!(key.is("second-key"));
        file.remove().unwrap();
        assert!(key.is("second-key"));
    }

    #[test]
    fn a_proof_is_of_one_key_and_one_nonce() {
        let key = Secret::new("k");
        let one = proof(&key, "n");
        assert_eq!(one.len(), 64);
        assert_eq!(one, proof(&key, "n"));
        assert_ne!(one, proof(&key, "m"));
        assert_ne!(one, proof(&Secret::new("l"), "n"));
    }
}
