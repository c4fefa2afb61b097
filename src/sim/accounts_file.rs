//! `codex-accounts.json` in the shape of pi-multicodex 2.3, with the simulator's accounts.

use serde_json::{Value, json};

use super::account::SimLogin;

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
