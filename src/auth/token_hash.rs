//! Hashes of refresh tokens, for the journal: two processes can tell that they mean the same token, and the hash cannot
//! be used as one.

use sha2::{Digest, Sha256};

use crate::pool::TokenHash;
use crate::secret::Secret;

/// 128 bits in hex. Refresh tokens are random, so they cannot be guessed from the hash.
pub fn token_hash(refresh: &Secret) -> TokenHash {
    let digest = Sha256::new().chain_update(b"refresh token\0").chain_update(refresh.expose()).finalize();
    TokenHash(digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_names_one_token_and_shows_nothing_of_it() {
        let [one, two] = ["refresh-1", "refresh-2"].map(|token| token_hash(&Secret::new(token)));
        assert_ne!(one, two);
        // Hashes are kept on disk over updates, so they must never change.
        assert_eq!(one.0, "d586dfb303077c6bf494f811f5861f14");
    }
}
