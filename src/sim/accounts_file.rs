//! `codex-accounts.json` in the shape of pi-multicodex 2.3, with the simulator's accounts.

use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::account::SimLogin;

/// Writes a `codex-accounts.json` with these logins into `dir`, readable only by its owner, as the sidecar requires.
pub fn write_accounts(dir: &Path, logins: &[SimLogin]) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let path = dir.join("codex-accounts.json");
    std::fs::write(&path, accounts_json(logins))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
}

/// The first account is the active one.
pub fn accounts_json(logins: &[SimLogin]) -> String {
    let accounts: Vec<Value> = logins
        .iter()
        .map(|login| {
            json!({
                "email": login.account.email,
                "accessToken": login.access_token,
                "refreshToken": login.refresh_token,
                "expiresAt": login.expires_at,
                "accountId": login.account.workspace_id,
            })
        })
        .collect();
    let mut file = json!({ "version": 1, "accounts": accounts });
    if let Some(login) = logins.first() {
        file["activeEmail"] = login.account.email.clone().into();
    }
    format!("{file:#}\n")
}
