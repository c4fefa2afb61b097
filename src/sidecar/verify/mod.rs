//! `verify`: looks for what is amiss, and names the next step for each of it. It repairs nothing, redeems nothing and
//! leaves no trace, in files or in the pool.

mod accounts;
mod files;
mod locks;
mod online;

use std::sync::Arc;

use super::Sidecar;
use super::blocking::on_a_thread;
use crate::protocol::{Check, CheckStatus, RpcError, VerifyAnswer, VerifyParams};

pub(super) async fn verify(sidecar: Arc<Sidecar>, params: VerifyParams) -> Result<VerifyAnswer, RpcError> {
    let looking = sidecar.clone();
    let mut checks = on_a_thread(move || {
        let mut checks = looking.look_at_files();
        checks.extend(looking.look_at_locks());
        checks.extend(looking.look_at_accounts());
        checks
    })
    .await;
    if params.online == Some(true) {
        sidecar.look_upstream(&mut checks).await;
    }
    let status = checks.iter().map(|check| check.status).max().unwrap_or(CheckStatus::Pass);
    Ok(VerifyAnswer { status, checks })
}

/// The same check, better known: it takes the place of the one before.
fn replace(checks: &mut Vec<Check>, check: Check) {
    match checks.iter_mut().find(|known| known.id == check.id && known.account == check.account) {
        Some(known) => *known = check,
        None => checks.push(check),
    }
}
