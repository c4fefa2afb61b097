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

    pub(crate) fn add(&mut self, other: Self) {
        let pairs = [
            (&mut self.organization_mismatch, other.organization_mismatch),
            (&mut self.end_user_mismatch, other.end_user_mismatch),
            (&mut self.model_mismatch, other.model_mismatch),
            (&mut self.prefix_mismatch, other.prefix_mismatch),
            (&mut self.encrypted, other.encrypted),
        ];
        for (sum, more) in pairs {
            *sum = sum.saturating_add(more);
        }
    }
}
