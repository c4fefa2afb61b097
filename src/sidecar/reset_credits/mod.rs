//! Reset credits: listed, and redeemed when a person or the setting `resetCredits` says so.

mod endpoint;
mod list;

use std::sync::Arc;

use crate::sidecar::accounts::AccountRegistry;
use crate::sidecar::credentials::TokenRefresher;

pub(crate) use endpoint::UsageEndpoint;

use list::ListPauses;

pub(crate) struct ResetCredits {
    registry: Arc<AccountRegistry>,
    refresher: Arc<TokenRefresher>,
    endpoint: Arc<dyn UsageEndpoint>,
    pauses: ListPauses,
}

impl ResetCredits {
    pub(crate) fn new(
        registry: Arc<AccountRegistry>,
        refresher: Arc<TokenRefresher>,
        endpoint: Arc<dyn UsageEndpoint>,
    ) -> Self {
        ResetCredits { registry, refresher, endpoint, pauses: ListPauses::default() }
    }
}
