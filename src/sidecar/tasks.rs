//! The tasks that run beside the methods for as long as the sidecar serves a client.

use std::sync::Arc;

use tokio::spawn;

use super::Sidecar;
use super::methods::status;
use crate::pool::AccountId;
use crate::protocol::AccountsChanged;
use crate::rpc::Outbox;

impl Sidecar {
    /// Starts the tasks that need no client.
    pub fn spawn_tasks(self: &Arc<Self>) {
        let imports = self.imports.clone();
        let auth_file = self.options.paths.auth_file.clone();
        spawn(self.registry.clone().run_watch(auth_file, move || imports.merge_soon()));
        spawn(self.registry.clone().run_saving());
        spawn(self.imports.clone().run());
        spawn(self.refresher.clone().run_upkeep());
        spawn(self.usage.clone().run_polls());
        spawn(self.history.clone().run());
        spawn(self.reset_credits.clone().run_recovery());
    }

    /// Connects the client, and starts the tasks that send notifications to it.
    pub fn connect(self: &Arc<Self>, outbox: Outbox) {
        let registry = self.registry.clone();
        let describe = move |reason| {
            registry.decide(|pool, now| AccountsChanged {
                revision: pool.revision(),
                reason,
                active: pool.active(now).as_ref().map(AccountId::to_string),
                pinned: pool.pinned().map(AccountId::to_string),
            })
        };
        spawn(self.notifier.clone().run(outbox, describe));
        spawn(status::run(self.clone()));
    }
}
