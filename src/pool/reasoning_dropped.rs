//! How much reasoning a response lost, by the backend's own count. Most of it is lost by a switch of accounts.

/// Reasoning items that were removed from the input of one response, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReasoningDropped {
    pub organization_mismatch: u32,
    pub end_user_mismatch: u32,
    pub model_mismatch: u32,
    pub prefix_mismatch: u32,
    /// The sidecar removed it, because upstream refused the encrypted content of another account.
    pub encrypted: u32,
}

impl ReasoningDropped {
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}
