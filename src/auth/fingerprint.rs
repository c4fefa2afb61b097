//! Fingerprints of logins, for the state directory, which holds no token.

use sha2::{Digest, Sha256};

use crate::pool::Credential;

/// Returns 32 hex digits of a SHA-256 over the tokens, their expiry and the workspace id. Tokens are random, so they
/// cannot be guessed from it.
pub fn fingerprint(credential: &Credential, account_id: Option<&str>) -> String {
    let mut hash = Sha256::new();
    let parts = [credential.access.expose(), credential.refresh.expose(), account_id.unwrap_or_default()];
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(credential.expires_at.millis().to_be_bytes());
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::At;
    use crate::secret::Secret;

    #[test]
    fn every_part_counts() {
        let of = |access: &str, refresh: &str, expires_at, account_id| {
            let credential = Credential {
                access: Secret::new(access),
                refresh: Secret::new(refresh),
                expires_at: At(expires_at),
            };
            fingerprint(&credential, account_id)
        };
        let all = [
            of("a", "r", 1, Some("w")),
            of("b", "r", 1, Some("w")),
            of("a", "s", 1, Some("w")),
            of("a", "r", 2, Some("w")),
            of("a", "r", 1, None),
            of("ar", "", 1, Some("w")),
        ];
        let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "{all:?}");
        assert_eq!(all[0], of("a", "r", 1, Some("w")));
        assert!(all.iter().all(|hash| hash.len() == 32));
    }
}
