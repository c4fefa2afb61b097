//! `verify`: checks everything, and names the next step for each finding. It repairs nothing, refreshes nothing and
//! leaves no trace, in files or in the pool.

mod accounts;
mod files;
mod locks;
mod online;

use std::path::Path;
use std::sync::Arc;

use crate::protocol::{Check, CheckStatus, RpcError, VerifyAnswer, VerifyParams};
use crate::sidecar::Sidecar;
use crate::sidecar::blocking::on_a_thread;

pub(crate) async fn verify(sidecar: Arc<Sidecar>, params: VerifyParams) -> Result<VerifyAnswer, RpcError> {
    let looking = sidecar.clone();
    let mut checks = on_a_thread(move || {
        let mut checks = looking.check_files();
        checks.extend(looking.check_locks());
        checks.extend(looking.check_accounts());
        checks
    })
    .await;
    if params.online == Some(true) {
        sidecar.check_upstream(&mut checks).await;
    }
    let status = checks.iter().map(|check| check.status).max().unwrap_or(CheckStatus::Pass);
    Ok(VerifyAnswer { status, checks })
}

/// The same check with a better result, which replaces the one before.
fn replace(checks: &mut Vec<Check>, check: Check) {
    match checks.iter_mut().find(|known| known.id == check.id && known.account == check.account) {
        Some(known) => *known = check,
        None => checks.push(check),
    }
}

/// Returns the path as one word of a shell command, because on macOS our folder has a space in its name.
fn in_shell(path: &Path) -> String {
    let path = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,%".contains(c);
    if path.chars().all(plain) { path.into_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_a_command_is_one_word_for_a_shell() {
        let check = |path: &str, expected: &str| assert_eq!(in_shell(Path::new(path)), expected);
        check("/home/ada/.pi/agent/auth.json", "/home/ada/.pi/agent/auth.json");
        check("/Users/ada/Library/Application Support/x", "'/Users/ada/Library/Application Support/x'");
        check("/it's $HOME", r"'/it'\''s $HOME'");
    }
}
