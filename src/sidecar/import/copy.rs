//! A login that is copied from the file of another program, which still uses it.

use std::sync::Arc;

use super::Imports;
use crate::pool::{Account, AccountId, WhyNotImported};
use crate::protocol::{ImportAnswer, RpcError, Warning, WarningKind};
use crate::sidecar::blocking::on_a_thread;

impl Imports {
    /// Imports a login that another program still uses. Two owners of one refresh token will disturb each other.
    pub(crate) async fn import_copy(
        self: &Arc<Self>,
        read: impl FnOnce() -> Result<Account, RpcError> + Send + 'static,
    ) -> Result<ImportAnswer, RpcError> {
        let imports = self.clone();
        on_a_thread(move || {
            let login = read()?;
            let id = login.id.clone();
            if imports.registry.is_consumed(&login.credential.refresh) {
                return Ok(imports.leave(WhyNotImported::Consumed));
            }
            let turn = imports.registry.file_turn();
            let merged = imports.merge_into_file(&turn, login)?;
            let mut answer = imports.take_merged(&turn, &merged);
            if !merged.records.iter().any(|record| record.id == merged.account && record.linked) {
                let warning = shared(&id);
                imports.notifier.warn(warning.clone());
                answer.warning = Some(warning);
            }
            Ok(answer)
        })
        .await
    }
}

fn shared(account: &AccountId) -> Warning {
    Warning {
        kind: WarningKind::SharedCredential,
        message:
            "this login is also used by the program it was copied from; the first of the two to refresh it signs the other one out"
                .to_owned(),
        account: Some(account.to_string()),
        hint: Some("give this account a login of its own with `reauth`".to_owned()),
    }
}
