//! Writes a merge into the accounts file: only the entries that it changed.

use crate::pool::{HealthStatus, Merged};
use crate::store::{Document, EditRefused, FileAccount};

/// Makes the file's entries equal to the merge, by their labels.
pub(crate) fn write_merged(document: &mut Document, merged: &Merged) -> Result<(), EditRefused> {
    let Some(account) = merged.records.iter().find(|record| record.id == merged.account) else {
        return Ok(());
    };
    let was_active = |label: &str| {
        document.active_email().is_some_and(|active| active.to_lowercase() == label.to_lowercase())
    };
    let active = merged.folded.iter().any(|label| was_active(label));
    for label in &merged.folded {
        document.remove(label)?;
    }
    for label in &merged.unlinked {
        document.set_linked(label, false)?;
    }
    let mut entry = FileAccount {
        email: account.label.clone(),
        access: account.credential.access.clone(),
        refresh: account.credential.refresh.clone(),
        expires_at: account.credential.expires_at,
        account_id: account.identity.workspace_id.clone(),
        last_used_at: None,
        quota_exhausted_until: None,
        linked: account.linked,
        needs_reauth: matches!(account.health.standing, HealthStatus::NeedsLogin(_)),
    };
    if let Some(before) = &merged.label_before {
        document.rename(before, &account.label)?;
        if let Some(known) = document.accounts().find(|known| known.email == account.label) {
            entry.last_used_at = known.last_used_at;
            entry.quota_exhausted_until = known.quota_exhausted_until;
            entry.account_id = entry.account_id.or(known.account_id);
        }
    }
    document.put(&entry);
    if active {
        document.set_active(Some(&account.label));
    }
    Ok(())
}
